"""YOLOv1 for FiftyOne, on Keras 3 and TensorFlow.

The public names are imported when they are first used, so that `import yolov1_fo` is
instant.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "train": "training.detector",
    "train_on_ray": "training.ray_training",
    "TrainResult": "training.result",
    "pretrain": "training.classifier",
    "write_report": "training.run_report.page",
    "load_model": "model.load",
    "YOLOv1Model": "model.yolov1_model",
    "YOLOv1ModelConfig": "model.model_config",
    "YOLOv1Classifier": "model.yolov1_classifier",
    "YOLOv1ClassifierConfig": "model.model_config",
    "KerasImageModel": "model.keras_image_model",
    "from_keras": "model.keras_tasks.adapter",
    "KerasTaskModel": "model.keras_tasks.task_model",
    "KerasTaskModelConfig": "model.keras_tasks.task_model",
    "apply": "inference.prediction",
    "write_objectness": "inference.sample_scores",
    "write_losses": "inference.sample_scores",
    "evaluate": "evaluation.evaluator",
    "EvaluationReport": "evaluation.report",
    "OperatingPoint": "evaluation.operating_point",
    "confident": "evaluation.confident_detections",
    "compare": "evaluation.comparison",
    "Comparison": "evaluation.comparison",
    "VOCEvaluationConfig": "evaluation.voc_method",
    "find_mistakes": "curation.mistakes",
    "clear_mistakes": "curation.mistakes",
    "MistakeReport": "curation.mistake_report",
    "suggest": "curation.suggestions",
    "accept": "curation.acceptance",
    "undo_accept": "curation.undoing",
    "next_to_label": "curation.next_samples",
    "label_changes": "curation.label_changes",
    "LabelChanges": "curation.label_changes",
    "inspect": "datasets.inspection",
    "InspectionReport": "datasets.inspection_report",
    "split": "datasets.splitting",
    "to_tf_dataset": "training.tf_dataset",
    "load_quickstart": "datasets.quickstart",
    "load_open_images": "datasets.open_images",
    "export": "inference.exporting",
    "publish": "publishing.local_zoo",
    "unpublish": "publishing.local_zoo",
    "register": "publishing.registering",
    "GridConfig": "config",
    "NetworkConfig": "config",
    "TrainConfig": "config",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'yolov1_fo' has no attribute '{name}'")
    module = _load(f"yolov1_fo.{_MODULES[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def _load(name: str) -> Any:
    """Imports a module; explains in one line if Keras can't be imported for it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == "tensorflow":
            from yolov1_fo.config import packages

            raise ImportError(packages.NO_TENSORFLOW) from error
        if error.name not in ("jax", "openvino", "torch"):
            raise
        raise ImportError(
            f"Keras' backend {error.name} is not installed; set "
            'KERAS_BACKEND=tensorflow, or "backend" in keras.json'
        ) from error
    except (AttributeError, TypeError, ValueError) as error:
        if not _comes_from_keras(error):
            raise
        raise ImportError(
            f"Keras can't be imported with your keras.json and KERAS_BACKEND: {error}"
        ) from error


def _comes_from_keras(error: BaseException) -> bool:
    """Returns whether an error was raised in Keras' code."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return str(module).startswith("keras.")


def __dir__() -> list[str]:
    return sorted(__all__)

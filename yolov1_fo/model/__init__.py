"""FiftyOne models: a trained YOLOv1, its classifier, any Keras network for images."""

import importlib
from typing import Any

_HOMES = {
    "YOLOv1Model": "yolov1_model",
    "YOLOv1ModelConfig": "model_config",
    "YOLOv1Classifier": "yolov1_classifier",
    "YOLOv1ClassifierConfig": "model_config",
    "KerasTaskModel": "keras_tasks.task_model",
    "KerasTaskModelConfig": "keras_tasks.task_model",
}
"""The module of each class that databases and files name."""

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)

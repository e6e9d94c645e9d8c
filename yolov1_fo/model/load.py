"""load_model: a trained model from a checkpoint, run, zoo name or `.weights` file."""

import os
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.config import NetworkConfig, arguments, class_names, spelling
from yolov1_fo.datasets import connection
from yolov1_fo.model.keras_tasks.task_model import (
    KerasTaskModel,
    KerasTaskModelConfig,
)
from yolov1_fo.model.model_config import (
    SETTINGS,
    YOLOv1ClassifierConfig,
    YOLOv1ModelConfig,
)
from yolov1_fo.model.yolov1_classifier import YOLOv1Classifier
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.networks import darknet_header
from yolov1_fo.publishing import model_sources
from yolov1_fo.runs import checkpoint, run_json


@connection.one_line_errors()
def load_model(
    source: str | os.PathLike[str],
    dataset: fo.Dataset | None = None,
    network: str | None = None,
    **settings: Any,
) -> YOLOv1Model | YOLOv1Classifier | KerasTaskModel:
    """Returns a trained model for `dataset.apply_model(model)`.

    It is a `YOLOv1Model`, a `YOLOv1Classifier` if `pretrain` has trained it, or a
    `KerasTaskModel` if `from_keras` has made it.

    Args:
        source: checkpoint folder, run folder, run key, name of a published model, of
            one that comes with the package, or of an entry of our zoo manifest, or
            `.weights` file of Darknet
        dataset (None): where to look up a run key
        network (None): of a `.weights` file, which does not name it: a name in
            `architectures.NETWORKS`
        **settings: of `YOLOv1ModelConfig`, of which a classifier has precision and
            runtime, and a `KerasTaskModel` confidence_thresh; with `network`, also
            classes (the 20 of VOC) and those of `NetworkConfig` that differ from the
            network's own

    Raises:
        FileNotFoundError: if there is no such checkpoint or file
        ValueError: if it can't be read, a setting is invalid, or the precision is int8
            and the network has no calibrated export
        TypeError: if an argument has the wrong type
        ImportError: if a package of the runtime is missing
    """
    name = arguments.check_path_or_name("source", source)
    allowed = [*SETTINGS]
    if network is not None:
        allowed += ["classes", *NetworkConfig.names()]
        allowed = [name for name in allowed if name not in ("network", "C")]
    spelling.check_names("setting", settings, allowed)
    if "classes" in settings:
        settings["classes"] = class_names.check(settings["classes"])
    if network is None:
        config = model_sources.find_config(source, dataset)
    else:
        if files.is_folder(name):
            raise ValueError(
                f"network= needs a .weights file of Darknet, got the folder {name!r}"
            )
        darknet_header.read_header(name)
        network_settings = {
            k: v for k, v in settings.items() if k in NetworkConfig.names()
        }
        config = {
            "weights_path": name,
            "settings": {"network": network, **network_settings},
            "classes": settings.get("classes"),
        }
    given = {k: v for k, v in settings.items() if k in SETTINGS}
    task = _task(config)
    if task == run_json.CLASSIFY:
        return YOLOv1Classifier(YOLOv1ClassifierConfig({**config, **given}))
    if task == run_json.KERAS:
        return KerasTaskModel(KerasTaskModelConfig({**config, **given}))
    return YOLOv1Model(YOLOv1ModelConfig({**config, **given}))


def _task(config: dict[str, Any]) -> str:
    """Returns what a model is for: detect, classify or keras."""
    folder = config.get("checkpoint_dir")
    if folder is None:
        return run_json.DETECT
    return run_json.task_of(checkpoint.read_metadata(Path(folder)))

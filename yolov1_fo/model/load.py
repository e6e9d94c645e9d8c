"""load_model(source): a model from wherever it stands."""

import os
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.config import NetworkConfig, arguments, class_names, spelling
from yolov1_fo.datasets import connection
from yolov1_fo.model.settings import SETTINGS, YOLOv1ModelConfig
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.networks import darknet_weights
from yolov1_fo.publishing import resolve


@connection.answering()
def load_model(
    source: str | os.PathLike[str],
    dataset: fo.Dataset | None = None,
    network: str | None = None,
    **settings: Any,
) -> YOLOv1Model:
    """Returns a trained model for `dataset.apply_model(model)`.

    Args:
        source: a checkpoint's folder, a run's folder, a run key, the name of a
            published model or of one of ours in the zoo, or Darknet's `.weights` file
        dataset (None): where to look up a run key
        network (None): of a `.weights` file, which does not say it: a name in
            `architectures.NETWORKS`
        **settings: of `YOLOv1ModelConfig`; with `network`, also classes (VOC's 20) and
            those of `NetworkConfig`, where they are not the network's own

    Raises:
        FileNotFoundError: if there is no such checkpoint or file
        ValueError: if it can't be read, or a setting does not fit
        TypeError: if an argument is of another kind
    """
    name = arguments.path_or_name("source", source)
    known = [*SETTINGS]
    if network is not None:
        known += ["classes"]
        known += [
            name for name in NetworkConfig.names() if name not in ("network", "C")
        ]
    spelling.check("setting", settings, known)
    if "classes" in settings:
        settings["classes"] = class_names.check(settings["classes"])
    if network is None:
        found = resolve.find(source, dataset)
    else:
        if files.is_folder(name):
            raise ValueError(
                f"network= is for Darknet's .weights files, got the folder {name!r}"
            )
        darknet_weights.read_header(name)
        of_network = {k: v for k, v in settings.items() if k in NetworkConfig.names()}
        found = {
            "weights_path": name,
            "settings": {"network": network, **of_network},
            "classes": settings.get("classes"),
        }
    wanted = {k: v for k, v in settings.items() if k in SETTINGS}
    return YOLOv1Model(YOLOv1ModelConfig({**found, **wanted}))

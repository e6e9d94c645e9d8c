"""load_model(source): a model from wherever it stands."""

import os
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import checkpoint, darknet, runs, zoo
from yolov1_fo.architectures import tables
from yolov1_fo.config import NetworkConfig
from yolov1_fo.model import SETTINGS, YOLOv1Model, YOLOv1ModelConfig


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
    """
    known = [*SETTINGS]
    if network is not None:
        known += ["classes", *(set(NetworkConfig.names()) - {"network", "C"})]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(
            f"unknown setting {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    if network is None:
        found = _find(source, dataset)
    else:
        darknet.read_header(source)
        of_network = {k: v for k, v in settings.items() if k in NetworkConfig.names()}
        found = {
            "weights_path": os.fspath(source),
            "settings": {"network": network, **of_network},
            "classes": settings.get("classes"),
        }
    wanted = {k: v for k, v in settings.items() if k in SETTINGS}
    return YOLOv1Model(YOLOv1ModelConfig({**found, **wanted}))


def _find(source: str | os.PathLike[str], dataset: fo.Dataset | None) -> dict[str, Any]:
    """Returns what a config says of a model's source."""
    name = os.fspath(source)
    if dataset is not None and runs.exists(dataset, name):
        source = runs.checkpoint_dir(dataset, name)
    if Path(source).is_dir():
        return {"checkpoint_dir": str(checkpoint.resolve(source))}
    if Path(source).is_file():
        raise ValueError(
            f"'{name}' is a file; for Darknet's weights pass network=, one of "
            f"{', '.join(tables())}"
        )
    published = zoo.published(name)
    if published:
        return {"checkpoint_dir": str(published)}
    if name in zoo.entries():
        return zoo.entries()[name]["default_deployment_config_dict"]["config"]
    if dataset is not None:
        runs.find(dataset, name)  # raises, and says which runs there are
    raise FileNotFoundError(
        f"'{source}' is no checkpoint folder and no model of the zoo; to load a run by "
        "its key, pass dataset="
    )

"""Where a trained model stands, whatever it is called by. It loads no Keras."""

import os
from typing import Any

import fiftyone as fo

from yolov1_fo import files, zoo
from yolov1_fo.architectures import tables
from yolov1_fo.config import arguments
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, registry


def find(source: str | os.PathLike[str], dataset: fo.Dataset | None) -> dict[str, Any]:
    """Returns what a model's config says of where it stands.

    Args:
        source: a checkpoint's folder, a run's folder, a run key, or the name of a
            published model or of one of ours in the zoo
        dataset: where to look up a run key; None knows none

    Raises:
        FileNotFoundError: if there is none
        ValueError: if it is something else
        TypeError: if it is neither a path nor a name
    """
    name = arguments.path_or_name("source", source)
    if dataset is not None:
        fo_samples.check(dataset, "dataset")
    if dataset is not None and registry.exists(dataset, name):
        return _stands_in(registry.checkpoint_dir(dataset, name))
    if files.is_folder(name):
        return _stands_in(name)
    if files.is_file(name):
        raise ValueError(
            f"{name!r} is a file; for Darknet's weights pass network=, one of "
            f"{', '.join(tables())}"
        )
    published = local_zoo.published(name)
    if published:
        return {"checkpoint_dir": str(published)}
    if name in zoo.entries():
        return zoo.entries()[name]["default_deployment_config_dict"]["config"]
    if dataset is not None:
        registry.find(dataset, name)  # raises, and says which runs there are
    raise FileNotFoundError(
        f"{name!r} is no checkpoint folder and no model of the zoo; to load a run by "
        "its key, pass dataset="
    )


def _stands_in(folder: str) -> dict[str, Any]:
    return {"checkpoint_dir": str(checkpoint.resolve(folder))}

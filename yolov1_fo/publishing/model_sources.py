"""Finds a trained model by folder, run key or zoo name. Never imports Keras."""

import os
from typing import Any

import fiftyone as fo

from yolov1_fo import files, pretrained, zoo
from yolov1_fo.architectures import layer_table_networks
from yolov1_fo.config import arguments
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, registry


def find_config(
    source: str | os.PathLike[str], dataset: fo.Dataset | None
) -> dict[str, Any]:
    """Returns the part of a model's config that locates its network.

    Args:
        source: checkpoint folder, run folder, run key, or the name of a published
            model, of one of the package, or of an entry of our zoo manifest
        dataset: where to look up a run key; None looks up none

    Raises:
        FileNotFoundError: if there is no such model
        ValueError: if the source is something else
        TypeError: if it is neither a path nor a name
    """
    name = arguments.check_path_or_name("source", source)
    if dataset is not None:
        fo_samples.check(dataset, "dataset")
    if dataset is not None and registry.exists(dataset, name):
        return _checkpoint_config(registry.existing_folder(dataset, name))
    if files.is_folder(name):
        return _checkpoint_config(name)
    if files.is_file(name):
        raise ValueError(
            f"{name!r} is a file; for Darknet weights pass network=, one of "
            f"{', '.join(layer_table_networks())}"
        )
    published = local_zoo.folder_of(name)
    if published:
        return {"checkpoint_dir": str(published)}
    base_name, _, version = name.partition("@")
    included = pretrained.folder_of(base_name)
    if included and version in ("", zoo.entries()[base_name]["version"]):
        return {"checkpoint_dir": str(included)}
    if name in zoo.entries():
        return zoo.entries()[name]["default_deployment_config_dict"]["config"]
    if dataset is not None:
        registry.find(dataset, name)  # raises an error that lists the runs
    raise FileNotFoundError(
        f"{name!r} is neither a checkpoint folder nor a model of the zoo; to load a "
        "run by its key, pass dataset="
    )


def _checkpoint_config(folder: str) -> dict[str, Any]:
    return {"checkpoint_dir": str(checkpoint.resolve(folder))}

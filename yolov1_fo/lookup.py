"""Where a trained model stands, whatever it is called by. It loads no Keras."""

import os
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import checkpoint, publishing, runs, zoo
from yolov1_fo.architectures import tables


def find(source: str | os.PathLike[str], dataset: fo.Dataset | None) -> dict[str, Any]:
    """Returns what a model's config says of where it stands.

    Args:
        source: a checkpoint's folder, a run's folder, a run key, or the name of a
            published model or of one of ours in the zoo
        dataset: where to look up a run key; None knows none

    Raises:
        FileNotFoundError: if there is none
        ValueError: if it is something else
    """
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
    published = publishing.published(name)
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

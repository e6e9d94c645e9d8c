"""What came from a run: its folder, published models, fields of predictions."""

from pathlib import Path
from typing import NamedTuple

import fiftyone as fo

from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, records, registry


class RunTraces(NamedTuple):
    """What came from a run.

    Attributes:
        folder: of the run; None if it has none
        is_own: whether the folder belongs to the run and is deleted with it
        size: of the files in the folder, in bytes
        published: names of the published models that are copies of its checkpoints
        fields: fields of the dataset that its models have predicted
    """

    folder: Path | None
    is_own: bool
    size: int
    published: list[str]
    fields: list[str]


def find(dataset: fo.Dataset, run_key: str) -> RunTraces:
    """Returns what came from a run.

    Args:
        dataset: with the run
        run_key: its name

    Raises:
        ValueError: if there is no such run
    """
    key = registry.find(dataset, run_key)
    folder = records.folder_of(dataset, key)
    exists = folder is not None and folder.is_dir()
    return RunTraces(
        folder if exists else None,
        registry.is_own(dataset, key),
        _size(folder) if folder is not None and exists else 0,
        _published(dataset, records.original_key(dataset, key)),
        [] if folder is None else _fields(dataset, folder),
    )


def _size(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.is_file())


def _published(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns the published models whose metadata name the run."""
    found = []
    for name in local_zoo.names():
        try:
            metadata = checkpoint.read_metadata(local_zoo.root() / name)
        except (OSError, ValueError):
            continue
        if (metadata.get("dataset"), metadata.get("run_key")) == (
            dataset.name,
            run_key,
        ):
            found.append(name)
    return found


def _fields(dataset: fo.Dataset, folder: Path) -> list[str]:
    """Returns the fields of samples and frames that the run's models have predicted."""
    root = fiftyone_private.root_dataset(dataset)
    names = [*root.get_field_schema()]
    names += [f"frames.{name}" for name in root.get_frame_field_schema() or {}]
    return [
        name
        for name in names
        if any(
            model.get("run_folder") == str(folder)
            for model in predicted_by.read(root, name)
        )
    ]

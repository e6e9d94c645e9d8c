"""Which models have written a field of predictions, kept in the field's `info`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo.datasets import schema

KEY = "yolov1_fo_models"
"""Key in the field's `info`."""


def record(
    dataset: fo.Dataset, path: str, model: dict[str, Any], *, replaces: bool
) -> None:
    """Adds a model to those that have written a field, as the latest.

    Args:
        dataset: the dataset
        path: of the field
        model: its name, as `model`, and what else is known, as JSON
        replaces: whether no prediction of other models is left
    """
    field = schema.current_field(dataset, path)
    if field is None:
        return
    others = [] if replaces else [one for one in _read(field) if one != model]
    field.info = {**(field.info or {}), KEY: [*others, model]}
    field.save()


def read(dataset: fo.Dataset, path: str) -> list[dict[str, Any]]:
    """Returns the models that have written a field, the latest last.

    None are known if FiftyOne's `apply_model` has written it.
    """
    field = schema.current_field(dataset, path)
    return [] if field is None else _read(field)


def fields_of(dataset: fo.Dataset, run_folder: Path) -> list[str]:
    """Returns the fields whose latest predictions are those of a run.

    Args:
        dataset: the dataset
        run_folder: folder of the run
    """
    return [
        name
        for name, field in _fields(dataset)
        if (models := _read(field)) and models[-1].get("run_folder") == str(run_folder)
    ]


def rename(dataset: fo.Dataset, run_folder: Path, name: str) -> None:
    """Changes the name of a run in the fields that it has written.

    Args:
        dataset: the dataset
        run_folder: folder of the run
        name: the new name
    """
    for _, field in _fields(dataset):
        models = _read(field)
        changed = [
            {**one, "model": name} if one.get("run_folder") == str(run_folder) else one
            for one in models
        ]
        if changed != models:
            field.info = {**field.info, KEY: changed}
            field.save()


def _fields(dataset: fo.Dataset) -> Iterator[tuple[str, Any]]:
    """Yields path and field of samples and of frames."""
    yield from dataset.get_field_schema().items()
    for name, field in (dataset.get_frame_field_schema() or {}).items():
        yield f"frames.{name}", field


def _read(field: Any) -> list[dict[str, Any]]:
    stored = (field.info or {}).get(KEY)
    models = stored if isinstance(stored, list) else []
    return [dict(one) for one in models if isinstance(one, dict)]

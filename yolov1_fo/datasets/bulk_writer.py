"""Writes the values of many samples in bulk."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples

WRITE_EVERY = 1000
"""Number of values that are written at a time."""


class Target(NamedTuple):
    """Where values are written.

    Attributes:
        samples: the dataset or view
        path: of the field
        key_field: field of the ids by which values are given
    """

    samples: fo_samples.Samples
    path: str
    key_field: str = "id"

    def write(self, values: dict[str, Any], *, is_raw: bool) -> None:
        """Writes values.

        Args:
            values: by id; of a video, by frame number
            is_raw: whether they are already as stored in the database
        """
        self.samples.set_values(
            self.path,
            values,
            key_field=self.key_field,
            dynamic=not is_raw,
            expand_schema=not is_raw,
            validate=not is_raw,
            progress=False,
        )


class BulkWriter:
    """Collects the values of a field and writes them in bulk.

    As a context manager it writes what is left at the end, also after an error, unless
    the database failed.

    Args:
        targets: where each value is written
        is_raw: whether values are already as stored in the database
    """

    def __init__(self, targets: Sequence[Target], *, is_raw: bool) -> None:
        self.targets, self.is_raw = targets, is_raw
        self.pending: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        if error is None or not issubclass(error, connection.ERRORS):
            self.flush()

    def add(self, sample_id: str, value: Any) -> None:
        """Adds the value of a sample, or of a frame of a frames view."""
        self.pending[sample_id] = value
        if len(self.pending) >= WRITE_EVERY:
            self.flush()

    def flush(self) -> None:
        """Writes the collected values."""
        values, self.pending = self.pending, {}
        if not values:
            return
        self.declare()
        for target in self.targets:
            target.write(values, is_raw=self.is_raw)

    def declare(self) -> None:
        """Prepares the field, before values are written."""

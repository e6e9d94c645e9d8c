"""The files of samples: their `filepath`, or a field with other paths or URLs.

The open-source FiftyOne makes a local path of each `filepath`, so that URLs of object
storage are kept in a field of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone.core.fields as fof

from yolov1_fo.config import arguments
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.image_files import remote

FILEPATH = "filepath"


def default(samples: fo_samples.Samples, settings: Mapping[str, Any]) -> str:
    """Returns the field that a network was trained with, if the samples have it.

    Args:
        samples: a checked collection
        settings: of the training, or of an untrained network
    """
    trained = settings.get("media_field", FILEPATH)
    return trained if samples.get_field(trained) is not None else FILEPATH


def check(samples: fo_samples.Samples, media_field: str) -> fo_samples.Samples:
    """Returns the collection that has the field: the samples, or all of the dataset.

    Args:
        samples: a checked collection
        media_field: filepath, or another field of strings

    Raises:
        TypeError: if it is not a string
        ValueError: if there is no such field of strings
    """
    arguments.check_string("media_field", media_field)
    source = samples
    if samples.get_field(media_field) is None:
        source = fo_samples.all_samples(samples)
    found = source.get_field(media_field)
    if isinstance(found, fof.StringField) and "." not in media_field:
        return source
    fault = "is not there" if found is None else "must hold strings"
    raise ValueError(
        f"{described(samples, media_field)} {fault}; fields with strings: "
        f"{', '.join(fields(source)) or 'none'}"
    )


def fields(samples: fo_samples.Samples) -> list[str]:
    """Returns the fields of strings, filepath among them."""
    schema = samples.get_field_schema()
    return sorted(n for n, one in schema.items() if isinstance(one, fof.StringField))


def read(
    samples: fo_samples.Samples, media_field: str, ids: Sequence[str]
) -> list[str]:
    """Returns the files of some samples.

    A field that the view excludes is read from the dataset.

    Args:
        samples: a checked collection
        media_field: filepath, or another field of strings
        ids: of samples, in the order of the result

    Raises:
        TypeError: if the field's name is not a string
        ValueError: if there is no such field of strings, or a value is missing, or a
            URL holds a password
        ImportError: if a package is missing that URLs need
    """
    source = check(samples, media_field)
    if source is not samples:
        source = source.select(list(ids))
    found, values = source.values(["id", media_field])
    by_id = dict(zip(found, values, strict=True))
    files = [by_id[sample_id] for sample_id in ids]
    missing = sum(not file for file in files)
    check_complete(described(samples, media_field), missing, len(files))
    check_files(files)
    return [absolute(file) for file in files]


def check_complete(where: str, missing: int, count: int) -> None:
    """Raises a ValueError if samples have no file.

    Args:
        where: the field and its collection, from `described`
        missing: number of samples without a file
        count: number of samples
    """
    if missing:
        raise ValueError(
            f"{where} must be set on all samples; it is not on {missing} of {count}"
        )


def check_files(files: Iterable[str]) -> None:
    """Raises an error if a URL can't be read.

    Raises:
        ValueError: if a URL holds a password
        ImportError: if a package is missing that URLs need
    """
    for file in filter(remote.is_remote, files):
        remote.check(file)


def absolute(file: str) -> str:
    """Returns a path without the working directory, or a URL as it is."""
    return file if remote.is_remote(file) else str(Path(file).absolute())


def described(samples: fo_samples.Samples, media_field: str) -> str:
    """Returns a field and its collection, for error messages."""
    return f"media_field '{media_field}' on {fo_samples.name(samples)}"

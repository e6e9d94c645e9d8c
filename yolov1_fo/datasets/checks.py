"""What a FiftyOne collection must hold, and the errors that name what it lacks."""

import shutil
from typing import Any

import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.core.media as fomm

from yolov1_fo.config import arguments
from yolov1_fo.datasets import samples as fo_samples


def check_images(samples: fo_samples.Samples) -> None:
    """Raises a ValueError unless the collection holds images, and at least one."""
    what = fo_samples.name(samples)
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
    if fo_samples.is_empty(samples):
        raise ValueError(f"{what} has no samples")
    if samples.media_type != fomm.IMAGE:
        raise ValueError(
            f"{what} must hold images, got {samples.media_type}{_slices(samples)}"
        )


def _slices(samples: fo_samples.Samples) -> str:
    """Returns which slices of a grouped dataset hold images, as an error's end."""
    root = samples._root_dataset
    if root.media_type != fomm.GROUP:
        return ""
    kinds = root.group_media_types.items()
    fit = [name for name, kind in kinds if kind == fomm.IMAGE]
    return f"; slices that hold images: {', '.join(fit) or 'none'}"


def _check_sampled(samples: fo_samples.Samples, what: str) -> None:
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


def check_videos(samples: fo_samples.Samples) -> None:
    """Raises an error unless the collection holds videos that can be read here.

    Raises:
        ValueError: if it shows clips, or has no samples
        OSError: if ffmpeg is missing
    """
    what = fo_samples.name(samples)
    if getattr(samples, "_is_clips", False):
        raise ValueError(f"{what} shows clips; pass the videos that they come from")
    if fo_samples.is_empty(samples):
        raise ValueError(f"{what} has no samples")
    missing = [tool for tool in ("ffmpeg", "ffprobe") if not shutil.which(tool)]
    if missing:
        raise OSError(f"videos need {' and '.join(missing)}, not installed here")


def check_detections(samples: fo_samples.Samples, field: str, argument: str) -> None:
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
            f"{argument} {field!r} on {fo_samples.name(samples)} must hold Detections, "
            f"got {kind}; fields with Detections: {has}"
        )
    raise ValueError(
        f"{argument} {field!r} is not on {fo_samples.name(samples)}; "
        f"fields with Detections: {has}"
    )


def _schema(samples: fo_samples.Samples) -> dict[str, Any]:
    """Returns all fields by name, those of a video's frames as `frames.<name>`."""
    frames = samples.get_frame_field_schema() or {}
    of_frames = {f"frames.{name}": field for name, field in frames.items()}
    return {**samples.get_field_schema(), **of_frames}


def _is_detections(field: Any) -> bool:
    return isinstance(field, fof.EmbeddedDocumentField) and issubclass(
        field.document_type, fol.Detections
    )


def check_labelled(samples: fo_samples.Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless the collection holds images with Detections.

    Args:
        samples: a dataset or view
        field: its field
        argument: how the caller calls the field
    """
    check_images(samples)
    check_detections(samples, field, argument)


def check_classified(samples: fo_samples.Samples, field: str, argument: str) -> None:
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
        f"{argument} {field!r} on {fo_samples.name(samples)} {what}; fields with "
        f"classifications: {has}"
    )


_CLASSIFIED = {
    fol.Classification: "label",
    fol.Classifications: "classifications.label",
}


def _kind(field: Any) -> Any:
    return getattr(field, "document_type", None)


def is_classified(samples: fo_samples.Samples, field: str) -> bool:
    """Returns whether a checked field holds classifications, not Detections."""
    return _kind(_schema(samples)[field]) in _CLASSIFIED


def label_path(samples: fo_samples.Samples, field: str) -> str:
    """Returns where the labels of a checked field stand."""
    kind = _kind(_schema(samples)[field])
    return f"{field}.{_CLASSIFIED.get(kind, 'detections.label')}"

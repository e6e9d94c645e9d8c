"""Checks of a FiftyOne collection's media and fields."""

import shutil
from typing import Any

import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.core.media as fomm
from fiftyone.core.clips import ClipsView
from fiftyone.core.patches import EvaluationPatchesView, PatchesView

from yolov1_fo.config import arguments
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets import samples as fo_samples


def check_images(samples: fo_samples.Samples) -> None:
    """Raises a ValueError unless the collection holds images, and at least one."""
    what = fo_samples.name(samples)
    if samples.media_type == fomm.GROUP:
        raise ValueError(
            f"{what} is grouped; select one slice: samples.select_group_slices(...)"
        )
    if fo_samples.is_frames_view(samples):
        _check_sampled(samples, what)
    if samples.media_type == fomm.VIDEO:
        raise ValueError(
            f"{what} holds videos; turn them into images: "
            f"samples.to_frames(sample_frames=True){_image_slices(samples)}"
        )
    if isinstance(samples, PatchesView | EvaluationPatchesView):
        raise ValueError(f"{what} shows patches; pass the samples that they come from")
    if fo_samples.is_empty(samples):
        raise ValueError(f"{what} has no samples")
    if samples.media_type != fomm.IMAGE:
        raise ValueError(
            f"{what} must hold images, got {samples.media_type}{_image_slices(samples)}"
        )


def _image_slices(samples: fo_samples.Samples) -> str:
    """Returns which slices of a grouped dataset hold images, as the end of an error."""
    root = fiftyone_private.root_dataset(samples)
    if root.media_type != fomm.GROUP:
        return ""
    media_types = root.group_media_types.items()
    usable = [name for name, kind in media_types if kind == fomm.IMAGE]
    return f"; slices that hold images: {', '.join(usable) or 'none'}"


def _check_sampled(frames: fo_samples.Samples, what: str) -> None:
    """Raises a ValueError unless each frame of a frames view has an image file."""
    first = frames.limit(1).values("filepath")
    if not first and not len(fo_samples.all_samples(frames)):
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
    """Raises an error unless the collection holds videos that can be read.

    Raises:
        ValueError: if it shows clips, or has no samples
        OSError: if ffmpeg is missing
    """
    what = fo_samples.name(samples)
    if isinstance(samples, ClipsView):
        raise ValueError(f"{what} shows clips; pass the videos that they come from")
    if fo_samples.is_empty(samples):
        raise ValueError(f"{what} has no samples")
    missing = [tool for tool in ("ffmpeg", "ffprobe") if not shutil.which(tool)]
    if missing:
        raise OSError(f"videos need {' and '.join(missing)}, not installed here")


def check_images_or_videos(samples: fo_samples.Samples) -> None:
    """Raises an error unless the collection holds images, or videos that can be read.

    Raises:
        ValueError: as `check_images` or `check_videos`
        OSError: as `check_videos`
    """
    if samples.media_type == fomm.VIDEO:
        check_videos(samples)
    else:
        check_images(samples)


def check_detections(samples: fo_samples.Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless `field` holds Detections.

    Args:
        samples: a checked collection
        field: its field
        argument: the name of the argument that names the field
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
    """Returns all fields by name; frame fields as `frames.<name>`."""
    frames = samples.get_frame_field_schema() or {}
    frame_fields = {f"frames.{name}": field for name, field in frames.items()}
    return {**samples.get_field_schema(), **frame_fields}


def _is_detections(field: Any) -> bool:
    return isinstance(field, fof.EmbeddedDocumentField) and issubclass(
        field.document_type, fol.Detections
    )


def check_labeled(samples: fo_samples.Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless the collection holds images with Detections.

    Args:
        samples: a dataset or view
        field: its field
        argument: the name of the argument that names the field
    """
    check_images(samples)
    check_detections(samples, field, argument)


def check_classified(samples: fo_samples.Samples, field: str, argument: str) -> None:
    """Raises a ValueError unless the collection holds images with classifications.

    Args:
        samples: a dataset or view
        field: its field
        argument: the name of the argument that names the field
    """
    check_images(samples)
    arguments.check_string(argument, field)
    schema = _schema(samples)
    usable = sorted(name for name, one in schema.items() if _kind(one) in _CLASSIFIED)
    if field in usable:
        return
    has = ", ".join(usable) or "none"
    where = fo_samples.name(samples)
    if field in schema:
        raise ValueError(
            f"{argument} {field!r} on {where} must hold Classifications; fields with "
            f"classifications: {has}"
        )
    raise ValueError(
        f"{argument} {field!r} is not on {where}; fields with classifications: {has}"
    )


_CLASSIFIED = {
    fol.Classification: "label",
    fol.Classifications: "classifications.label",
}
"""Label types of the classifier, and the path of their labels."""


def _kind(field: Any) -> Any:
    return getattr(field, "document_type", None)


def is_classified(samples: fo_samples.Samples, field: str) -> bool:
    """Returns whether a checked field holds classifications, not Detections."""
    return _kind(_schema(samples)[field]) in _CLASSIFIED


def label_path(samples: fo_samples.Samples, field: str) -> str:
    """Returns the path of the labels of a checked field."""
    kind = _kind(_schema(samples)[field])
    return f"{field}.{_CLASSIFIED.get(kind, 'detections.label')}"

"""Fields for the labels of models of others: always new ones, so nothing is lost."""

from yolov1_fo.datasets import checks, fiftyone_private, schema
from yolov1_fo.datasets import samples as fo_samples


def check(samples: fo_samples.Samples, field: str, argument: str) -> None:
    """Raises an error unless labels of images can be written to a new field.

    Args:
        samples: the collection
        field: the name of the field
        argument: the name of the argument that names it

    Raises:
        TypeError: if the name is not a string
        ValueError: if it is not valid, the field exists, or the samples are no images
    """
    checks.check_images(samples)
    what = fo_samples.name(samples)
    if fo_samples.is_frames_view(samples):
        raise ValueError(
            f"{what} shows frames of videos; this model is for images: view.clone() "
            "makes a dataset of them"
        )
    if not isinstance(field, str):
        raise TypeError(f"{argument} must be the name of a field, got {field!r}")
    if schema.current_field(fiftyone_private.root_dataset(samples), field) is not None:
        raise ValueError(
            f"{argument} '{field}' on {what} exists; labels of this model are written "
            "to new fields only: choose another name"
        )
    schema.check_new_field(field, argument)

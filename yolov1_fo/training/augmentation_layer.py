"""A user's own augmentation: Keras layers that transform images with bounding boxes.

They run in the training step, before the augmentation of the settings. Each training
makes them anew from their `get_config`, so that their random state begins with the
training and belongs to it.
"""

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from yolov1_fo import augment
from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks.keras_settings import fixed_settings

Layers = Any
"""A Keras layer, or a list of layers."""

FORMAT, OURS = "xyxy", "rel_xyxy"
"""Format of layers without one, the only one in which all of Keras' move boxes right
(3.15); format of our boxes.
"""
WITHOUT_BOXES = ("AugMix", "CutMix", "MixUp", "RandomCrop", "RandomElasticTransform")
"""Layers of Keras (3.15) that do not move the boxes as they move the image."""


def check_layers(augmentation: Layers | None) -> tuple[keras.layers.Layer, ...]:
    """Returns a user's augmentation as layers, those of `keras.layers.Pipeline` apart.

    Raises:
        TypeError: if one is not a layer, or Keras does not move boxes in it
    """
    if augmentation is None:
        return ()
    is_list = isinstance(augmentation, list | tuple)
    layers: list[keras.layers.Layer] = []
    for one in augmentation if is_list else [augmentation]:
        if isinstance(one, keras.layers.Pipeline):
            layers += check_layers(list(one.layers))
            continue
        kind = type(one).__name__
        if not isinstance(one, keras.layers.Layer):
            got = f"the class {one.__name__}" if isinstance(one, type) else f"a {kind}"
            raise TypeError(
                f"augmentation must be a Keras layer or a list of layers, got {got}"
            )
        if _is_of_keras(one) and kind in WITHOUT_BOXES:
            raise TypeError(
                f"augmentation {kind} does not move bounding boxes with the image; "
                "use another layer"
            )
        layers.append(one)
    return tuple(layers)


def check_works(layers: Sequence[keras.layers.Layer], config: TrainConfig) -> None:
    """Raises a TypeError unless layers can be made anew, and transform a batch."""
    if not layers:
        return
    made, size = build(layers, config.seed), config.image_size
    images = np.full((2, size, size, 3), 127, np.uint8)
    boxes = np.full((2, 3, 4), [0.25, 0.25, 0.75, 0.75], np.float32)
    class_ids = np.array([[0, 0, -1], [-1, -1, -1]], np.int32)
    _apply(made.layers, *map(ops.convert_to_tensor, (images, boxes, class_ids)))


def described(layers: Sequence[keras.layers.Layer]) -> list[dict[str, Any]]:
    """Returns layers as JSON: their classes and configurations, without their names."""
    return [_without_names(_serialized(layer)) for layer in layers]


def _serialized(layer: keras.layers.Layer) -> dict[str, Any]:
    try:
        return keras.saving.serialize_keras_object(layer)
    except Exception as error:
        raise TypeError(
            f"augmentation {type(layer).__name__} must have a get_config: "
            f"{_first_line(error)}"
        ) from error


def _without_names(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_names(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if isinstance(value.get("config"), dict) and "class_name" in value:
        config = {k: v for k, v in value["config"].items() if k != "name"}
        return {"class_name": value["class_name"], "config": _without_names(config)}
    return {key: _without_names(one) for key, one in value.items()}


def build(layers: Sequence[keras.layers.Layer], seed: int) -> "AugmentationLayer":
    """Returns new layers with the same configurations as one layer.

    Args:
        layers: from `check_layers`
        seed: of the run, from which layers without a seed get theirs

    Raises:
        TypeError: if a layer can't be made from its `get_config`
    """
    with fixed_settings():
        made = [_remade(one, seed + number) for number, one in enumerate(layers)]
        return AugmentationLayer(made)


def _remade(layer: keras.layers.Layer, seed: int) -> keras.layers.Layer:
    kind = type(layer).__name__
    _serialized(layer)
    try:
        config = layer.get_config()
        if "seed" in config and config["seed"] is None:
            config["seed"] = seed
        if hasattr(layer, "bounding_box_format"):
            given = layer.bounding_box_format
            config["bounding_box_format"] = (
                FORMAT if _is_of_keras(layer) or given is None else given
            )
        return type(layer).from_config(config)
    except Exception as error:
        raise TypeError(
            f"augmentation {kind} can't be made from its get_config: "
            f"{_first_line(error)}"
        ) from error


def _is_of_keras(layer: keras.layers.Layer) -> bool:
    return type(layer).__module__.partition(".")[0] == "keras"


def _first_line(error: Exception) -> str:
    """Returns an error in one line, without what Keras writes around it."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception enc")]
    is_said = lines and not lines[0].startswith("Arguments received")
    return f"{type(error).__name__}{': ' + lines[0] if is_said else ''}"


class AugmentationLayer(keras.layers.Layer):
    """A user's layers, one after the other, with our boxes.

    Args:
        layers: that transform a dictionary of images and bounding boxes
    """

    def __init__(self, layers: Sequence[keras.layers.Layer]) -> None:
        super().__init__(dtype="float32", name="augmentation", trainable=False)
        self.layers = list(layers)
        self.built = True  # else Keras warns of the learner's unbuilt state, on JAX

    def call(
        self, images: Array, boxes: Array, class_ids: Array
    ) -> tuple[Array, Array, Array]:
        """Returns the transformed images with their boxes.

        Args:
            images: (N, H, W, 3) in [0, 255]
            boxes: (N, M, 4) xyxy, relative
            class_ids: (N, M) ints; -1 = no object

        Returns:
            images (N, H', W', 3) float32; boxes (N, M', 4) clipped to the new image;
            class ids (N, M') int32, -1 also for dropped objects
        """
        return _apply(self.layers, images, boxes, class_ids)


def _apply(
    layers: Sequence[keras.layers.Layer], images: Array, boxes: Array, class_ids: Array
) -> tuple[Array, Array, Array]:
    images = ops.cast(images, "float32")
    for layer in layers:
        images, boxes, class_ids = _transformed(layer, images, boxes, class_ids)
        boxes, class_ids = _dropped(boxes, class_ids)
    return images, boxes, class_ids


def _transformed(
    layer: keras.layers.Layer, images: Array, boxes: Array, class_ids: Array
) -> tuple[Array, Array, Array]:
    kind = type(layer).__name__
    convert = keras.utils.bounding_boxes.convert_format
    form = getattr(layer, "bounding_box_format", None) or FORMAT
    height, width = images.shape[1:3]
    try:
        boxes = convert(boxes, source=OURS, target=form, height=height, width=width)
        found = {"boxes": boxes, "labels": class_ids}
        data = layer({"images": images, "bounding_boxes": found}, training=True)
        images = ops.cast(data["images"], "float32")
        boxes, labels = (data["bounding_boxes"][key] for key in ("boxes", "labels"))
        shapes = [tuple(x.shape)[1:] for x in (images, boxes, labels)]
    except Exception as error:
        raise TypeError(
            f"augmentation {kind} must transform images with bounding boxes, got "
            f"{_first_line(error)}"
        ) from error
    if len(shapes[0]) != 3 or None in shapes[0] or shapes[1] != (*shapes[2], 4):
        raise TypeError(
            f"augmentation {kind} must return images (N, H, W, 3), boxes (N, M, 4) and "
            f"labels (N, M), got {', '.join(str(('N', *one)) for one in shapes)}"
        )
    height, width = images.shape[1:3]
    boxes = convert(boxes, source=form, target=OURS, height=height, width=width)
    return images, boxes, ops.cast(labels, "int32")


def _dropped(boxes: Array, class_ids: Array) -> tuple[Array, Array]:
    """Clips boxes to the image; those left too small are no objects."""
    boxes = _boxes.clip(boxes)
    sides = boxes[..., 2:] - boxes[..., :2]
    is_kept = ops.all(sides >= augment.MIN_BOX_SIZE, axis=-1)
    is_kept = ops.logical_and(is_kept, class_ids >= 0)
    boxes = ops.where(is_kept[..., None], boxes, 0.0)
    return boxes, ops.where(is_kept, class_ids, -1)

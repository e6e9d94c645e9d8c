"""Images as a network of somebody else wants them, and where they lie in its input."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.image_files import resizing
from yolov1_fo.model import image_model

WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The window of an image that is stretched."""

Size = tuple[int, int]
"""Height and width in pixels."""


class Preprocessing:
    """Turns images into the input of a network.

    Images are resized and scaled by KerasHub's preprocessor, if the network has one.
    Else they are stretched to the network's size, with pixels in [0, 255], for the
    given function.

    Args:
        network: a Keras model
        function (None): of a batch (N, H, W, 3) float32 in [0, 255], such as
            `keras.applications.resnet50.preprocess_input`; None leaves it as it is
        size (None): of the input, where network and preprocessor leave it open

    Attributes:
        size: of the input
        function: the argument

    Raises:
        ValueError: if the size is not known, differs from that of the network, or there
            are two ways of preprocessing
    """

    def __init__(
        self,
        network: keras.Model,
        function: Callable[[Any], Any] | None = None,
        size: Size | None = None,
    ) -> None:
        self._converter = image_converter(network)
        self._task_preprocessor: Any = getattr(network, "preprocessor", None)
        self.function = function
        if self._converter is not None and function is not None:
            raise ValueError(
                f"'{network.name}' has a preprocessor; preprocess= is for networks "
                "without"
            )
        self.size = self._find_size(network, size)

    def _find_size(self, network: keras.Model, size: Size | None) -> Size:
        of_network = tuple(network.inputs[0].shape[1:3])
        of_converter = getattr(self._converter, "image_size", None)
        known = [one for one in (size, of_converter, of_network) if one and all(one)]
        if not known:
            raise ValueError(
                f"'{network.name}' takes images of any size; image_size= is needed"
            )
        for got in known:
            if tuple(got) != tuple(known[-1]):
                raise ValueError(
                    f"'{network.name}' takes images of {known[-1][0]} x {known[-1][1]} "
                    f"px, got {got[0]} x {got[1]}"
                )
        return known[0][0], known[0][1]

    def __call__(self, image: Array) -> Array:
        """Returns the input for an image: (H, W, 3) float32.

        Args:
            image: (H, W, 3) uint8 RGB

        Raises:
            ValueError: if it is something else
        """
        image_model.check_rgb(image)
        pixels = image.astype(np.float32)
        if self._converter is None:
            pixels = resizing.stretch(image, self.size).astype(np.float32)
            if self.function is None:
                return pixels
            return np.asarray(self.function(pixels[None].copy()), np.float32)[0]
        if self._converter.image_size is None:
            pixels = resizing.stretch(image, self.size).astype(np.float32)
        return np.asarray(self._task_preprocessor(pixels), np.float32)

    def window(self, size: Size) -> tuple[float, float, float, float]:
        """Returns the part of an image that the network's input shows.

        Args:
            size: of the image

        Returns:
            xyxy relative to the image; beyond [0, 1] where the image is padded, within
            where it is cropped
        """
        converter = self._converter
        if converter is None or converter.image_size is None:
            return WHOLE
        ratios = [wanted / got for wanted, got in zip(self.size, size, strict=True)]
        if converter.pad_to_aspect_ratio:
            scale = min(ratios)
        elif converter.crop_to_aspect_ratio:
            scale = max(ratios)
        else:
            return WHOLE
        height, width = (ratio / scale for ratio in ratios)
        return (1 - width) / 2, (1 - height) / 2, (1 + width) / 2, (1 + height) / 2


def image_converter(network: keras.Model) -> Any:
    """Returns KerasHub's image converter of a network; None if it has none."""
    return getattr(getattr(network, "preprocessor", None), "image_converter", None)


def boxes_in_image(boxes: Array, window: Array) -> Array:
    """Returns boxes of the input in coordinates of the image, not clipped.

    Args:
        boxes: (K, 4) xyxy relative to the input
        window: of `Preprocessing.window`

    Example:
        >>> boxes_in_image(np.array([[0, 0.25, 1, 0.75]]), (0, -0.5, 1, 1.5))
        array([[0., 0., 1., 1.]])
    """
    low, high = np.array(window[:2] * 2), np.array(window[2:] * 2)
    return low + np.asarray(boxes, float) * (high - low)


def mask_in_image(mask: Array, window: Array, size: Size) -> Array:
    """Returns a mask of the input as one of the image: nearest pixels, 0 outside.

    Args:
        mask: (h, w) integers
        window: of `Preprocessing.window`
        size: of the image

    Returns:
        (H, W) integers

    Example:
        >>> mask_in_image(np.array([[1, 2]]), (-0.5, 0, 1.5, 1), (1, 4))
        array([[1, 1, 2, 2]])
        >>> mask_in_image(np.array([[1, 2]]), (0.25, 0, 0.75, 1), (1, 4))
        array([[0, 1, 2, 0]])
    """
    places = []
    for axis in (0, 1):
        low, high = window[1 - axis], window[3 - axis]
        centers = (np.arange(size[axis]) + 0.5) / size[axis]
        places.append(np.floor((centers - low) / (high - low) * mask.shape[axis]))
    inside = [
        (place >= 0) & (place < count)
        for place, count in zip(places, mask.shape, strict=True)
    ]
    rows, columns = (
        np.clip(place, 0, count - 1).astype(int)
        for place, count in zip(places, mask.shape, strict=True)
    )
    found = mask[rows[:, None], columns[None]]
    return np.where(inside[0][:, None] & inside[1][None], found, 0)

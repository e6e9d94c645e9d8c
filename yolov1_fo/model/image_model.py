"""ImageModel: what FiftyOne expects of a model for images."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import fiftyone.core.labels as fol
import fiftyone.core.models as fom
import numpy as np

from yolov1_fo.boxes import Array

logger = logging.getLogger(__name__)

_PIXEL = np.zeros((1, 1, 3), np.uint8)


class ImageModel(fom.EmbeddingsMixin, fom.Model, ABC):
    """Applies a network to images of any sizes; a subclass knows the network."""

    config: Any = None
    """Settings that FiftyOne may change; a subclass may have some."""

    def __init__(self) -> None:
        self._preprocess = True
        self._last_pixels: Array | None = None
        self._warnings: set[str] = set()

    @property
    def media_type(self) -> str:
        """The media type of its samples."""
        return "image"

    @property
    def ragged_batches(self) -> bool:
        """False: a batch may hold images of any sizes."""
        return False

    @property
    def transforms(self) -> None:
        """None: the model resizes by itself."""
        return

    @property
    def preprocess(self) -> bool:
        """Whether images are resized; if False they must have the network's size."""
        return self._preprocess

    @preprocess.setter
    def preprocess(self, value: bool) -> None:
        self._preprocess = value

    def predict(self, arg: Array) -> fol.Label:
        """Returns the label of one image.

        Args:
            arg: (H, W, 3) uint8 RGB
        """
        return self.predict_all([arg])[0]

    @abstractmethod
    def predict_all(self, args: Sequence[Array]) -> list[fol.Label]:
        """Returns the label of each image, with one forward pass.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
        """

    @abstractmethod
    def prepared(self, args: Sequence[Array]) -> Array:
        """Returns images as a batch for the network.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes

        Raises:
            ValueError: if one has the wrong shape or type
        """

    @abstractmethod
    def embed_pixels(self, pixels: Array) -> Array:
        """Returns the embeddings of a batch: (N, channels) float32.

        Args:
            pixels: from `prepared`

        Raises:
            ValueError: if the model has no embeddings
        """

    def embed(self, arg: Array) -> Array:
        """Returns the embedding of one image: (channels,).

        Args:
            arg: (H, W, 3) uint8 RGB
        """
        return self.embed_all([arg])[0]

    def embed_all(self, args: Sequence[Array]) -> Array:
        """Returns the embedding of each image: (N, channels) float32.

        FiftyOne crops empty patches from boxes narrower than a pixel: their embeddings
        are 0, so that the other patches of a sample keep theirs.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
        """
        patches = [np.asarray(image) for image in args]
        empty = [self._preprocess and not image.size for image in patches]
        self._last_pixels = self.prepared(
            [_PIXEL if no else image for no, image in zip(empty, patches, strict=True)]
        )
        embeddings = self.get_embeddings()
        if any(empty):
            embeddings[empty] = 0
            self.warn_once("the embedding of an empty patch is 0")
        return embeddings

    def get_embeddings(self) -> Array:
        """Returns the embeddings of the last images: (N, channels) float32.

        Raises:
            ValueError: if the model has no features, or was not applied yet
        """
        if not self.has_embeddings or self._last_pixels is None:
            raise ValueError(
                "embeddings need a model with features, applied to images before"
            )
        return self.embed_pixels(self._last_pixels)

    def warn_once(self, message: str) -> None:
        """Logs a warning, only once per model."""
        if message not in self._warnings:
            self._warnings.add(message)
            logger.warning("%s", message)

    @property
    def warnings(self) -> frozenset[str]:
        """What the model has warned of."""
        return frozenset(self._warnings)


def check_pixels(image: Array) -> None:
    """Raises a TypeError if an image is the path of one."""
    if image.ndim == 0:
        raise TypeError(
            f"a model predicts pixels, got {image.item()!r}; read the file first, for "
            "example with PIL.Image.open"
        )


def check_rgb(image: Array) -> None:
    """Raises an error unless an image is (H, W, 3) uint8 of at least one pixel.

    Raises:
        TypeError: if it is the path of a file
        ValueError: if it has another shape or type
    """
    check_pixels(image)
    is_rgb = image.ndim == 3 and image.shape[-1] == 3 and image.dtype == np.uint8
    if not is_rgb or not image.size:
        raise ValueError(
            f"an image must be (H, W, 3) uint8 RGB of at least one pixel, got "
            f"{image.shape} {image.dtype}"
        )

"""KerasImageModel: any Keras network on images as a model of FiftyOne.

FiftyOne brings such a class for PyTorch's networks, and none for Keras'.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import fiftyone.core.labels as fol
import fiftyone.core.models as fom
import keras
import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.forward import EMBEDDINGS, Forward


class KerasImageModel(fom.EmbeddingsMixin, fom.Model):
    """Applies a network to images; a subclass says what its output means.

    Images of any sizes stand in one batch: each is resized to the network's side. The
    weights are those of the first call in a precision.

    Args:
        network: a functional model with one output, from (N, side, side, 3) float32 RGB
            in [0, 1]
        features (None): a tensor of the network, (N, height, width, channels) or
            (N, channels): its mean over the image is the embedding; without it the
            model has none

    Attributes:
        network: the Keras graph
        side: of the input, in pixels

    Example:
        >>> class Brightness(KerasImageModel):
        ...     def labels_of(self, outputs):
        ...         return [fol.Regression(value=float(one[0])) for one in outputs]
        >>> image = keras.Input((8, 8, 3))
        >>> mean = keras.layers.GlobalAveragePooling2D()(image)
        >>> model = Brightness(keras.Model(image, mean))
        >>> model.predict(np.full((20, 30, 3), 255, np.uint8)).value
        1.0
    """

    def __init__(self, network: keras.Model, features: Any = None) -> None:
        self.network = network
        self.side: int = network.input_shape[1]
        self._features = features
        self._preprocess = True
        self._passes: dict[str, Forward] = {}
        self._seen: Array | None = None

    @abstractmethod
    def labels_of(self, outputs: Array) -> list[fol.Label]:
        """Returns what the network says of each image as FiftyOne's labels.

        Args:
            outputs: (N, ...) float32 from `forward`
        """

    @property
    def precision(self) -> str | None:
        """What the network computes in, as `Forward` takes it; None is its own."""
        return None

    @property
    def media_type(self) -> str:
        """What it works on."""
        return "image"

    @property
    def ragged_batches(self) -> bool:
        """False: images of any sizes stand in one batch."""
        return False

    @property
    def transforms(self) -> None:
        """None: the model resizes by itself."""
        return

    @property
    def preprocess(self) -> bool:
        """Whether images are resized; False takes (side, side, 3) only."""
        return self._preprocess

    @preprocess.setter
    def preprocess(self, value: bool) -> None:
        self._preprocess = value

    @property
    def has_embeddings(self) -> bool:
        """Whether `compute_embeddings` can use it."""
        return self._features is not None

    def predict(self, arg: Array) -> fol.Label:
        """Returns what is found in one image.

        Args:
            arg: (H, W, 3) uint8 RGB
        """
        return self.predict_all([arg])[0]

    def predict_all(self, args: Sequence[Array]) -> list[fol.Label]:
        """Returns what is found in each image, with one forward pass.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
        """
        return self.predict_pixels(self.prepared(args)) if len(args) else []

    def predict_pixels(self, pixels: Array) -> list[fol.Label]:
        """Returns what is found in images of the network's own size.

        Args:
            pixels: (N, side, side, 3) RGB; uint8, or float32 in [0, 1]
        """
        self._seen = pixels
        return self.labels_of(self.forward(pixels))

    def embed(self, arg: Array) -> Array:
        """Returns the embedding of one image: (channels,).

        Args:
            arg: (H, W, 3) uint8 RGB
        """
        return self.embed_all([arg])[0]

    def embed_all(self, args: Sequence[Array]) -> Array:
        """Returns the embedding of each image: (N, channels) float32.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
        """
        self._seen = self.prepared(args)
        return self.get_embeddings()

    def get_embeddings(self) -> Array:
        """Returns the embeddings of the images seen last: (N, channels) float32.

        Raises:
            ValueError: if the model has none, or has seen no image
        """
        if self._features is None or self._seen is None:
            raise ValueError(
                "embeddings need a model with features that has seen images"
            )
        return self._run(EMBEDDINGS, self._seen)

    def forward(self, pixels: Array) -> Array:
        """Returns what the network says of images of its own size: (N, ...) float32.

        Args:
            pixels: (N, side, side, 3) RGB; uint8, or float32 in [0, 1]
        """
        return self._run("outputs", pixels)

    def _run(self, what: str, pixels: Array) -> Array:
        run = self._passes.get(what)
        if run is None or run.asked != self.precision:
            network = self._embedder() if what == EMBEDDINGS else self.network
            run = self._passes[what] = Forward(network, self.precision)
        return run(pixels)

    def _embedder(self) -> keras.Model:
        x = self._features
        if len(x.shape) == 4:
            x = keras.layers.GlobalAveragePooling2D(name=EMBEDDINGS, dtype="float32")(x)
        return keras.Model(self.network.inputs, x)

    def prepared(self, args: Sequence[Array]) -> Array:
        """Returns images as the network takes them: (N, side, side, 3) uint8.

        Raises:
            ValueError: if one is not what it must be
        """
        return np.stack([self._prepared(np.asarray(image)) for image in args])

    def _prepared(self, image: Array) -> Array:
        if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"an image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}"
            )
        if self._preprocess:
            return self.resized(image)
        if image.shape != (self.side, self.side, 3):
            raise ValueError(
                f"without preprocessing an image must be "
                f"({self.side}, {self.side}, 3), got {image.shape}"
            )
        return image

    def resized(self, image: Array) -> Array:
        """Returns an image in the network's size, whatever its shape was.

        Args:
            image: (H, W, 3) uint8 RGB
        """
        return images.resize(image, self.side)

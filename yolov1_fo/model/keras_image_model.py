"""KerasImageModel: any Keras network on images as a model of FiftyOne.

FiftyOne brings such a class for PyTorch's networks, and none for Keras'.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import fiftyone.core.labels as fol
import fiftyone.core.models as fom
import keras
import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.networks.predictor import EMBEDDINGS, Forward

logger = logging.getLogger(__name__)

_PIXEL = np.zeros((1, 1, 3), np.uint8)


class KerasImageModel(fom.EmbeddingsMixin, fom.Model, ABC):
    """Applies a network to images; a subclass says what its output means.

    Images of any sizes stand in one batch: each is resized to the network's side. The
    weights are those of the first call in a precision.

    Args:
        network: a functional model with one output, from (N, H, W, 3) float32 RGB
            in [0, 1], channels last
        features (None): a tensor of the network, (N, height, width, channels) or
            (N, channels): its mean over the image is the embedding; without it the
            model has none

    Attributes:
        network: the Keras graph
        image_size: of the input, in pixels

    Raises:
        TypeError: if the network is no functional model, or `labels_of` is missing
        ValueError: if it takes or gives something else

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

    config: Any = None
    """FiftyOne looks here for settings that it may change; a subclass may have some."""

    def __init__(self, network: keras.Model, features: Any = None) -> None:
        _check(network)
        self.network = network
        self.image_size: int = network.input_shape[1]
        self._features = features
        self._preprocess = True
        self._passes: dict[str, Forward] = {}
        self._seen: Array | None = None
        self._told: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Keeps the features as an output: Keras copies networks, not their tensors."""
        state = {**self.__dict__, "_passes": {}, "_seen": None}
        network = self.network
        if self._features is not None:
            said = [network.outputs[0], self._features]
            state["network"] = keras.Model(network.inputs, said, name=network.name)
            state["_features"] = ...
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self._features is not None:
            network, (output, self._features) = self.network, self.network.outputs
            self.network = keras.Model(network.inputs, output, name=network.name)

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
        """Whether images are resized; False takes (H, W, 3) only."""
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
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
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

        FiftyOne cuts a patch without a pixel where a box is narrower than one: its
        embedding is 0, so that the other patches of its sample keep theirs.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
        """
        given = [np.asarray(image) for image in args]
        blank = [self._preprocess and not image.size for image in given]
        self._seen = self.prepared(
            [_PIXEL if no else image for no, image in zip(blank, given, strict=True)]
        )
        embeddings = self.get_embeddings()
        if any(blank):
            embeddings[blank] = 0
            self.tell_once("a patch without a pixel has the embedding 0")
        return embeddings

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

        A user is told once if it says something that is not a finite number.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
        """
        outputs = self._run("outputs", pixels)
        if not np.isfinite(outputs).all():
            self.tell_once(
                "the network says numbers that are not finite, which show nothing; "
                "look at its weights, or compute in float32"
            )
        return outputs

    def tell_once(self, line: str) -> None:
        """Logs a warning that each model gives only once."""
        if line not in self._told:
            self._told.add(line)
            logger.warning("%s", line)

    def _run(self, what: str, pixels: Array) -> Array:
        run = self._passes.get(what)
        if run is None or run.asked != self.precision:
            network = self._embedder() if what == EMBEDDINGS else self.network
            run = self._passes[what] = Forward(network, self.precision)
        return run(pixels)

    def _embedder(self) -> keras.Model:
        x = self._features
        if len(x.shape) == 4:
            x = keras.layers.GlobalAveragePooling2D(
                "channels_last", name=EMBEDDINGS, dtype="float32"
            )(x)
        return keras.Model(self.network.inputs, x)

    def prepared(self, args: Sequence[Array]) -> Array:
        """Returns images as the network takes them: (N, H, W, 3) uint8.

        Raises:
            ValueError: if one is not what it must be
        """
        return np.stack([self._prepared(np.asarray(image)) for image in args])

    def _prepared(self, image: Array) -> Array:
        is_rgb = image.ndim == 3 and image.shape[-1] == 3 and image.dtype == np.uint8
        if not is_rgb or not image.size:
            raise ValueError(
                f"an image must be (H, W, 3) uint8 RGB of at least a pixel, got "
                f"{image.shape} {image.dtype}"
            )
        if self._preprocess:
            return self.resized(image)
        if image.shape != (self.image_size, self.image_size, 3):
            raise ValueError(
                f"without preprocessing an image must be "
                f"({self.image_size}, {self.image_size}, 3), got {image.shape}"
            )
        return image

    def resized(self, image: Array) -> Array:
        """Returns an image in the network's size, whatever its shape was.

        Args:
            image: (H, W, 3) uint8 RGB
        """
        return images.resize(image, self.image_size)


def _check(network: keras.Model) -> None:
    if not getattr(network, "inputs", None):  # subclassed, or not built yet
        raise TypeError(
            f"network must be a functional Keras model, got {type(network).__name__}; "
            "make one with keras.Model(inputs, output)"
        )
    shapes = [tuple(image.shape) for image in network.inputs]
    image_size = shapes[0][1] if len(shapes[0]) == 4 else None
    if image_size is None or shapes != [(None, image_size, image_size, 3)]:
        raise ValueError(
            f"network '{network.name}' must take images (None, H, W, 3), "
            f"channels last, got {', '.join(map(str, shapes))}"
        )
    if len(network.outputs) != 1:
        raise ValueError(
            f"network '{network.name}' must have one output, got "
            f"{len(network.outputs)}; make one with keras.Model(inputs, output)"
        )

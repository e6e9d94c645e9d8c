"""KerasImageModel: any Keras network for images as a FiftyOne model.

FiftyOne itself has such a class for PyTorch only.
"""

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import fiftyone.core.labels as fol
import keras
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import INT8
from yolov1_fo.image_files import resizing
from yolov1_fo.model import image_model
from yolov1_fo.model.image_model import ImageModel
from yolov1_fo.networks.conversions import NetworkCache
from yolov1_fo.networks.folding import EMBEDDINGS
from yolov1_fo.networks.predictor import Predictor


class KerasImageModel(ImageModel):
    """Applies a network to images; a subclass turns its output into labels.

    A batch may hold images of any sizes: each is resized to the network's image size.
    The weights are those at the first call in a precision.

    Args:
        network: a functional model with one output, from (N, H, W, 3) float32 RGB
            in [0, 1], channels last
        features (None): a tensor of the network, (N, height, width, channels) or
            (N, channels), whose mean over the image is the embedding; None if the model
            has no embeddings

    Attributes:
        network: the Keras graph
        image_size: of the input, in pixels

    Raises:
        TypeError: if the network is not a functional model, or `labels_of` is missing
        ValueError: if it has other inputs or outputs

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
        super().__init__()
        _check(network)
        self.network = network
        self.image_size: int = network.input_shape[1]
        self._features = features
        self._predictors: dict[str, Predictor] = {}
        self._expected: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Stores the features as an output: Keras copies networks, not tensors."""
        state = {**self.__dict__, "_predictors": {}, "_last_pixels": None}
        network = self.network
        if self._features is not None:
            outputs = [network.outputs[0], self._features]
            state["network"] = keras.Model(network.inputs, outputs, name=network.name)
            state["_features"] = ...
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self._features is not None:
            network, (output, self._features) = self.network, self.network.outputs
            self.network = keras.Model(network.inputs, output, name=network.name)

    @abstractmethod
    def labels_of(self, outputs: Array) -> list[fol.Label]:
        """Returns the network's output for each image as a FiftyOne label.

        Args:
            outputs: (N, ...) float32 from `forward`
        """

    @property
    def precision(self) -> str | None:
        """Precision, as in `Predictor`; None is the network's own."""
        return None

    @property
    def runtime(self) -> str:
        """What computes, as in `Predictor`."""
        return "keras"

    @property
    def network_cache(self) -> NetworkCache | None:
        """Where networks are kept for other runtimes, as in `Predictor`."""
        return None

    @contextlib.contextmanager
    def expecting(self, images: int) -> Iterator[None]:
        """Within it, the model knows how many images it will predict.

        That determines whether it pays to convert the network for another runtime.

        Args:
            images: their number
        """
        self._set_expected(images)
        try:
            yield
        finally:
            self._set_expected(None)

    def _set_expected(self, images: int | None) -> None:
        self._expected = images
        for run in self._predictors.values():
            run.remaining = images

    @property
    def has_embeddings(self) -> bool:
        """Whether it has embeddings, for `compute_embeddings`."""
        return self._features is not None

    def predict_all(self, args: Sequence[Array]) -> list[fol.Label]:
        """Returns the label of each image, with one forward pass.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
        """
        return self.predict_pixels(self.prepared(args)) if len(args) else []

    def predict_pixels(self, pixels: Array) -> list[fol.Label]:
        """Returns the labels of images that have the network's image size.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
        """
        self._last_pixels = pixels
        return self.labels_of(self.forward(pixels))

    def embed_pixels(self, pixels: Array) -> Array:
        """Returns the embeddings of images of its image size: (N, channels) float32.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]

        Raises:
            ValueError: if the model has no features
        """
        if self._features is None:
            raise ValueError("embeddings need a model with features")
        return self._run(EMBEDDINGS, pixels)

    def forward(self, pixels: Array) -> Array:
        """Returns the network's outputs for images of its image size: (N, ...) float32.

        Warns once if they are not finite.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
        """
        outputs = self._run("outputs", pixels)
        if not np.isfinite(outputs).all():
            self.warn_once(
                "the network's outputs are not finite, so some labels are missing; "
                "check its weights, or set precision to float32"
            )
        return outputs

    def _run(self, what: str, pixels: Array) -> Array:
        run = self._predictors.get(what)
        precision = self.precision
        if what == EMBEDDINGS and precision == INT8:
            precision = "float32"  # calibrated exports have no embeddings
        settings = precision, self.runtime
        if run is None or (run.precision, run.runtime) != settings:
            network = self._embedder() if what == EMBEDDINGS else self.network
            run = Predictor(network, *settings, self.network_cache)
            run.remaining = self._expected
            self._predictors[what] = run
        return run(pixels)

    def _embedder(self) -> keras.Model:
        x = self._features
        if len(x.shape) == 4:
            x = keras.layers.GlobalAveragePooling2D(
                "channels_last", name=EMBEDDINGS, dtype="float32"
            )(x)
        return keras.Model(self.network.inputs, x)

    def prepared(self, args: Sequence[Array]) -> Array:
        """Returns images as a batch for the network: (N, H, W, 3) uint8.

        Raises:
            ValueError: if one has the wrong shape or type
        """
        return np.stack([self._prepared(np.asarray(image)) for image in args])

    def _prepared(self, image: Array) -> Array:
        image_model.check_rgb(image)
        if self._preprocess:
            return self.resized(image)
        if image.shape != (self.image_size, self.image_size, 3):
            raise ValueError(
                f"without preprocessing an image must be "
                f"({self.image_size}, {self.image_size}, 3), got {image.shape}"
            )
        return image

    def resized(self, image: Array) -> Array:
        """Returns an image of any shape, resized to the network's image size.

        Args:
            image: (H, W, 3) uint8 RGB
        """
        return resizing.resize(image, self.image_size)


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
            f"network '{network.name}' must have inputs (None, H, W, 3), H = W, "
            f"channels last, got {', '.join(map(str, shapes))}"
        )
    if len(network.outputs) != 1:
        raise ValueError(
            f"network '{network.name}' must have one output, got "
            f"{len(network.outputs)}; make one with keras.Model(inputs, output)"
        )

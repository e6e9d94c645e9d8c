"""A network of somebody else, with how it is used."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from yolov1_fo.model.keras_tasks import outputs
from yolov1_fo.model.keras_tasks.outputs import Output
from yolov1_fo.model.keras_tasks.preprocessing import Preprocessing


class Task(NamedTuple):
    """A network, and how it is used.

    Attributes:
        network: a Keras model with one input
        preprocessing: of images
        output: makes labels
        features: the layer of the embeddings; None is found
    """

    network: keras.Model
    preprocessing: Preprocessing
    output: Output
    features: str | None = None


def make(
    network: keras.Model,
    classes: list[str] | None,
    *,
    preprocess: Callable[[Any], Any] | None = None,
    image_size: tuple[int, int] | None = None,
    activation: str | None = None,
    features: str | None = None,
) -> Task:
    """Returns a network with how it is used; see `from_keras`."""
    _check(network)
    return Task(
        network,
        Preprocessing(network, preprocess, image_size),
        outputs.find(network, classes, activation),
        features,
    )


def _check(network: Any) -> None:
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise TypeError(
            "the network must be a functional Keras model or a task of KerasHub, got "
            f"{type(network).__name__}"
        )
    shapes = [tuple(one.shape) for one in network.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] != 3:
        raise ValueError(
            f"'{network.name}' must have one input (N, H, W, 3), got "
            f"{', '.join(map(str, shapes))}"
        )

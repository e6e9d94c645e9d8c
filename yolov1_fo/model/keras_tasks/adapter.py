"""from_keras: a Keras network of somebody else as a FiftyOne model."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from yolov1_fo.config import arguments, class_names, spelling
from yolov1_fo.model.keras_tasks import outputs, task
from yolov1_fo.model.keras_tasks.task_model import KerasTaskModel, KerasTaskModelConfig


def from_keras(
    network: keras.Model,
    classes: Sequence[str] | None = None,
    *,
    preprocess: Callable[[Any], Any] | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence_thresh: float | None = None,
    activation: str | None = None,
    features: str | None = None,
) -> KerasTaskModel:
    """Returns a Keras network as a model for `dataset.apply_model(model)`.

    A network of keras.applications or of your own, or an `ImageClassifier`,
    `ObjectDetector` or `ImageSegmenter` of KerasHub, which also knows how to preprocess
    images. Its kind follows from its output: (N, C) gives `Classification`, (N, H, W,
    C) `Segmentation`, a KerasHub detector `Detections`.

    Args:
        network: a functional model with one input (N, H, W, 3), channels last
        classes (None): names in the order of the network's class ids; None names them
            "0", "1", and so on. An output (N, 1) has two classes
        preprocess (None): function of a batch (N, H, W, 3) float32 RGB in [0, 255],
            such as `keras.applications.resnet50.preprocess_input`; None leaves pixels
            as they are, or to KerasHub's preprocessor
        image_size (None): of the input in pixels, or height and width; needed only if
            the network takes any size. Images are stretched to it; KerasHub's
            preprocessor may pad or crop them
        confidence_thresh (None): lowest confidence that is kept; None keeps the most
            probable class, independent classes from 0.5, and what the detector's own
            decoder keeps
        activation (None): softmax, sigmoid (independent classes) or linear (logits);
            None is that of the last layer
        features (None): name of the layer whose output is the embedding; None is found

    Raises:
        TypeError: if the network is not a model of such a kind, or an argument has the
            wrong type
        ValueError: if the number of classes differs, the size of the input is not
            known, or an argument is invalid

    Example:
        >>> image = keras.Input((8, 8, 3))
        >>> x = keras.layers.GlobalAveragePooling2D()(image)
        >>> scores = keras.layers.Dense(2, activation="softmax")(x)
        >>> model = from_keras(keras.Model(image, scores), ["cat", "dog"])
        >>> model.kind, model.has_embeddings
        ('classification', True)
    """
    names = None if classes is None else class_names.check(classes)
    if activation is not None:
        spelling.check_choice("activation", activation, outputs.ACTIVATIONS)
    if features is not None:
        arguments.check_string("features", features)
    if preprocess is not None and not callable(preprocess):
        raise TypeError(f"preprocess must be a function, got {preprocess!r}")
    config = KerasTaskModelConfig({"confidence_thresh": confidence_thresh})
    made = task.make(
        network,
        names,
        preprocess=preprocess,
        image_size=_size(image_size),
        activation=activation,
        features=features,
    )
    return KerasTaskModel(config, made)


def _size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    if isinstance(image_size, int):
        image_size = image_size, image_size
    sides = tuple(image_size)
    if len(sides) != 2:
        raise ValueError(
            f"image_size must be a number, or height and width, got {image_size!r}"
        )
    for side in sides:
        arguments.check_integer("image_size", side, 1)
    return sides[0], sides[1]

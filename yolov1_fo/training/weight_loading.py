"""Loads the weights that a training starts from into its network."""

import logging
from collections.abc import Sequence

import keras

from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import (
    build,
    darknet_weights,
    detector_weights,
    keras_file,
    parts,
)
from yolov1_fo.training import matching_layers, starting_weights
from yolov1_fo.training.starting_weights import DARKNET, DETECTOR, Source

logger = logging.getLogger(__name__)

MAX_NAMES = 20
"""Number of classes that a line of the log names."""


def load_into(
    network: keras.Model, source: Source, config: NetworkConfig, classes: Sequence[str]
) -> None:
    """Copies weights into a detector, the channels of its classes by name.

    Classes that the source does not have keep their initial weights; they are logged,
    as are the source's classes that the detector does not have.

    Args:
        network: of the detector
        source: from `starting_weights.source`, checked
        config: of the detector
        classes: of the detector, in the order of their ids

    Raises:
        ValueError: if they do not fit, are not finite, or changed since they were found
        FileNotFoundError: if they were deleted
    """
    load = {DETECTOR: _load_detector, DARKNET: _load_darknet}.get(
        source.kind, _load_classifier
    )
    try:
        load(network, source, config, classes)
    except (OSError, ValueError):
        if source.file.exists():
            raise
    if starting_weights.digest(source.file) != source.digest:
        raise ValueError(
            f"weights '{source.weights}' changed while the training was prepared; "
            "start it again"
        )


def _load_detector(
    network: keras.Model, source: Source, config: NetworkConfig, classes: Sequence[str]
) -> None:
    if source.path.is_dir():
        parent = keras_file.load(source.file)
    else:
        parent = build.detector(source.config, zero_init=True)
        darknet_weights.read(source.file, parent)
    ids = detector_weights.class_ids(source.classes, classes)
    try:
        detector_weights.copy(parent, network, source.config, config, ids)
    except ValueError as error:
        raise ValueError(f"weights '{source.weights}' do not fit: {error}") from None
    new, dropped = matching_layers.class_changes(source.classes, classes)
    if dropped:
        logger.info(
            "classes of weights '%s' that are dropped: %s",
            *(source.weights, _listed(dropped)),
        )
    if new:
        logger.info(
            "classes that weights '%s' do not have, which start anew: %s",
            *(source.weights, _listed(new)),
        )


def _load_darknet(
    network: keras.Model, source: Source, config: NetworkConfig, classes: Sequence[str]
) -> None:
    try:
        darknet_weights.read(source.file, network, partial=True)
    except ValueError as error:
        raise ValueError(
            f"{error}; it was read as {matching_layers.description(config)}"
        ) from None


def _load_classifier(
    network: keras.Model, source: Source, config: NetworkConfig, classes: Sequence[str]
) -> None:
    classifier = keras_file.load(source.file)
    try:
        parts.copy_backbone(classifier, network)
    except ValueError as error:
        raise ValueError(f"weights '{source.path}' do not fit: {error}") from None


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")

"""Creates the learner of a training, from its settings and its starting weights."""

from pathlib import Path

import keras

from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build
from yolov1_fo.training import augmentation_layer, starting_weights
from yolov1_fo.training.distribution import ONE, Devices
from yolov1_fo.training.learner import Classifier, Learner
from yolov1_fo.training.tasks import CLASSIFY, DETECT, Task


def build_learner(
    config: TrainConfig,
    steps_per_epoch: int,
    task: Task = DETECT,
    weights: Path | None = None,
    devices: Devices = ONE,
    augmentation: tuple[keras.layers.Layer, ...] = (),
) -> Learner:
    """Returns a compiled learner around a new network.

    Args:
        config: of the training
        steps_per_epoch: for the schedule
        task (detection): or classification
        weights (None): a classifier to start from, of `starting_weights.find`
        devices (one): that share each batch
        augmentation (none): the user's layers, of `augmentation_layer.check_layers`

    Raises:
        ValueError: if the weights do not fit
    """
    if 0 < config.freeze_epochs < config.epochs and keras.backend.backend() == "jax":
        raise ValueError("freeze_epochs needs the TensorFlow backend, got jax")
    with devices.scope():
        learner = uncompiled(config, task, devices.replicas)
        if weights is not None:
            starting_weights.load_into(learner.network, weights, config)
        if augmentation:
            learner.augmentation = augmentation_layer.build(augmentation, config.seed)
        learner.prepare(steps_per_epoch)
    return learner


def uncompiled(config: TrainConfig, task: Task = DETECT, replicas: int = 1) -> Learner:
    """Returns a learner around a new network, at the precision of the settings."""
    if task is CLASSIFY:
        build_network, kind = build.classifier, Classifier
    else:
        build_network, kind = build.detector, Learner
    network = build_network(config, seed=config.seed, precision=config.precision)
    return kind(network, config, replicas)

"""Creates the learner of a training, from its settings and its starting weights."""

from collections.abc import Sequence
from dataclasses import replace

import keras

from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build
from yolov1_fo.training import augmentation_layer, weight_loading
from yolov1_fo.training.distribution import ONE, Devices
from yolov1_fo.training.learner import Classifier, Learner
from yolov1_fo.training.starting_weights import DETECTOR, Source
from yolov1_fo.training.tasks import CLASSIFY, DETECT, Task


def build_learner(
    config: TrainConfig,
    steps_per_epoch: int,
    task: Task = DETECT,
    source: Source | None = None,
    devices: Devices = ONE,
    classes: Sequence[str] = (),
    augmentation: tuple[keras.layers.Layer, ...] = (),
) -> Learner:
    """Returns a compiled learner around a new network.

    Args:
        config: of the training
        steps_per_epoch: for the schedule
        task (detection): or classification
        source (None): what the network starts from, of `starting_weights.source`
        devices (one): that share each batch
        classes (none): names in the order of their ids, to start from a detector
        augmentation (none): the user's layers, of `augmentation_layer.check_layers`

    Raises:
        ValueError: if the weights do not fit
    """
    if 0 < config.freeze_epochs < config.epochs and keras.backend.backend() == "jax":
        raise ValueError("freeze_epochs needs the TensorFlow backend, got jax")
    with devices.scope():
        replaced = source is not None and source.kind == DETECTOR
        learner = uncompiled(config, task, devices.replicas, pretrained=not replaced)
        if source is not None:
            weight_loading.load_into(learner.network, source, config, classes)
        if augmentation:
            learner.augmentation = augmentation_layer.build(augmentation, config.seed)
        learner.prepare(steps_per_epoch)
    return learner


def uncompiled(
    config: TrainConfig,
    task: Task = DETECT,
    replicas: int = 1,
    *,
    pretrained: bool = True,
) -> Learner:
    """Returns a learner around a new network, at the precision of the settings.

    Args:
        config: of the training
        task (detection): or classification
        replicas (1): copies of the step
        pretrained (True): loads ImageNet weights if the settings ask for them
    """
    if task is CLASSIFY:
        build_network, kind = build.classifier, Classifier
    else:
        build_network, kind = build.detector, Learner
    built = config if pretrained else replace(config, pretrained=False)
    network = build_network(built, seed=config.seed, precision=config.precision)
    return kind(network, config, replicas)

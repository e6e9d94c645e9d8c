"""What runs in the compiled step: augment, encode, predict, loss."""

from typing import Any

import keras
from keras import ops

from yolov1_fo import augment, grid, loss, optimizers
from yolov1_fo import network as networks
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.network import let_learn, trunk_of


class Learner(keras.Model):
    """A network with its training step; computes all but the network in float32.

    It is fed batches `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy,
    "class_ids": (N, M) int32, -1 = no object}`, or, if it holds all images, `{"rows":
    (N,) int32}`. It can't be reloaded: `network` is what is saved.

    Args:
        network: from `network.build`, under any precision policy
        config: grid, augmentation, loss weights and seed

    Attributes:
        first_bad_step: the first step whose loss was not finite; -1 for none
        held: what `hold` was given, on the device
    """

    TERMS: tuple[str, ...] = loss.Terms._fields

    def __init__(self, network: keras.Model, config: TrainConfig) -> None:
        super().__init__(dtype="float32", name="learner")
        self.network = network
        self.config = config
        self.draws = keras.random.SeedGenerator(config.seed)
        self.loss_metrics = {name: keras.metrics.Mean(name=name) for name in self.TERMS}
        self.step = self._counter("step", 0)
        self.first_bad_step = self._counter("first_bad_step", -1)
        self.held: dict[str, keras.Variable] = {}

    @property
    def trunk(self) -> keras.Model | None:
        """The pretrained part of a transfer network, None for any other."""
        return trunk_of(self.network)

    def _counter(self, name: str, value: int) -> Any:
        return self.add_weight(
            name=name,
            shape=(),
            dtype="int32",
            initializer=keras.initializers.Constant(value),
            trainable=False,
        )

    def prepare(self, steps_per_epoch: int) -> None:
        """Compiles the step, with the optimizer of the settings.

        The weights must be those that it begins with, if averages of them are kept.

        Args:
            steps_per_epoch: for the schedule
        """
        config, slow = self.config, []
        if self.trunk:
            let_learn(self.trunk, config.frozen_stride)
            slow = [variable.path for variable in self.trunk.trainable_variables]
        variables = self.network.trainable_variables
        optimizer = optimizers.build(config, steps_per_epoch, variables, slow)
        if self.trunk and config.freeze_epochs:
            self.trunk.trainable = False
        if config.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(variables)
        self.compile(
            optimizer=optimizer, steps_per_execution=config.steps_per_execution
        )

    def hold(self, images: dict[str, Array]) -> None:
        """Keeps images with their objects on the device, so that batches are rows.

        Args:
            images: as a batch has them; all that there are
        """
        self.held = {
            name: keras.Variable(
                values, dtype=values.dtype.name, trainable=False, name=f"held_{name}"
            )
            for name, values in images.items()
        }

    def call(self, batch: dict[str, Array], training: bool = False) -> dict[str, Array]:
        """Returns `{"y_true": (N, S, S, 5 + C), "y_pred": (N, outputs)}`."""
        if "rows" in batch:
            batch = {
                name: ops.take(values, batch["rows"], axis=0)
                for name, values in self.held.items()
            }
        images, boxes, class_ids = batch["images"], batch["boxes"], batch["class_ids"]
        if training:
            n = ops.shape(images)[0]
            parameters = augment.draw(self.draws, n, self.config)
            images, boxes, class_ids = augment.apply(
                images,
                boxes,
                class_ids,
                parameters,
                self.config.side,
                align_corners=self.config.align_corners,
            )
        else:
            images = ops.cast(images, "float32") / 255.0
        return {
            "y_true": self.encode(boxes, class_ids),
            "y_pred": self.network(images, training=training),
        }

    def encode(self, boxes: Array, class_ids: Array) -> Array:
        """Returns what the network should say: (N, S, S, 5 + C)."""
        return grid.encode(boxes, class_ids, self.config)

    def terms(self, y_true: Array, y_pred: Array) -> dict[str, Array]:
        """Returns what each term adds to the loss of each image: (N,) each."""
        parts = loss.terms(y_true, y_pred, self.config, self.config)
        return loss.weighted(parts, self.config)._asdict()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Array:
        """Returns the mean loss of the batch; each term becomes a metric."""
        parts = self.terms(y_pred["y_true"], y_pred["y_pred"])
        for name, part in parts.items():
            self.loss_metrics[name].update_state(part)
        first, *others = parts.values()
        total = ops.mean(sum(others, first))
        if training:
            self._notice(total)
        return total

    def _notice(self, total: Array) -> None:
        step = ops.convert_to_tensor(self.step)
        noticed = ops.convert_to_tensor(self.first_bad_step)
        is_first = ops.logical_and(ops.logical_not(ops.isfinite(total)), noticed < 0)
        self.first_bad_step.assign(ops.where(is_first, step, noticed))
        self.step.assign(step + 1)


class Classifier(Learner):
    """The same for a classifier, whose objects are as large as the image.

    Args:
        network: from `network.build_classifier`
        config: augmentation and seed
    """

    TERMS = ("cross_entropy",)

    def encode(self, boxes: Array, class_ids: Array) -> Array:
        """Returns the share of each class: (N, C)."""
        return class_shares(class_ids, self.config.C)

    def terms(self, y_true: Array, y_pred: Array) -> dict[str, Array]:
        """Returns the cross-entropy of each image: (N,)."""
        errors = y_true * ops.log_softmax(y_pred, axis=-1)
        return {"cross_entropy": -ops.sum(errors, axis=-1)}


def build(config: TrainConfig, *, classifies: bool = False) -> Learner:
    """Returns a learner around a new network, computing in its precision.

    Args:
        config: of the training
        classifies (False): makes the classifier of the paper's first stage
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        if classifies:
            network = networks.build_classifier(config, seed=config.seed)
            return Classifier(network, config)
        return Learner(networks.build(config, seed=config.seed), config)
    finally:
        keras.config.set_dtype_policy(policy)


def class_shares(class_ids: Array, num_classes: int) -> Array:
    """Returns what part of an image each class should get.

    Args:
        class_ids: (N, M) ints; -1 where there is none
        num_classes: C

    Returns:
        (N, C); of several classes each gets the same
    """
    counts = ops.sum(ops.one_hot(class_ids, num_classes, dtype="float32"), axis=1)
    return counts / ops.maximum(ops.sum(counts, axis=-1, keepdims=True), 1)

"""The compiled training step: augment, encode the targets, predict, loss."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from yolov1_fo import augment, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import folding
from yolov1_fo.networks.keras_settings import fixed_settings
from yolov1_fo.networks.parts import backbone_of, freeze_backbone
from yolov1_fo.training import mosaic, optimizers


class Learner(keras.Model):
    """A network with its training step; everything but the network is float32.

    Its input is `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy,
    "class_ids": (N, M) int32, -1 = no object}`, or `{"rows": (N,) int32}` if it holds
    all images on the device. It can't be reloaded: only `network` is saved.

    A replica gets a part of each batch, with `"places": (N,) int32`, the positions of
    its images in the batch, so that augmentation does not depend on the replica. Only
    mosaics do: each consists of images of one part.

    Args:
        network: from `build.detector`, under any precision policy
        config: grid, augmentation, loss weights and seed
        replicas (1): copies of the step, each with a part of the batch

    Attributes:
        augmentation: the user's, of `augmentation_layer.build`; None without
        step: number of finished steps
        forward: the network, or a faster one with its variables
        held: the images and objects on the device, from `hold`
    """

    def __init__(
        self, network: keras.Model, config: TrainConfig, replicas: int = 1
    ) -> None:
        super().__init__(dtype="float32", name="learner")
        self.network = network
        self.forward: Callable[..., Array] = functools.partial(_call, network)
        self.config = config
        self.replicas = replicas
        self.augmentation: keras.layers.Layer | None = None
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name, dtype="float32")
            for name in self.term_names()
        }
        self.step = self._counter("step", "int32", 0, "only_first_replica")
        self.since_bad = self._counter("first_bad_step", "float32", -1, "mean")
        self.draws = Draws(config.seed, self.step)
        if config.mosaic:  # a variable, which runs without mosaics do not have
            self.mosaic_draws = Draws(config.seed + 1, self.step)
        self.held: dict[str, keras.Variable] = {}

    @property
    def backbone(self) -> keras.Model | None:
        """The backbone of a transfer network, None for any other network."""
        return backbone_of(self.network)

    @property
    def first_bad_step(self) -> int:
        """The first step whose loss was not finite, in any replica; -1 for none."""
        since = float(self.since_bad.numpy())
        return -1 if since == -1 else int(self.step.numpy()) - 1 - math.ceil(since)

    def _counter(self, name: str, dtype: str, value: int, aggregation: str) -> Any:
        return self.add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer=keras.initializers.Constant(value),
            trainable=False,
            aggregation=aggregation,
        )

    def prepare(self, steps_per_epoch: int) -> None:
        """Compiles the step with the optimizer of the settings.

        Moving averages start from the weights at this moment.

        Args:
            steps_per_epoch: for the schedule
        """
        config, slow = self.config, []
        if self.backbone:
            freeze_backbone(self.backbone, config.freeze_to_stride)
            slow = [variable.path for variable in self.backbone.trainable_variables]
        optimizer = optimizers.build(
            config,
            steps_per_epoch,
            self.network.trainable_variables,
            slow,
            self.replicas,
        )
        self.schedule = getattr(optimizer, "inner_optimizer", optimizer).schedule
        if self.backbone and config.freeze_epochs:
            self.backbone.trainable = False
        with fixed_settings():
            self.compile(
                optimizer=optimizer, steps_per_execution=config.steps_per_execution
            )

    def accelerate(self) -> None:
        """Makes steps of transfer networks faster, with the same result up to rounding.

        Call it when the weights are loaded, and again when other layers are frozen.
        """
        if (
            self.backbone is None
            or self.replicas > 1
            or keras.backend.backend() != "tensorflow"
        ):
            return
        faster = folding.for_training(self.network)
        self.forward = functools.partial(_call, faster)

    def hold(self, images: dict[str, Array]) -> None:
        """Copies all images and objects to the device; a batch is then row numbers.

        Args:
            images: the training split as one batch
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
            rows = ops.cast(batch["rows"], "int32")  # float32 when replicas are built
            batch = batch | {
                name: ops.take(values, rows, axis=0)
                for name, values in self.held.items()
            }
        images, boxes, class_ids = batch["images"], batch["boxes"], batch["class_ids"]
        if training:
            if self.augmentation is not None:
                images, boxes, class_ids = self.augmentation(images, boxes, class_ids)
            images, boxes, class_ids = self._augmented(
                images, boxes, class_ids, batch.get("places")
            )
        else:
            images = ops.cast(images, "float32") / 255.0
        return {
            "y_true": self.encode(boxes, class_ids),
            "y_pred": self.forward(images, training=training),
        }

    def _augmented(
        self, images: Array, boxes: Array, class_ids: Array, places: Array | None
    ) -> tuple[Array, Array, Array]:
        """Returns the augmented images with their objects.

        Args:
            images: of the batch, or of a replica's part
            boxes: of the same
            class_ids: of the same
            places: positions in the batch; None is all of it
        """
        config = self.config
        n = ops.shape(images)[0] if places is None else config.batch_size
        parameters = augment.draw(self.draws, n, config)
        drawn = mosaic.draw(self.mosaic_draws, n) if config.mosaic else None
        if places is not None:
            parameters = augment.Parameters(
                *(
                    part if part is None else ops.take(part, places, axis=0)
                    for part in parameters
                )
            )
            if drawn is not None:
                windows = ops.take(drawn.windows, places, axis=0)
                drawn = drawn._replace(windows=windows)
        progress: Array | float = 0.0
        if drawn is not None:
            progress = self.schedule.progress(ops.convert_to_tensor(self.step))
        batch = images, boxes, class_ids
        return mosaic.augmented(*batch, parameters, drawn, config, progress)

    def term_names(self) -> tuple[str, ...]:
        """Returns the names of the loss terms, which are metrics too."""
        return loss.term_names(self.config)

    def encode(self, boxes: Array, class_ids: Array) -> Array:
        """Returns the targets: (N, S, S, 5 + C)."""
        return loss.encode(boxes, class_ids, self.config, self.config)

    def terms(self, y_true: Array, y_pred: Array) -> dict[str, Array]:
        """Returns the weighted terms of the loss of each image: (N,) each."""
        parts = loss.terms(y_true, y_pred, self.config, self.config)
        return loss.weighted(parts, self.config, self.config.S)._asdict()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Array:
        """Returns the mean loss of the batch; each term becomes a metric.

        In a replica, the loss is divided by the number of replicas: Keras sums their
        gradients, and rescales the loss that it reports.
        """
        parts = self.terms(y_pred["y_true"], y_pred["y_pred"])
        for name, part in parts.items():
            self.loss_metrics[name].update_state(part)
        first, *others = parts.values()
        total = ops.mean(sum(others, first))
        if training:
            self._count_step(total)
        return total / self.replicas

    def _count_step(self, total: Array) -> None:
        """Counts the steps, and the steps since the first non-finite loss.

        The second counter is -1 until then; after that step it is 0, or, averaged over
        replicas of which only some had a non-finite loss, between -1 and 0. From then
        on it grows by 1 per step.
        """
        since = ops.convert_to_tensor(self.since_bad)
        now = ops.where(ops.isfinite(total), -1.0, 0.0)
        self.since_bad.assign(ops.where(since > -1, since + 1, now))
        self.step.assign(ops.convert_to_tensor(self.step) + 1)


def _call(network: keras.Model, images: Array, *, training: bool) -> Array:
    """Calls a network; Keras does not track the variables of a function's network."""
    return network(images, training=training)


class Draws(keras.random.SeedGenerator):
    """Seeds that depend on the run's seed and the step only: the same in each replica.

    Args:
        seed: of the run
        step: variable that counts the steps
    """

    def __init__(self, seed: int, step: Any) -> None:
        super().__init__(seed)
        self.step = step

    def next(self, ordered: bool = True) -> Array:
        """Returns the step's seed."""
        state = ops.convert_to_tensor(self.state)
        step = ops.cast(ops.convert_to_tensor(self.step), state.dtype)
        return ops.stack([state[0], step])


class Classifier(Learner):
    """The training step of a classifier, the paper's pretraining.

    Args:
        network: from `build.classifier`
        config: augmentation and seed
        replicas (1): copies of the step, each with a part of the batch
    """

    def term_names(self) -> tuple[str, ...]:
        """Returns the name of the only term."""
        return ("cross_entropy",)

    def encode(self, boxes: Array, class_ids: Array) -> Array:
        """Returns the target probability of each class: (N, C)."""
        return class_shares(class_ids, self.config.C)

    def terms(self, y_true: Array, y_pred: Array) -> dict[str, Array]:
        """Returns the cross-entropy of each image: (N,)."""
        errors = y_true * ops.log_softmax(y_pred, axis=-1)
        return {"cross_entropy": -ops.sum(errors, axis=-1)}


def class_shares(class_ids: Array, num_classes: int) -> Array:
    """Returns the target probability of each class of an image.

    Args:
        class_ids: (N, M) ints; -1 where there is none
        num_classes: C

    Returns:
        (N, C); several classes of an image share its probability equally
    """
    counts = ops.sum(ops.one_hot(class_ids, num_classes, dtype="float32"), axis=1)
    return counts / ops.maximum(ops.sum(counts, axis=-1, keepdims=True), 1)

"""What runs in the compiled step: augment, encode, predict, loss."""

from typing import Any

import keras
from keras import ops

from yolov1_fo import augment, grid, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.network import trunk_of


class Learner(keras.Model):
    """A network with its training step; computes all but the network in float32.

    It is fed batches `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy,
    "class_ids": (N, M) int32, -1 = no object}`. It can't be reloaded: `network` is what
    is saved.

    Args:
        network: from `network.build`, under any precision policy
        config: grid, augmentation, loss weights and seed

    Attributes:
        first_bad_step: the first step whose loss was not finite; -1 for none
    """

    def __init__(self, network: keras.Model, config: TrainConfig) -> None:
        super().__init__(dtype="float32", name="learner")
        self.network = network
        self.config = config
        self.draws = keras.random.SeedGenerator(config.seed)
        self.loss_metrics = {
            name: keras.metrics.Mean(name=name) for name in loss.Terms._fields
        }
        self.step = self._counter("step", 0)
        self.first_bad_step = self._counter("first_bad_step", -1)

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

    def call(self, batch: dict[str, Array], training: bool = False) -> dict[str, Array]:
        """Returns `{"y_true": (N, S, S, 5 + C), "y_pred": (N, outputs)}`."""
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
            "y_true": grid.encode(boxes, class_ids, self.config),
            "y_pred": self.network(images, training=training),
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Array:
        """Returns the mean loss of the batch; each term becomes a metric."""
        config = self.config
        parts = loss.terms(y_pred["y_true"], y_pred["y_pred"], config, config)
        parts = loss.weighted(parts, config)
        for name, part in parts._asdict().items():
            self.loss_metrics[name].update_state(part)
        total = ops.mean(sum(parts[1:], parts[0]))
        if training:
            self._notice(total)
        return total

    def _notice(self, total: Array) -> None:
        step = ops.convert_to_tensor(self.step)
        noticed = ops.convert_to_tensor(self.first_bad_step)
        is_first = ops.logical_and(ops.logical_not(ops.isfinite(total)), noticed < 0)
        self.first_bad_step.assign(ops.where(is_first, step, noticed))
        self.step.assign(step + 1)

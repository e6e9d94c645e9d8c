"""How a network is trained: augmentation, loss, optimization, validation, data."""

import math
from dataclasses import dataclass
from typing import Any

from yolov1_fo.config.network import NetworkConfig
from yolov1_fo.config.settings import Settings, setting

OPTIMIZERS = ("sgd", "adam")
DARKNET_SCHEDULES = {
    "darknet-paper": (
        *((0, 1e-3), (200, 2.5e-3), (400, 5e-3), (600, 1e-2)),
        *((20000, 1e-3), (30000, 1e-4)),
    ),
    "darknet-yolov1": (
        *((0, 5e-4), (200, 1.25e-3), (400, 2.5e-3), (600, 5e-3)),
        *((20000, 5e-4), (30000, 5e-5)),
    ),
    "darknet-tiny": (
        *((0, 5e-4), (200, 1.25e-3), (400, 2.5e-3), (600, 5e-3), (800, 1e-2)),
        *((20000, 1e-3), (30000, 1e-4)),
    ),
}
"""Pairs (batch, learning rate) of Darknet's cfg files; a rate holds from that batch."""
SCHEDULES = ("paper", "steps", "cosine", "constant", *DARKNET_SCHEDULES)
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""What a training computes in."""
PREDICTION_PRECISIONS = ("float32", "bfloat16", "float16", "auto")
"""What a model predicts in; auto is bfloat16 where the device has units for it."""
DATA_MODES = ("auto", "stream", "host", "device")
MAX_IMAGE_PIXELS = 200_000_000
"""Width times height that an image may have: 0.6 GB decoded, for each thread.

The largest sensors of phones have so many; Pillow refuses from 179 million on.
"""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(Settings):
    """How training images are varied.

    Source: paper section 2.2; Darknet data.c
    """

    jitter: float = setting(
        0.2,
        "each edge of the crop moves by up to this part of the image: Darknet's form "
        "of the paper's scaling and translation",
    )
    flip: float = setting(
        0.5, "probability of a horizontal flip; Darknet flips, the paper is silent"
    )
    exposure: float = setting(
        1.5, "the HSV value is multiplied or divided by up to this factor"
    )
    saturation: float = setting(
        1.5, "the HSV saturation is multiplied or divided by up to this factor"
    )
    hue: float = setting(
        0.0,
        "the HSV hue shifts by up to this part of the circle; not in the paper, "
        "Darknet's later files have 0.1",
    )
    align_corners: bool = setting(
        False,
        "resize the crop from corner pixel to corner pixel, as Darknet does; else from "
        "edge to edge, as OpenCV and TensorFlow do",
    )

    def __post_init__(self) -> None:
        self._within(0, 0.45, "jitter")
        self._within(0, 1, "flip")
        self._within(0, 0.5, "hue")
        self._true_or_false("align_corners")
        self._at_least(1, "exposure", "saturation")


@dataclass(frozen=True, kw_only=True)
class LossConfig(Settings):
    """The weights of the loss, and what the paper leaves open.

    Source: paper equation 3; Darknet detection_layer.c
    """

    lambda_coord: float = setting(5.0, "weight of the errors in position and size")
    lambda_noobj: float = setting(
        0.5, "weight of the confidence of boxes that are responsible for no object"
    )
    rescore: bool = setting(
        True, "the confidence target of a responsible box is its IoU; else it is 1"
    )
    rmse_fallback: bool = setting(
        False,
        "where no box overlaps the object, the nearest one is responsible, as in "
        "Darknet; else the first, since the paper is silent",
    )

    def __post_init__(self) -> None:
        self._at_least(0, "lambda_coord", "lambda_noobj")
        self._true_or_false("rescore", "rmse_fallback")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(NetworkConfig, AugmentConfig, LossConfig):
    """How a network is trained.

    Source: paper section 2.2
    """

    epochs: int = setting(135, "passes over the training images")
    batch_size: int = setting(64, "images a step")
    optimizer: str = setting(
        "sgd", "sgd (the paper's, with Darknet's update) or adam (Keras' AdamW)"
    )
    learning_rate: float = setting(1e-2, "the highest learning rate of the schedule")
    schedule: str = setting(
        "paper",
        "paper (warm-up from a tenth, then a tenth from 75/135 and again from 105/135 "
        "of the epochs), steps (see rate_steps), cosine (warm-up, then down to zero), "
        "constant, or Darknet's own rates, for batches of 64, counted in batches: "
        "darknet-paper (of 2015), darknet-yolov1, darknet-tiny",
    )
    rate_steps: tuple[tuple[float, float], ...] = setting(
        (),
        "pairs (epoch, learning rate) for the schedule steps; a rate holds from its "
        "epoch on",
    )
    warmup_epochs: float = setting(
        3.0,
        "length of the warm-up, in epochs; the paper says 'the first epochs', Darknet "
        "takes 2.3",
    )
    momentum: float = setting(0.9, "momentum of sgd")
    weight_decay: float = setting(5e-4, "weight decay, of kernels only")
    backbone_lr_multiplier: float = setting(
        1.0, "factor on the learning rate of a transfer network's backbone"
    )
    freeze_epochs: int = setting(
        0, "the backbone of a transfer network is frozen for so many epochs"
    )
    freeze_to_stride: int = setting(
        0,
        "layers of the backbone up to this output stride stay frozen; 0 freezes none, "
        "32 all",
    )
    global_clipnorm: float = setting(
        0.0, "gradients are clipped to this global norm; 0 clips nothing"
    )
    ema_momentum: float = setting(
        0.0,
        "momentum of a moving average of the weights, which is then validated and "
        "saved; 0 keeps none; not in the paper",
    )
    patience: int = setting(
        0, "stop after so many epochs without a better mAP; 0 never stops early"
    )
    validation_freq: int = setting(1, "epochs between two validations")
    confidence_thresh: float = setting(0.01, "lowest score that counts in the mAP")
    iou_thresh: float = setting(
        0.5, "non-maximum suppression removes boxes with a larger IoU"
    )
    precision: str = setting(
        "float32", "what the network computes in; loss and boxes stay float32"
    )
    data: str = setting(
        "auto",
        "stream (read from the files each time), host (decoded once, into a "
        "memory-mapped file), device (decoded once, kept in the accelerator's memory) "
        "or auto",
    )
    cache_gb: float = setting(
        20.0,
        "disk space for decoded images, of all runs together, in GB; the next run on "
        "the same images reuses them; 0 keeps none",
    )
    num_workers: int = setting(0, "threads that decode images; 0 takes one a CPU core")
    max_image_pixels: int = setting(
        MAX_IMAGE_PIXELS,
        "images with more pixels, width times height, are skipped before they are "
        "decoded; bounds the memory of each thread",
    )
    steps_per_execution: int = setting(1, "steps in one compiled call")
    tensorboard: bool = setting(False, "write logs for TensorBoard beside the CSV")
    seed: int = setting(0, "seed of weights, order, augmentation and dropout")

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        AugmentConfig.__post_init__(self)
        LossConfig.__post_init__(self)
        self._whole(1, "epochs", "batch_size", "validation_freq", "max_image_pixels")
        self._whole(1, "steps_per_execution")
        self._whole(0, "freeze_epochs", "freeze_to_stride", "patience", "seed")
        self._whole(0, "num_workers")
        self._at_least(0, "learning_rate", "weight_decay", "global_clipnorm")
        self._at_least(0, "warmup_epochs", "backbone_lr_multiplier", "cache_gb")
        self._within(0, 0.9999, "momentum", "ema_momentum")
        self._within(0, 1, "confidence_thresh", "iou_thresh")
        self._true_or_false("tensorboard")
        self._check_optimizer()
        self._one_of("schedule", SCHEDULES)
        self._one_of("precision", PRECISIONS)
        self._one_of("data", DATA_MODES)
        self._check_backbone()
        self._check_rate_steps()

    def _check_optimizer(self) -> None:
        """Takes the name in whatever case, as Keras does."""
        if not isinstance(self.optimizer, str):
            raise TypeError(
                f"optimizer must be a name, one of {', '.join(OPTIMIZERS)}, which a "
                f"run can keep; got {type(self.optimizer).__name__}; its settings are "
                "learning_rate, momentum, weight_decay and global_clipnorm"
            )
        object.__setattr__(self, "optimizer", self.optimizer.lower())
        self._one_of("optimizer", OPTIMIZERS)

    def _check_backbone(self) -> None:
        if self.has_backbone:
            return
        for name in ("backbone_lr_multiplier", "freeze_epochs", "freeze_to_stride"):
            if getattr(self, name) != getattr(TrainConfig, name):
                raise ValueError(
                    f"{name} is for networks with a pretrained backbone, not for "
                    f"{self.network}"
                )

    def _check_rate_steps(self) -> None:
        steps = self._rate_steps()
        object.__setattr__(self, "rate_steps", steps)
        if self.schedule == "steps" and not (steps and steps[0][0] == 0):
            raise ValueError(
                "rate_steps must begin with epoch 0 for schedule 'steps', "
                f"got {self.rate_steps!r}"
            )
        if list(steps) != sorted(steps):
            raise ValueError(f"rate_steps must rise by epoch, got {self.rate_steps!r}")

    def _rate_steps(self) -> tuple[tuple[float, float], ...]:
        try:
            steps = tuple((float(a), float(b)) for a, b in self.rate_steps)
        except (TypeError, ValueError):
            steps = ((-1.0, -1.0),)
        if any(not (start >= 0 and 0 <= rate < math.inf) for start, rate in steps):
            raise ValueError(
                "rate_steps must be pairs (epoch, rate) of numbers of at least 0, "
                f"got {self.rate_steps!r}"
            )
        return steps


RECOMMENDED: dict[str, Any] = {
    "network": "yolov1-efficientnet-lite0",
    "image_size": 320,
    "S": 20,
    "epochs": 30,
    "batch_size": 8,
    "batch_norm": True,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
"""Settings for a first training on photographs without a GPU."""

"""The settings of a training: augmentation, loss, optimization, validation, data."""

import math
from dataclasses import dataclass

from yolov1_fo import architectures
from yolov1_fo.config import recipes, spelling
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
"""Pairs (first batch, learning rate) of Darknet's cfg files."""
SCHEDULES = ("paper", "steps", "cosine", "constant", *DARKNET_SCHEDULES)
PACED_SCHEDULES = ("paper", "cosine", "constant")
"""Schedules that fit any length of a training."""
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""Dtype policies of a training."""
INT8 = "int8"
"""Precision of a calibrated export."""
PREDICTION_PRECISIONS = ("float32", "bfloat16", "float16", INT8, "auto")
"""Precisions of a model; auto is bfloat16 if the device supports it in hardware."""
ENGINES = ("thread", "process", "ray")
"""Where `apply` computes."""
RUNTIMES = ("auto", "keras", "openvino", "onnxruntime")
"""What runs the network of a model."""
BOX_LOSSES = ("squared", "ciou")
SCORE_LOSSES = ("squared", "cross-entropy")
DATA_MODES = ("auto", "stream", "host", "device")
MONITORS = ("val_voc07", "val_ap50", "val_coco_map", "val_f1", "val_loss", "loss")
"""Metrics that can decide which checkpoint is the best."""
MAX_IMAGE_PIXELS = 200_000_000
"""Largest width times height of an image: 0.6 GB per thread when decoded.

The largest sensors of phones have 200 megapixels; Pillow's limit is 179 million.
"""
MAX_EPOCHS = 100_000
"""Largest number of epochs."""
MAX_BATCH_SIZE, MAX_PREDICTION_BATCH = 65_536, 4096
"""Largest number of images per step, and per forward pass of a prediction."""
MAX_STEPS = 100_000
"""Largest number of steps whose gradients are accumulated, or per compiled call."""
MAX_SEED = 2**31 - 1
"""Largest random seed."""
MAX_WORKERS = 1024
"""Largest number of threads."""
MAX_MINUTES = 525_600
"""Longest time limit: a year."""
MAX_TILES = 8
"""Largest number of tiles per side of an image."""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(Settings):
    """The augmentation of training images.

    Source: paper section 2.2; Darknet data.c
    """

    jitter: float = setting(
        0.2,
        "shift each edge of the crop by up to this fraction of the image (scaling and "
        "translation)",
    )
    flip: float = setting(
        0.5, "probability of a horizontal flip; in Darknet, not in the paper"
    )
    exposure: float = setting(
        1.5, "multiply or divide the HSV value by up to this factor"
    )
    saturation: float = setting(
        1.5, "multiply or divide the HSV saturation by up to this factor"
    )
    hue: float = setting(
        0.0,
        "shift the HSV hue by up to this fraction of the circle; not in the paper, 0.1 "
        "in later Darknet files",
    )
    mosaic: float = setting(
        0.0,
        "probability that a batch shows mosaics, each of crops of four of its images, "
        "in place of jitter; none in the last 15 % of the training; not in the paper",
    )
    align_corners: bool = setting(
        False, "resize crops with aligned corner pixels, as Darknet does"
    )

    def __post_init__(self) -> None:
        self._check_range(0, 0.45, "jitter")
        self._check_range(0, 1, "flip", "mosaic")
        self._check_range(0, 0.5, "hue")
        self._check_bools("align_corners")
        self._check_numbers(1, "exposure", "saturation")


@dataclass(frozen=True, kw_only=True)
class LossConfig(Settings):
    """The weights of the loss, and what the paper leaves open.

    Source: paper equation 3; Darknet detection_layer.c
    """

    lambda_coord: float = setting(5.0, "weight of the errors in position and size")
    lambda_noobj: float = setting(
        0.5, "weight of the confidence errors of boxes without an object"
    )
    scale_noobj: bool = setting(
        False,
        "multiply lambda_noobj by 49 / S^2: the paper's weight is for 7 x 7 cells, and "
        "more cells without an object suppress all confidences",
    )
    rescore: bool = setting(
        True, "the confidence target of a responsible box is its IoU, else 1"
    )
    box_loss: str = setting(
        "squared",
        "error of responsible boxes: squared (the paper's, of x, y and the roots of w "
        "and h) or ciou (1 - CIoU, complete IoU)",
    )
    score_loss: str = setting(
        "squared",
        "error of confidences and class probabilities: squared (the paper's) or "
        "cross-entropy (binary, for output_activation sigmoid)",
    )
    neighbor_cells: bool = setting(
        False,
        "the nearest cells beside and above or below the center of an object are "
        "responsible for it too, if they are free",
    )
    rmse_fallback: bool = setting(
        False,
        "if no box overlaps an object, the nearest one is responsible, as in Darknet, "
        "not the first",
    )

    def __post_init__(self) -> None:
        self._check_numbers(0, "lambda_coord", "lambda_noobj")
        self._check_bools("scale_noobj", "rescore", "rmse_fallback", "neighbor_cells")
        self._check_choice("box_loss", BOX_LOSSES)
        self._check_choice("score_loss", SCORE_LOSSES)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(NetworkConfig, AugmentConfig, LossConfig):
    """All settings of a training.

    Source: paper section 2.2
    """

    recipe: str = setting("paper", "the recipe that settings not given are taken from")
    epochs: int = setting(135, "passes over the training split")
    max_minutes: float = setting(
        0.0,
        "fit the number of epochs to this time, from the start of the training to its "
        "last checkpoint; epochs, if given, is then the largest number; 0 is no limit",
    )
    batch_size: int = setting(64, "images per batch")
    gradient_accumulation_steps: int = setting(
        1, "steps whose mean gradient makes one update, as of a larger batch"
    )
    optimizer: str = setting(
        "sgd", "sgd (the paper's, updated as in Darknet) or adam (Keras' AdamW)"
    )
    learning_rate: float = setting(1e-2, "highest learning rate of the schedule")
    schedule: str = setting(
        "paper",
        "paper (warm-up from a tenth; divided by 10 after 75/135 and 105/135 of the "
        "epochs), steps (see rate_steps), cosine (warm-up, then down to 0), constant, "
        "or Darknet's rates for batches of 64: darknet-paper (2015), darknet-yolov1, "
        "darknet-tiny",
    )
    rate_steps: tuple[tuple[float, float], ...] = setting(
        (), "pairs (first epoch, learning rate) for the schedule steps"
    )
    warmup_epochs: float = setting(
        3.0, "epochs of warm-up; 2.3 in Darknet, not stated in the paper"
    )
    momentum: float = setting(0.9, "momentum of sgd")
    weight_decay: float = setting(5e-4, "weight decay of kernels")
    backbone_lr_multiplier: float = setting(
        1.0, "factor on the learning rate for the backbone of a transfer network"
    )
    freeze_epochs: int = setting(
        0, "epochs during which the backbone of a transfer network is frozen"
    )
    freeze_to_stride: int = setting(
        0, "freeze backbone layers up to this output stride: 0 none, 32 all"
    )
    global_clipnorm: float = setting(
        0.0, "clip gradients to this global norm; 0 disables clipping"
    )
    ema_momentum: float = setting(
        0.0,
        "momentum of the moving average of the weights that is validated and saved; 0 "
        "disables it; not in the paper",
    )
    monitor: str = setting(
        "val_voc07",
        "metric of the best checkpoint and of early stopping: val_voc07, val_ap50, "
        "val_coco_map, val_f1, val_loss or loss",
    )
    monitor_tolerance: float = setting(
        0.0,
        "the best checkpoint is the newest whose metric is at most this many standard "
        "errors below the highest: on few validation images the maximum is mostly "
        "noise; 0 takes the highest; losses have no standard error",
    )
    patience: int = setting(
        0, "stop after this many epochs without a better metric; 0 disables it"
    )
    val_fraction: float = setting(
        0.1,
        "share of the images that is held out for validation if there are no "
        "validation samples; 0 trains on all images",
    )
    validation_freq: int = setting(1, "epochs between validations")
    confidence_thresh: float = setting(0.01, "lowest score of detections in the mAP")
    iou_thresh: float = setting(0.5, "NMS IoU threshold")
    precision: str = setting(
        "float32", "dtype policy: float32, mixed_bfloat16 or mixed_float16"
    )
    tiles: int = setting(
        0,
        "also train on tiles x tiles overlapping parts of each image, for small "
        "objects in large images; predictions use the same tiles; 0 and 1 are none",
    )
    data: str = setting(
        "auto",
        "stream (decode in each epoch), host (decode once, to disk), device (decode "
        "once, to the accelerator) or auto",
    )
    sample_weights: str = setting(
        "",
        "draw images in proportion to these weights: balanced (inverse frequency of "
        "their classes) or a sample field of numbers; without, each image is used once "
        "per epoch",
    )
    negative_fraction: float = setting(
        0.0,
        "share of images without objects among those drawn; 0 draws them like others",
    )
    media_field: str = setting(
        "filepath",
        "sample field with the image files: filepath, or a field of paths or URLs such "
        "as s3://bucket/image.jpg",
    )
    cache_gb: float = setting(
        20.0,
        "disk space for the decoded images of all runs, in GB; 0 disables the cache",
    )
    num_workers: int = setting(0, "threads that decode images; 0 uses one per CPU core")
    max_image_pixels: int = setting(
        MAX_IMAGE_PIXELS, "skip images with more pixels (width times height)"
    )
    steps_per_execution: int = setting(1, "steps per compiled call")
    tensorboard: bool = setting(False, "also write TensorBoard logs")
    seed: int = setting(0, "random seed of weights, order, augmentation and dropout")

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        AugmentConfig.__post_init__(self)
        LossConfig.__post_init__(self)
        self._check_integers(1, "epochs", "validation_freq", high=MAX_EPOCHS)
        self._check_integers(0, "freeze_epochs", "patience", high=MAX_EPOCHS)
        self._check_integers(1, "batch_size", high=MAX_BATCH_SIZE)
        self._check_integers(1, "gradient_accumulation_steps", high=MAX_STEPS)
        self._check_integers(1, "steps_per_execution", high=MAX_STEPS)
        self._check_integers(1, "max_image_pixels")
        self._check_integers(0, "freeze_to_stride", "seed", high=MAX_SEED)
        self._check_integers(0, "num_workers", high=MAX_WORKERS)
        self._check_integers(0, "tiles", high=MAX_TILES)
        object.__setattr__(self, "tiles", self.tiles if self.tiles > 1 else 0)
        self._check_numbers(0, "learning_rate", "weight_decay", "global_clipnorm")
        self._check_numbers(0, "warmup_epochs", "backbone_lr_multiplier", "cache_gb")
        self._check_range(0, MAX_MINUTES, "max_minutes")
        self._check_numbers(0, "monitor_tolerance")
        self._check_range(0, 0.9999, "momentum", "ema_momentum")
        self._check_range(0, 1, "confidence_thresh", "iou_thresh")
        self._check_range(0, 0.9, "val_fraction", "negative_fraction")
        self._check_bools("tensorboard")
        self._check_strings("sample_weights", "media_field")
        self._check_choice("recipe", tuple(recipes.RECIPES))
        self._check_choice("monitor", MONITORS)
        self._check_optimizer()
        self._check_choice("schedule", SCHEDULES)
        self._check_choice("precision", PRECISIONS)
        self._check_choice("data", DATA_MODES)
        self._check_backbone()
        self._check_score_loss()
        self._check_rate_steps()
        if self.max_minutes and self.schedule not in PACED_SCHEDULES:
            raise ValueError(
                f"max_minutes needs a schedule among {', '.join(PACED_SCHEDULES)}, got "
                f"'{self.schedule}'"
            )

    @classmethod
    def for_network(cls, network: str = "", recipe: str | None = None) -> "TrainConfig":
        """Returns the recipe of a network; `print` shows it as a table with reasons.

        Settings that are chosen for the training split or the machine have the value
        that is used without them.

        Args:
            network ("yolov1-efficientnet-lite0"): a name in `architectures.NETWORKS`
            recipe (None): another recipe than the network's own

        Raises:
            ValueError: if there is no such network or recipe

        Example:
            >>> TrainConfig.for_network("yolov1").epochs
            135
        """
        network = network or recipes.default_network(recipe)
        spelling.check_choice("network", network, tuple(architectures.NETWORKS))
        name = recipes.choose(network) if recipe is None else recipe
        spelling.check_choice("recipe", name, tuple(recipes.RECIPES))
        return cls(network=network, recipe=name, **recipes.values(name, network))

    def __str__(self) -> str:
        return recipes.table(
            self.recipe, {name: getattr(self, name) for name in self.names()}
        )

    def _check_optimizer(self) -> None:
        """Ignores upper and lower case, as Keras does."""
        if not isinstance(self.optimizer, str):
            raise TypeError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got "
                f"{type(self.optimizer).__name__}; configure it with learning_rate, "
                "momentum, weight_decay and global_clipnorm"
            )
        object.__setattr__(self, "optimizer", self.optimizer.lower())
        self._check_choice("optimizer", OPTIMIZERS)

    def _check_score_loss(self) -> None:
        if self.score_loss == "cross-entropy" and self.output_activation != "sigmoid":
            raise ValueError(
                "score_loss 'cross-entropy' needs output_activation 'sigmoid', got "
                f"'{self.output_activation}'"
            )

    def _check_backbone(self) -> None:
        if self.has_backbone:
            return
        for name in recipes.BACKBONE_ONLY:
            if getattr(self, name) != getattr(TrainConfig, name):
                raise ValueError(
                    f"{name} is for networks with a pretrained backbone, not for "
                    f"{self.network}"
                )

    def _check_rate_steps(self) -> None:
        steps = self._parse_rate_steps()
        object.__setattr__(self, "rate_steps", steps)
        if self.schedule == "steps" and not (steps and steps[0][0] == 0):
            raise ValueError(
                "rate_steps must begin with epoch 0 for schedule 'steps', "
                f"got {self.rate_steps!r}"
            )
        if list(steps) != sorted(steps):
            raise ValueError(
                f"rate_steps must be sorted by epoch, got {self.rate_steps!r}"
            )

    def _parse_rate_steps(self) -> tuple[tuple[float, float], ...]:
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

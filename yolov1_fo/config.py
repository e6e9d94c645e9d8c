"""Settings: what a network is, and how it is trained.

Defaults are the paper's. A setting that leaves the paper says so.
"""

import ast
import inspect
import math
import re
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

from yolov1_fo import architectures
from yolov1_fo.checks.spelling import check, check_choice

LARGEST = 1e300
"""A setting is smaller, so that what is computed with it is a number, too."""
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
"""Pairs (batch, rate) of Darknet's cfg files; the rate holds from that batch on."""
SCHEDULES = ("paper", "steps", "cosine", "constant", *DARKNET_SCHEDULES)
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""What a training computes in."""
PREDICTION_PRECISIONS = ("float32", "bfloat16", "float16", "auto")
"""What a model predicts in; auto is bfloat16 where the device has units for it."""
DATA_MODES = ("auto", "stream", "host", "device")
MOST_SIDE, MOST_OUTPUTS = 2**14, 2**24
"""Of a network: pixels of its input's side, and numbers that it says of an image."""
MAX_IMAGE_PIXELS = 200_000_000
"""Width times height that an image may have: 0.6 GB as it is decoded, for each thread.

The largest sensors of phones have so many; Pillow refuses from 179 million on.
"""
PRETRAIN_SIDE = 224
"""Of a classifier's images, in pixels: half of what detection takes (section 2.2)."""


class _Checked:
    """What the settings share: their checks, and reading them from a larger dict."""

    @classmethod
    def names(cls) -> list[str]:
        """Returns the names of all settings."""
        return [field.name for field in fields(cls)]  # type: ignore[arg-type]  # the heirs are dataclasses

    @classmethod
    def check_names(cls, given: Iterable[str], *besides: str) -> None:
        """Raises a ValueError if a name is no setting.

        Args:
            given: as the caller wrote them
            *besides: settings of this class that the caller does not choose
        """
        check("setting", given, [name for name in cls.names() if name not in besides])

    @classmethod
    def pick(cls, settings: dict[str, Any]) -> Self:
        """Returns the settings of this class among `settings`; ignores others."""
        return cls(**{k: v for k, v in settings.items() if k in cls.names()})

    @classmethod
    def describe(cls) -> dict[str, str]:
        """Returns what the docstrings say of each setting, in the order of `names`."""
        said = {}
        for base in reversed(cls.__mro__):
            text = _docstring(base).partition("Attributes:\n")[2]
            part = textwrap.dedent(text.partition("\n\n")[0])
            for name, words in re.findall(r"^(\w+): (.*(?:\n +.*)*)", part, re.M):
                said[name] = " ".join(words.split())
        return {name: said.get(name, "") for name in cls.names()}

    def _at_least(self, low: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not _is_number(value) or value < low:
                raise ValueError(f"{name} must be at least {low}, got {value!r}")

    def _whole(self, low: int, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(
                    f"{name} must be a whole number of at least {low}, got {value!r}"
                )

    def _within(self, low: float, high: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not _is_number(value) or not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], got {value!r}")

    def _true_or_false(self, *names: str) -> None:
        for name in names:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(
                    f"{name} must be True or False, got {getattr(self, name)!r}"
                )

    def _one_of(self, name: str, choices: tuple[str, ...]) -> None:
        check_choice(name, getattr(self, name), choices)


def _docstring(cls: type) -> str:
    """Returns a docstring, cleaned; from the source where Python runs with -OO."""
    if sys.flags.optimize < 2 or cls.__module__ != __name__:
        return inspect.cleandoc(cls.__doc__ or "")
    for node in ast.parse(inspect.getsource(sys.modules[__name__])).body:
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            return ast.get_docstring(node) or ""
    return ""


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < LARGEST  # nor is a number that is none
    )


@dataclass(frozen=True, kw_only=True)
class GridConfig(_Checked):
    """How an image is divided.

    Attributes:
        S: cells a side
        B: boxes a cell
        C: classes
        sqrt: boxes are said by the roots of their width and height
        softmax: class probabilities are the softmax of what the network says; the
            paper takes it as it is

    Source: paper section 2; sqrt and softmax of Darknet's [detection]
    """

    S: int = 7
    B: int = 2
    C: int = 20
    sqrt: bool = True
    softmax: bool = False

    def __post_init__(self) -> None:
        self._whole(1, "S", "B", "C")
        self._true_or_false("sqrt", "softmax")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(GridConfig):
    """What a network is made of.

    Attributes:
        network: a name in `architectures.NETWORKS`
        side: the input's side, in pixels
        B: boxes a cell; 0 takes the network's own: 3 of darknet-yolov1, else 2
        batch_norm: normalise after each convolution of ours; the paper has none, but
            training from random weights hardly moves without it; Darknet's networks
            have it anyway
        dropout: rate after the first large connected or local layer, and before the
            convolutions of a transfer network's head
        head_filters: width of a transfer network's detection layers
        pretrained: start a transfer network from its ImageNet weights

    Source: paper section 2.1
    """

    network: str = "yolov1"
    side: int = 448
    B: int = 0
    batch_norm: bool = False
    dropout: float = 0.5
    head_filters: int = 256
    pretrained: bool = True

    def __post_init__(self) -> None:
        self._one_of("network", tuple(architectures.NETWORKS))
        architecture = architectures.NETWORKS[self.network]
        if self.B == 0:
            object.__setattr__(self, "B", architecture.B)
        super().__post_init__()
        self._whole(32, "side")
        self._whole(1, "head_filters")
        self._true_or_false("batch_norm", "pretrained")
        self._within(0, 0.95, "dropout")
        step = (
            32 if self.has_trunk else min(32, architectures.stride(architecture.layers))
        )
        if self.side > MOST_SIDE:
            raise ValueError(f"side must be at most {MOST_SIDE}, got {self.side}")
        if self.side < self.S:
            raise ValueError(f"S must be at most side, {self.side}, got {self.S}")
        if self.S**2 * (5 * self.B + self.C) > MOST_OUTPUTS:
            raise ValueError(
                f"S={self.S}, B={self.B} and C={self.C} say too much; a network can "
                f"have {MOST_OUTPUTS} outputs"
            )
        if self.side % step:
            raise ValueError(
                f"side must be a multiple of {step} pixels, got {self.side}"
            )
        coarse = self.side // 32
        fits = (-(-coarse // 2), coarse, 2 * coarse)
        if self.has_trunk and self.S not in fits:
            raise ValueError(
                f"S must be {fits[0]}, {fits[1]} or {fits[2]} for {self.network} "
                f"at side {self.side}, got {self.S}"
            )

    @property
    def has_trunk(self) -> bool:
        """Whether the network stands on a pretrained classifier."""
        return bool(architectures.NETWORKS[self.network].trunk)


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(_Checked):
    """How training images are varied.

    Attributes:
        jitter: each edge of the window that is cut out moves by up to this part of
            the image; Darknet's form of the paper's scaling and translation
        flip: probability of a horizontal flip; Darknet flips, the paper is silent
        exposure: HSV value is scaled by up to this factor, or divided by it
        saturation: the same for HSV saturation
        hue: HSV hue turns by up to this part of the circle; not in the paper, Darknet's
            later files have 0.1
        align_corners: the corner pixels of the window become those of the new image,
            as Darknet resizes; else its edges do, as OpenCV and TensorFlow resize

    Source: paper section 2.2; Darknet data.c
    """

    jitter: float = 0.2
    flip: float = 0.5
    exposure: float = 1.5
    saturation: float = 1.5
    hue: float = 0.0
    align_corners: bool = False

    def __post_init__(self) -> None:
        self._within(0, 0.45, "jitter")
        self._within(0, 1, "flip")
        self._within(0, 0.5, "hue")
        self._true_or_false("align_corners")
        self._at_least(1, "exposure", "saturation")


@dataclass(frozen=True, kw_only=True)
class LossConfig(_Checked):
    """The weights of the loss, and what the paper leaves open.

    Attributes:
        lambda_coord: weight of the errors in position and size
        lambda_noobj: weight of the confidence of boxes that are responsible for none
        rescore: a responsible box's confidence should be its overlap; else 1
        rmse_fallback: where no box overlaps the object, the nearest is responsible, as
            Darknet has it; else the first, since the paper is silent

    Source: paper equation 3; Darknet detection_layer.c
    """

    lambda_coord: float = 5.0
    lambda_noobj: float = 0.5
    rescore: bool = True
    rmse_fallback: bool = False

    def __post_init__(self) -> None:
        self._at_least(0, "lambda_coord", "lambda_noobj")
        self._true_or_false("rescore", "rmse_fallback")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(NetworkConfig, AugmentConfig, LossConfig):
    """How a network is trained.

    Attributes:
        epochs: passes over the training images
        batch_size: images a step
        optimizer: sgd (the paper's, by Darknet's update) or adam (Keras' AdamW)
        learning_rate: the highest rate of the schedule
        schedule: paper (warm-up from a tenth, then a tenth from 75/135 and again from
            105/135 of the epochs), steps (see `rate_steps`), cosine (warm-up, then
            half a wave down to zero), constant, or Darknet's own rates, for batches of
            64, counted in batches: darknet-paper (of 2015), darknet-yolov1,
            darknet-tiny
        rate_steps: pairs (epoch, rate) for the schedule steps; the rate holds from
            that epoch on
        warmup_epochs: length of the warm-up, in epochs; the paper says "the first
            epochs", Darknet takes 2.3
        momentum: of sgd
        weight_decay: on kernels only
        trunk_rate: factor on the learning rate of a transfer network's trunk
        freeze_epochs: a transfer network's trunk stands still so long, in epochs
        frozen_stride: layers of the trunk whose output is this many times smaller than
            the input, or fewer, never learn; 0 lets all learn, 32 none
        clip_norm: longest gradient, as its global norm; 0 clips nothing
        ema: momentum of a running average of the weights, which then is what is
            validated and saved; 0 keeps none; not in the paper
        patience: stops after so many epochs without a better mAP; 0 never stops early
        validate_every: epochs between two measurements of mAP
        confidence_thresh: lowest score that counts in the mAP
        iou_thresh: boxes that overlap more are one object
        precision: what the network computes in; loss and boxes stay float32
        data: stream (from the files), host (decoded once, in a file that is mapped to
            memory), device (decoded once, kept in the accelerator's memory) or auto
        cache_gb: most that the files of decoded images take on disk, those of all runs
            together; the next run on the same images reuses them; 0 keeps none
        workers: threads that decode images; 0 takes one a core
        max_image_pixels: an image of more pixels, width times height, is left out
            before it is decoded; it bounds the memory that each thread takes
        steps_per_execution: steps a compiled call
        tensorboard: writes logs for TensorBoard beside the CSV
        seed: of weights, order, augmentation and dropout

    Source: paper section 2.2
    """

    epochs: int = 135
    batch_size: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 1e-2
    schedule: str = "paper"
    rate_steps: tuple[tuple[float, float], ...] = ()
    warmup_epochs: float = 3.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    trunk_rate: float = 1.0
    freeze_epochs: int = 0
    frozen_stride: int = 0
    clip_norm: float = 0.0
    ema: float = 0.0
    patience: int = 0
    validate_every: int = 1
    confidence_thresh: float = 0.01
    iou_thresh: float = 0.5
    precision: str = "float32"
    data: str = "auto"
    cache_gb: float = 20.0
    workers: int = 0
    max_image_pixels: int = MAX_IMAGE_PIXELS
    steps_per_execution: int = 1
    tensorboard: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        AugmentConfig.__post_init__(self)
        LossConfig.__post_init__(self)
        self._whole(1, "epochs", "batch_size", "validate_every", "steps_per_execution")
        self._whole(1, "max_image_pixels")
        self._whole(0, "freeze_epochs", "frozen_stride", "patience", "workers", "seed")
        self._at_least(0, "learning_rate", "weight_decay", "clip_norm", "warmup_epochs")
        self._at_least(0, "trunk_rate", "cache_gb")
        self._within(0, 0.9999, "momentum", "ema")
        self._within(0, 1, "confidence_thresh", "iou_thresh")
        self._true_or_false("tensorboard")
        self._check_optimizer()
        self._one_of("schedule", SCHEDULES)
        self._one_of("precision", PRECISIONS)
        self._one_of("data", DATA_MODES)
        if not self.has_trunk:
            for name in ("trunk_rate", "freeze_epochs", "frozen_stride"):
                if getattr(self, name) != getattr(TrainConfig, name):
                    raise ValueError(
                        f"{name} is for networks on a trunk, not for {self.network}"
                    )
        steps = self._checked_steps()
        object.__setattr__(self, "rate_steps", steps)
        if self.schedule == "steps" and not (steps and steps[0][0] == 0):
            raise ValueError(
                "rate_steps must begin with epoch 0 for schedule 'steps', "
                f"got {self.rate_steps!r}"
            )
        if list(steps) != sorted(steps):
            raise ValueError(f"rate_steps must rise by epoch, got {self.rate_steps!r}")

    def _check_optimizer(self) -> None:
        """Takes the name in whatever case, as Keras does."""
        if not isinstance(self.optimizer, str):
            raise TypeError(
                f"optimizer must be a name, one of {', '.join(OPTIMIZERS)}, which a "
                f"run can keep; got {type(self.optimizer).__name__}; its settings are "
                "learning_rate, momentum, weight_decay and clip_norm"
            )
        object.__setattr__(self, "optimizer", self.optimizer.lower())
        self._one_of("optimizer", OPTIMIZERS)

    def _checked_steps(self) -> tuple[tuple[float, float], ...]:
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
    "side": 320,
    "S": 20,
    "epochs": 30,
    "batch_size": 8,
    "batch_norm": True,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
"""What serves a newcomer with photographs and no GPU; the defaults are the paper's."""

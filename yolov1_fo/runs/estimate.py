"""How long a training may take, and what memory, before it begins.

The time is counted from the network's size and this processor's speed, and corrected by
the last training of the same network on the same device. It loads no Keras.
"""

import contextlib
import functools
import math
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import threadpoolctl

from yolov1_fo import architectures, grid
from yolov1_fo.architectures import Connected, Conv
from yolov1_fo.config import TrainConfig, units
from yolov1_fo.runs import history

# Fitted to `python -m benchmarks.estimate`: what else takes as long as so many FLOP of
# a product of two matrices.
FLOPS_A_NUMBER = 155.0
"""Of writing and reading a number that a layer gives out."""
FLOPS_AN_UPDATE = 1600.0
"""Of a parameter, a step."""
FLOPS_A_SAVE = 8000.0
"""Of a parameter, an epoch."""
BACKWARD = 2.0
"""Times as much as forward, for what learns."""
START, EPOCH, FILE = 20.0, 0.5, 0.02
"""Loading and compiling, what ends an epoch, reading an image file; in seconds."""

BASE_MEMORY = 1.0e9
NUMBERS_KEPT = 1.2
"""Times a layer's output is in memory while the network learns."""
PARAMETERS_KEPT = 9.0
"""Times the parameters are, with gradients, optimizer, and what is saved."""


class Cost(NamedTuple):
    """What a network asks for.

    Attributes:
        parameters: trained ones
        flops: of a prediction, an image
        numbers: that its layers give out, an image
    """

    parameters: float
    flops: float
    numbers: float


class Estimate(NamedTuple):
    """What a training may ask for; prints as words.

    Attributes:
        seconds: all of it; None if nothing is known of this device
        memory: at its peak, in bytes
        source: where the time comes from
    """

    seconds: float | None
    memory: float
    source: str

    def __str__(self) -> str:
        time = self.source
        if self.seconds is not None:
            time = f"about {span(self.seconds)} {self.source}"
        return f"{time}; {units.of_bytes(self.memory)} of memory"


class Past(NamedTuple):
    """A training that was.

    Attributes:
        run_key: its name
        config: its settings
        device: it ran on, as `device` says it
        images: that it learned from
        val_images: that it was measured on
        folder: its files
    """

    run_key: str
    config: TrainConfig
    device: str
    images: int
    val_images: int
    folder: str


def span(seconds: float) -> str:
    """Returns a time as a person says it.

    Example:
        >>> span(42), span(400), span(9000), span(400000)
        ('42 seconds', '7 minutes', '2.5 hours', '4.6 days')
    """
    for length, unit in ((86400, "days"), (3600, "hours")):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    if seconds >= 90:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds:.0f} seconds"


def device(*, accelerated: bool) -> str:
    """Returns what a run says that it is trained on."""
    return "GPU" if accelerated else f"CPU with {psutil.cpu_count() or 1} cores"


def cost(config: TrainConfig) -> Cost:
    """Returns what the network of these settings asks for."""
    architecture = architectures.NETWORKS[config.network]
    if architecture.backbone:
        backbone = _backbone(config, 16 if _is_fine(config) else 32)
        return Cost(*map(sum, zip(backbone, _head(config), strict=True)))
    table = (*architecture.layers, Connected(grid.outputs(config), leaky=False))
    made = list(
        architectures.shapes(table, config.image_size, batch_norm=config.batch_norm)
    )
    return Cost(
        sum(shape.parameters for shape in made),
        sum(shape.flops for shape in made),
        sum(
            shape.height * shape.width * shape.channels * _times(shape.layer, config)
            for shape in made
        ),
    )


def learned(config: TrainConfig) -> Cost:
    """Returns the part of it that learns."""
    whole = cost(config)
    if not config.freeze_to_stride:
        return whole
    frozen = _backbone(
        config, 16 if _is_fine(config) or config.freeze_to_stride < 32 else 32
    )
    return Cost(*(a - b for a, b in zip(whole, frozen, strict=True)))


def _is_fine(config: TrainConfig) -> bool:
    return config.image_size // 16 == config.S


def _times(layer: architectures.Layer, config: TrainConfig) -> int:
    """Returns how often a layer's numbers are given out: raw, normalised, leaky."""
    if not isinstance(layer, Conv):
        return 1
    return 2 + bool(config.batch_norm if layer.batch_norm is None else layer.batch_norm)


def _backbone(config: TrainConfig, stride: int) -> Cost:
    backbones = architectures.TRUNKS[architectures.NETWORKS[config.network].backbone]
    backbone, pixels = backbones[stride], config.image_size**2
    return Cost(backbone.parameters, backbone.flops * pixels, backbone.numbers * pixels)


def _head(config: TrainConfig) -> Cost:
    stride = 16 if _is_fine(config) else 32
    backbones = architectures.TRUNKS[architectures.NETWORKS[config.network].backbone]
    places, cells = (config.image_size // stride) ** 2, config.S**2
    width = config.head_filters
    first, rest = 9 * backbones[stride].channels * width, 9 * width * width
    last = width * (config.C + 5 * config.B)
    return Cost(
        first + 2 * rest + last,
        2 * (first * places + (2 * rest + last) * cells),
        2 * width * (places + 2 * cells),
    )


def of(
    config: TrainConfig, images: int, val_images: int, past: Iterable[Past] = ()
) -> Estimate:
    """Returns what a training may ask for.

    Args:
        config: its settings
        images: to learn from
        val_images: to measure on, after each epoch that is measured
        past: trainings of before, the newest first
    """
    speed, has_gpu = processor_speed(), _has_gpu()
    memory = _memory(config, images + val_images)
    here = {device(accelerated=kind) for kind in {False, has_gpu}}
    for run in past:
        took = _epoch_took(run.folder)
        if took and run.device in here and run.config.network == config.network:
            guess = epoch_seconds(run.config, run.images, run.val_images, speed)
            seconds = _all(config, images, val_images, speed, took / guess)
            kind = run.device.partition(" ")[0]
            return Estimate(seconds, memory, f"on this {kind}, as '{run.run_key}' went")
    if has_gpu:
        return Estimate(None, memory, "no estimate before a first run on this GPU")
    seconds = _all(config, images, val_images, speed, 1.0)
    return Estimate(seconds, memory, "on this CPU, by the network's size")


def _has_gpu() -> bool:
    """Returns whether there is one of NVIDIA's GPUs, and it is not hidden."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "all").partition(",")[0].strip()
    return shown not in ("", "-1") and shutil.which("nvidia-smi") is not None


def _all(
    config: TrainConfig, images: int, val_images: int, speed: float, factor: float
) -> float:
    files = (images + val_images) * FILE / (psutil.cpu_count() or 1)
    epoch = epoch_seconds(config, images, val_images, speed) * factor
    return START + files + config.epochs * epoch


def epoch_seconds(
    config: TrainConfig, images: int, val_images: int, speed: float
) -> float:
    """Returns how long an epoch takes, in seconds.

    Args:
        config: of the training
        images: to learn from
        val_images: to measure on
        speed: from `processor_speed`
    """
    whole, learns = cost(config), learned(config)
    steps = images // config.batch_size
    predict, backward = _flops(whole), BACKWARD * _flops(learns)
    work = steps * config.batch_size * (predict + backward)
    work += steps * learns.parameters * FLOPS_AN_UPDATE
    work += whole.parameters * FLOPS_A_SAVE
    work += val_images * predict / config.validation_freq
    return EPOCH + work / speed


def _flops(one: Cost) -> float:
    """Returns what takes as long as a prediction, in FLOP an image."""
    return one.flops + one.numbers * FLOPS_A_NUMBER


def _memory(config: TrainConfig, images: int) -> float:
    whole, learns = cost(config), learned(config)
    kept = whole.parameters * PARAMETERS_KEPT
    kept += config.batch_size * learns.numbers * NUMBERS_KEPT
    pixels = images * config.image_size**2 * 3  # if they are held
    free = psutil.virtual_memory().available
    return BASE_MEMORY + 4 * kept + (pixels if pixels < free / 2 else 0)


@functools.lru_cache(maxsize=1)
def processor_speed() -> float:
    """Returns how fast this processor multiplies matrices, in FLOP a second."""
    size = 768
    matrix = np.ones((size, size), np.float32)
    best = math.inf
    until = time.perf_counter() + 0.3  # long enough to find a moment of quiet
    with threadpoolctl.threadpool_limits(1):  # several wait for each other
        while (began := time.perf_counter()) < until:
            matrix @ matrix
            best = min(best, time.perf_counter() - began)
    return (psutil.cpu_count() or 1) * 2 * size**3 / best


def _epoch_took(folder: str) -> float | None:
    """Returns how long an epoch of a run took, in seconds; None if it has none."""
    seconds = [
        one for one in history.read(Path(folder)).get("seconds", []) if one is not None
    ]
    if len(seconds) < 2:
        return None  # the first compiles
    return max(seconds[-1] - seconds[0], 0.0) / (len(seconds) - 1) or None


def past(runs: Iterable[tuple[str, Any]]) -> list[Past]:
    """Returns the trainings of before that can be read.

    Args:
        runs: names, with what `runs.info` gives
    """
    found = []
    for key, run in runs:
        made = getattr(run, "device", None)
        if not made or getattr(run, "task", None) != "detect":
            continue
        with contextlib.suppress(AttributeError, TypeError, ValueError):  # not of ours
            config = TrainConfig(**run.settings)
            found.append(
                Past(key, config, made, run.images, run.val_images, run.folder)
            )
    return found

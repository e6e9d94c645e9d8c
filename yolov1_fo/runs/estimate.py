"""Estimates the time and memory of a training before it starts.

The time comes from the size of the network and the speed of this processor, corrected
by the last training of the same network on the same device. Never imports Keras.
"""

import contextlib
import functools
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import humanize
import numpy as np
import psutil
import threadpoolctl

from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import tiling
from yolov1_fo.runs import gpus, history
from yolov1_fo.runs.network_cost import NetworkCost, total_cost, trained_cost

# Fitted to `python -m benchmarks.estimate`: costs other than the layers' arithmetic, as
# the FLOP of a matrix product that takes as long.
FLOP_PER_ACTIVATION = 155.0
"""To write and read a value that a layer outputs."""
FLOP_PER_UPDATE = 1600.0
"""Per parameter and step."""
FLOP_PER_SAVE = 8000.0
"""Per parameter and epoch."""
BACKWARD_FACTOR = 2.0
"""Time of the backward pass, relative to the forward pass of the trained layers."""
START_SECONDS, EPOCH_SECONDS, FILE_SECONDS = 20.0, 0.5, 0.02
"""To load and compile; to end an epoch; to read an image file."""

BASE_BYTES = 1.0e9
ACTIVATION_COPIES = 1.2
"""Copies of the activations of trained layers in memory."""
PARAMETER_COPIES = 9.0
"""Copies of the parameters: gradients, optimizer, and what is saved."""


LONGEST_SECONDS = 100 * 365 * 86400.0
"""Longer durations are not told apart."""
TIME_LIMIT = "time limit"
"""Source of the time of a training that `max_minutes` ends."""


class Estimate(NamedTuple):
    """Time and memory of a training; prints as text.

    Attributes:
        seconds: of the whole training; None if it can't be estimated on this device
        memory: at its peak, in bytes
        source: what the time is based on
    """

    seconds: float | None
    memory: float
    source: str

    def __str__(self) -> str:
        time = self.source
        if self.seconds is not None:
            duration = format_duration(self.seconds)
            time = f"about {duration} {self.source}"
            if self.source == TIME_LIMIT:
                time = f"ends after about {duration}"
        return f"{time}; {humanize.naturalsize(self.memory)} of memory"


class PastRun(NamedTuple):
    """An earlier training.

    Attributes:
        run_key: its name
        config: its settings
        device: that it ran on, as `device_name` returns it
        images: number of training images
        val_images: number of validation images
        folder: its files
    """

    run_key: str
    config: TrainConfig
    device: str
    images: int
    val_images: int
    folder: str


def format_duration(seconds: float) -> str:
    """Returns a duration as text, as precise as an estimate can be.

    Example:
        >>> format_duration(42), format_duration(400)
        ('42 seconds', '7 minutes')
        >>> format_duration(9000), format_duration(400000)
        ('2 hours and 30 minutes', '4 days and 15 hours')
    """
    if seconds >= LONGEST_SECONDS:
        return "100 years or more"
    unit = "seconds" if seconds < 90 else "minutes" if seconds < 4 * 3600 else "hours"
    return humanize.precisedelta(seconds, minimum_unit=unit, format="%.0f")


def device_name(*, accelerated: bool) -> str:
    """Returns the name of this machine's device in the records of runs."""
    return "GPU" if accelerated else f"CPU with {psutil.cpu_count() or 1} cores"


def estimate_training(
    config: TrainConfig,
    images: int,
    val_images: int,
    past_runs: Iterable[PastRun] = (),
    *,
    has_gpu: bool | None = None,
    has_max_epochs: bool = False,
) -> Estimate:
    """Returns the estimated time and memory of a training.

    Args:
        config: its settings
        images: number of training images
        val_images: number of validation images
        past_runs: earlier trainings, the newest first
        has_gpu (None): whether it runs on a GPU; None if this machine has one
        has_max_epochs (False): whether `epochs` limits a training with `max_minutes`
    """
    if has_gpu is None:
        has_gpu = bool(gpus.names())
    found = _of_epochs(config, images, val_images, past_runs, has_gpu)
    limit, seconds = 60 * config.max_minutes, found.seconds
    if seconds is None or not has_max_epochs:
        seconds = math.inf
    if not limit or seconds < limit:
        return found
    return Estimate(limit, found.memory, TIME_LIMIT)


def cpu_seconds(config: TrainConfig, images: int, val_images: int) -> float:
    """Returns the estimated time of a training of all epochs on this CPU, in seconds.

    Args:
        config: its settings
        images: number of training images
        val_images: number of validation images
    """
    return _total_seconds(config, images, val_images, processor_speed(), 1.0)


def has_memory(config: TrainConfig, images: int) -> bool:
    """Returns whether a training on this CPU has enough memory.

    Args:
        config: its settings
        images: number of all images
    """
    return _memory(config, images) <= psutil.virtual_memory().total


def check_memory(estimate: Estimate) -> None:
    """Raises a ValueError if a training on this CPU needs more memory than there is.

    Args:
        estimate: of the training
    """
    total = psutil.virtual_memory().total
    if estimate.memory > total:
        needed, there = map(humanize.naturalsize, (estimate.memory, total))
        raise ValueError(
            f"the training needs about {needed} of memory, this machine has {there}; "
            "choose a smaller image_size or batch_size"
        )


def _of_epochs(
    config: TrainConfig,
    images: int,
    val_images: int,
    past_runs: Iterable[PastRun],
    has_gpu: bool,
) -> Estimate:
    """Returns the estimate of a training without a time limit."""
    speed, memory = processor_speed(), _memory(config, images + val_images)
    devices = {device_name(accelerated=kind) for kind in {False, has_gpu}}
    for run in past_runs:
        if run.config.network != config.network or run.device not in devices:
            continue
        measured = _measured_epoch(run.folder)
        if measured is None:
            continue
        expected = epoch_seconds(run.config, run.images, run.val_images, speed)
        seconds = _total_seconds(config, images, val_images, speed, measured / expected)
        kind = run.device.partition(" ")[0]
        source = f'on this {kind} (based on run "{run.run_key}")'
        return Estimate(seconds, memory, source)
    if has_gpu:
        return Estimate(None, memory, "no estimate before a first run on this GPU")
    seconds = cpu_seconds(config, images, val_images)
    return Estimate(seconds, memory, "on this CPU (estimated)")


def _total_seconds(
    config: TrainConfig, images: int, val_images: int, speed: float, factor: float
) -> float:
    reading = (images + val_images) * FILE_SECONDS / (psutil.cpu_count() or 1)
    epoch = epoch_seconds(config, images, val_images, speed) * factor
    return START_SECONDS + reading + config.epochs * epoch


def epoch_seconds(
    config: TrainConfig, images: int, val_images: int, speed: float
) -> float:
    """Returns the estimated time of an epoch, in seconds.

    Args:
        config: of the training
        images: number of training images
        val_images: number of validation images
        speed: from `processor_speed`
    """
    total, trained = total_cost(config), trained_cost(config)
    parts = tiling.count(config.tiles)
    steps = images * parts // config.batch_size
    forward, backward = _flop(total), BACKWARD_FACTOR * _flop(trained)
    work = steps * config.batch_size * (forward + backward)
    work += steps * trained.parameters * FLOP_PER_UPDATE
    work += total.parameters * FLOP_PER_SAVE
    work += val_images * parts * forward / config.validation_freq
    return EPOCH_SECONDS + work / speed


def _flop(cost: NetworkCost) -> float:
    """Returns the FLOP that take as long as a forward pass of one image."""
    return cost.flops + cost.activations * FLOP_PER_ACTIVATION


def _memory(config: TrainConfig, images: int) -> float:
    total, trained = total_cost(config), trained_cost(config)
    numbers = total.parameters * PARAMETER_COPIES
    numbers += config.batch_size * trained.activations * ACTIVATION_COPIES
    cache = images * tiling.count(config.tiles) * config.image_size**2 * 3
    available = psutil.virtual_memory().available
    return BASE_BYTES + 4 * numbers + (cache if cache < available / 2 else 0)


@functools.lru_cache(maxsize=1)
def processor_speed() -> float:
    """Returns how fast this processor multiplies matrices, in FLOP per second."""
    size = 768
    matrix = np.ones((size, size), np.float32)
    best = math.inf
    deadline = time.perf_counter() + 0.3  # the best of many, if others use the CPU too
    with threadpoolctl.threadpool_limits(1):  # threads would wait for each other
        while (start := time.perf_counter()) < deadline:
            matrix @ matrix
            best = min(best, time.perf_counter() - start)
    return (psutil.cpu_count() or 1) * 2 * size**3 / best


def _measured_epoch(folder: str) -> float | None:
    """Returns the time of an epoch in a run's log, in seconds; None if unknown."""
    seconds = [
        value
        for value in history.read(Path(folder)).get("seconds", [])
        if value is not None
    ]
    if len(seconds) < 2:
        return None  # the first epoch includes compiling
    return max(seconds[-1] - seconds[0], 0.0) / (len(seconds) - 1) or None


def find_past_runs(records: Iterable[tuple[str, Any]]) -> list[PastRun]:
    """Returns the detector trainings among the records of runs.

    Args:
        records: run keys with what `records.info` returns
    """
    found = []
    for key, run in records:
        device = getattr(run, "device", None)
        if not device or getattr(run, "task", None) != "detect":
            continue
        with contextlib.suppress(AttributeError, TypeError, ValueError):  # not ours
            config = TrainConfig(**run.settings)
            found.append(
                PastRun(key, config, device, run.images, run.val_images, run.folder)
            )
    return found

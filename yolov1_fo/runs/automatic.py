"""Automatic settings: what a recipe leaves to the images and the machine.

The grid, for example, depends on the sizes of the objects. Never imports Keras.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, TrainConfig, recipes
from yolov1_fo.config.network import grid_sizes
from yolov1_fo.pipeline import tiling
from yolov1_fo.pipeline.objects import RaggedBoxes
from yolov1_fo.runs import estimate

LARGER_IMAGES = (448, 384)
"""Image sizes for small objects, if a time limit leaves time, the largest first."""
PLANNED_SHARE = 0.5
"""Share of a time limit that is planned: an estimate may be off by a factor of two."""
MAX_LOST = 0.02
"""Share of the objects that a grid may lose: their cell belongs to another object."""
CELLS_PER_OBJECT = 4.0
"""Least size of half of the objects, in cells per side."""
STEPS_PER_EPOCH = 50
"""A batch is small enough for this many steps per epoch, if it may be."""
CPU_BATCHES, GPU_BATCHES = (4, 8), (8, 64)
"""Smallest and largest batch size."""
MIN_UPDATES = {"transfer": 1000, "fine-tune": 350}
"""Least number of steps of a training, by recipe."""
MAX_EPOCHS_FACTOR = 4
"""Largest factor on a recipe's epochs to reach `MIN_UPDATES`."""
AVERAGED_SHARE, MAX_AVERAGED = 0.1, 5000.0
"""Share of the training that the moving average of the weights spans; in steps."""
LIMITED_MOMENTUM = 0.98
"""Momentum of the average in a training with `max_minutes`."""


class Facts(NamedTuple):
    """What automatic settings are chosen for.

    Attributes:
        images: number of images of the training split
        val_images: number of images of the validation split
        objects: of the training split; None if they were not read
        classes: their names
        has_gpu: whether the training runs on an accelerator
        has_bfloat16: whether it computes in bfloat16
    """

    images: int
    val_images: int
    objects: RaggedBoxes | None
    classes: Sequence[str]
    has_gpu: bool = False
    has_bfloat16: bool = False


def settings(
    known: dict[str, Any], facts: Facts
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the automatic settings of a recipe, and why each was chosen.

    Args:
        known: `network`, `recipe`, and the settings that were given
        facts: of the images and the machine
    """
    if not is_automatic("image_size", known):
        return _settings_at_size(known, facts)
    size, reason = _image_size(known, facts)
    found, reasons = _settings_at_size({**known, "image_size": size}, facts)
    return {"image_size": size, **found}, {"image_size": reason, **reasons}


def is_automatic(name: str, known: Mapping[str, Any]) -> bool:
    """Returns whether a setting is chosen for the images and the machine.

    Args:
        name: of the setting
        known: `network`, `recipe`, and the settings that are not the recipe's
    """
    choice = recipes.choices(known["recipe"], known["network"]).get(name)
    return name not in known and choice is not None and choice.is_automatic


def _settings_at_size(
    known: dict[str, Any], facts: Facts
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the automatic settings, and reasons, but for the image size."""
    found = {**recipes.values(**known), **known}
    reasons: dict[str, str] = {}
    for name, choose in _CHOOSE.items():
        if is_automatic(name, known):
            found[name], reasons[name] = choose(found, facts)
    return {name: found[name] for name in reasons}, reasons


def _image_size(known: dict[str, Any], facts: Facts) -> tuple[int, str]:
    """Returns for small objects the largest size whose epochs fit in `max_minutes`."""
    usual = recipes.values(**known)["image_size"]
    if not known.get("max_minutes"):
        return usual, "the recipe's, without a time limit"
    if facts.has_gpu:
        return usual, "the recipe's: the time on an accelerator is not estimated"
    found, _ = _settings_at_size({**known, "image_size": usual}, facts)
    if found.get("S", known.get("S")) not in grid_sizes(known["network"], usual)[-1:]:
        return usual, "the recipe's: the objects do not need the finest grid"
    for size in LARGER_IMAGES:
        config = _config_at_size(known, facts, size)
        if config is None or not estimate.has_memory(config, facts.images):
            continue
        seconds = estimate.cpu_seconds(config, facts.images, facts.val_images)
        if seconds <= PLANNED_SHARE * 60 * config.max_minutes:
            limit = estimate.format_duration(60 * config.max_minutes)
            return size, f"time for {config.epochs} epochs in {limit}"
    return usual, "the recipe's: the time limit is too short for larger images"


def _config_at_size(
    known: dict[str, Any], facts: Facts, size: int
) -> TrainConfig | None:
    """Returns all settings at an image size; None if a given S does not allow it."""
    known = {**known, "image_size": size}
    sizes = grid_sizes(known["network"], size)
    if sizes and known.get("S", sizes[0]) not in sizes:
        return None
    found, _ = _settings_at_size(known, facts)
    settings = {**recipes.values(**known), **known, **found}
    return TrainConfig(C=len(facts.classes), **settings)


def _grid_size(found: dict[str, Any], facts: Facts) -> tuple[int, str]:
    """Returns the coarsest possible S that keeps the objects apart."""
    sizes = grid_sizes(found["network"], found["image_size"]) or (found["S"],)
    if facts.objects is None:
        return sizes[-1], "the finest: the objects were not read"
    objects = tiling.cut_objects(facts.objects, found.get("tiles", 0))
    side = median_size(objects)
    for S in sizes:
        lost, cells = lost_share(objects, S), S * side
        reason = f"{lost:.1%} of the objects share a cell, half are {cells:.1f} cells"
        if lost <= MAX_LOST and cells >= CELLS_PER_OBJECT:
            break
    return S, f"{reason} or larger"


def lost_share(objects: RaggedBoxes, S: int) -> float:
    """Returns the share of objects whose cell belongs to an earlier object."""
    if not len(objects.class_ids):
        return 0.0
    image = np.repeat(np.arange(len(objects.offsets) - 1), np.diff(objects.offsets))
    kept = grid.first_in_cells(objects.boxes, image, GridConfig(S=S))
    return 1 - len(kept) / len(image)


def median_size(objects: RaggedBoxes) -> float:
    """Returns the median side of the objects: the root of their area, relative."""
    if not len(objects.class_ids):
        return 1.0
    sides: Array = objects.boxes[:, 2:] - objects.boxes[:, :2]
    return float(np.median(np.sqrt(np.prod(sides, axis=-1))))


def _batch_size(found: dict[str, Any], facts: Facts) -> tuple[int, str]:
    """Returns a power of two."""
    low, high = GPU_BATCHES if facts.has_gpu else CPU_BATCHES
    size, images = high, _count(found, facts)
    while size > low and images < size * STEPS_PER_EPOCH:
        size //= 2
    device = "an accelerator" if facts.has_gpu else "the CPU"
    return min(size, max(images, 1)), f"{images} images on {device}"


def _epochs(found: dict[str, Any], facts: Facts) -> tuple[int, str]:
    """Returns more epochs for few images."""
    epochs, steps = found["epochs"], _steps(found, facts)
    needed = -(-MIN_UPDATES[found["recipe"]] // steps)
    chosen = min(max(epochs, needed), MAX_EPOCHS_FACTOR * epochs)
    return chosen, f"{steps} steps per epoch"


def _ema_momentum(found: dict[str, Any], facts: Facts) -> tuple[float, str]:
    if found.get("max_minutes"):
        return LIMITED_MOMENTUM, "averages the last 50 steps"
    steps = _steps(found, facts)
    span = min(max(AVERAGED_SHARE * found["epochs"] * steps, 1.0), MAX_AVERAGED)
    return round(1 - 1 / span, 4), f"averages {span:.0f} steps"


def _count(found: dict[str, Any], facts: Facts) -> int:
    """Returns the number of training images, with their tiles."""
    return facts.images * tiling.count(found.get("tiles", 0))


def _steps(found: dict[str, Any], facts: Facts) -> int:
    """Returns the number of steps per epoch."""
    return max(_count(found, facts) // found["batch_size"], 1)


def _flip(found: dict[str, Any], facts: Facts) -> tuple[float, str]:
    if all(len(name.strip()) == 1 for name in facts.classes):
        return 0.0, "the classes are single characters, which differ when mirrored"
    return found["flip"], "mirrored objects keep their class"


def _precision(found: dict[str, Any], facts: Facts) -> tuple[str, str]:
    if facts.has_gpu and facts.has_bfloat16:
        return "mixed_bfloat16", "the accelerator computes in bfloat16"
    return found["precision"], "the fastest that trains on this device"


_CHOOSE = {
    "S": _grid_size,
    "batch_size": _batch_size,
    "epochs": _epochs,
    "ema_momentum": _ema_momentum,
    "flip": _flip,
    "precision": _precision,
}
"""How each automatic setting is chosen; later ones depend on earlier ones."""

"""The quickstart dataset: handwritten digits on photographs, generated offline.

Scans and photographs come from scikit-learn. No scan and no part of a photograph is
used in both splits.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import fiftyone as fo
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import connection

logger = logging.getLogger(__name__)

SCENES = {"train": 400, "val": 100}
SEED = 2015
SCENE_SIZE = (320, 640)  # width and height, in pixels
DIGITS = (1, 6)  # per scene
DIGIT_SIZE = (24, 256)  # the longer side, in pixels
LAST_TRAIN_SCAN = 1436
MIN_INK = 4  # of 16: darker pixels of a scan belong to the digit


class Scene(NamedTuple):
    """An image with its digits.

    Attributes:
        image: (H, W, 3) uint8 RGB
        boxes: [x, y, w, h] of each digit, relative, as FiftyOne stores it
        labels: "0" to "9"
    """

    image: Array
    boxes: list[list[float]]
    labels: list[str]


@connection.one_line_errors()
def load_quickstart(
    name: str = "yolov1-quickstart", *, persistent: bool = True
) -> fo.Dataset:
    """Returns 500 scenes of handwritten digits, tagged `train` and `val`.

    They are generated on first use, in FiftyOne's default dataset folder, and loaded
    after that.

    Args:
        name ("yolov1-quickstart"): of the dataset
        persistent (True): keeps it in the database when Python exits

    Returns:
        a dataset with Detections of ten classes in `ground_truth`
    """
    connection.check()
    folder = Path(fo.config.default_dataset_dir) / "yolov1-quickstart"
    if fo.dataset_exists(name):
        dataset = fo.load_dataset(name)
        if _is_complete(dataset):
            return dataset
        raise ValueError(
            f"dataset '{name}' exists, but is not the complete quickstart; choose "
            f"another name, or fo.delete_dataset('{name}')"
        )
    logger.info("generating %d scenes in %s", sum(SCENES.values()), folder)
    samples = [sample for split in SCENES for sample in _samples(split, folder / split)]
    dataset = fo.Dataset(name, persistent=persistent)
    dataset.default_classes = [str(digit) for digit in range(10)]
    dataset.info = {
        "description": "handwritten digits on photographs, from scikit-learn's data"
    }
    dataset.add_samples(samples, progress=False)
    return dataset


def _is_complete(dataset: fo.Dataset) -> bool:
    paths = dataset.values("filepath")
    return (
        len(paths) == sum(SCENES.values())
        and dataset.has_field("ground_truth")
        and all(Path(path).is_file() for path in paths)
    )


def _samples(split: str, folder: Path) -> Iterator[fo.Sample]:
    folder.mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(scenes(split)):
        path = folder / f"{number:03d}.jpg"
        bgr = cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
        with files.atomic_file(path) as unfinished:
            unfinished.write_bytes(encoded.tobytes())
        detections = [
            fo.Detection(label=label, bounding_box=box)
            for label, box in zip(scene.labels, scene.boxes, strict=True)
        ]
        truth = fo.Detections(detections=detections)
        yield fo.Sample(filepath=str(path), tags=[split], ground_truth=truth)


def scenes(split: str, count: int | None = None) -> Iterator[Scene]:
    """Yields the scenes of a split, the same ones on every call.

    Args:
        split: train or val
        count (all): number of scenes
    """
    digits = load_digits()
    photographs = load_sample_images().images
    if split == "train":
        scans = slice(0, LAST_TRAIN_SCAN + 1)
        backgrounds = [photo[:, : photo.shape[1] * 2 // 3] for photo in photographs]
    else:
        scans = slice(LAST_TRAIN_SCAN + 1, None)
        backgrounds = [photo[:, photo.shape[1] * 2 // 3 :] for photo in photographs]
    rng = np.random.default_rng([SEED, list(SCENES).index(split)])
    for _ in range(SCENES[split] if count is None else count):
        yield _scene(rng, digits.images[scans], digits.target[scans], backgrounds)


def _scene(
    rng: np.random.Generator, scans: Array, targets: Array, backgrounds: list[Array]
) -> Scene:
    height, width = rng.integers(SCENE_SIZE[0], SCENE_SIZE[1] + 1, size=2)
    image = _background(rng, backgrounds, height, width).astype(np.float32)
    placed: list[tuple[int, int, int, int]] = []
    labels = []
    for _ in range(rng.integers(DIGITS[0], DIGITS[1] + 1)):
        scan = int(rng.integers(len(scans)))
        ink = _ink(rng, scans[scan])
        spot = _free_spot(rng, ink.shape, (height, width), placed)
        if spot is None:
            continue
        x, y, w, h = spot
        patch = image[y : y + h, x : x + w]
        image[y : y + h, x : x + w] = _blend(rng, patch, ink)
        placed.append(spot)
        labels.append(str(targets[scan]))
    boxes = [[x / width, y / height, w / width, h / height] for x, y, w, h in placed]
    return Scene(image.clip(0, 255).astype(np.uint8), boxes, labels)


def _background(
    rng: np.random.Generator, photographs: list[Array], height: int, width: int
) -> Array:
    photo = photographs[rng.integers(len(photographs))]
    most = np.array(photo.shape[:2])
    h, w = (most * rng.uniform(0.4, 1.0, size=2)).astype(int)
    y, x = rng.integers(0, most - (h, w) + 1)
    crop = np.ascontiguousarray(photo[y : y + h, x : x + w])
    return cv2.resize(crop, (int(width), int(height)), interpolation=cv2.INTER_LINEAR)


def _ink(rng: np.random.Generator, scan: Array) -> Array:
    """Returns the darkness of a scan, cropped to the digit and resized."""
    rows, columns = (
        np.flatnonzero((scan >= MIN_INK).any(axis=axis)) for axis in (1, 0)
    )
    cut = scan[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / 16
    scale = rng.integers(DIGIT_SIZE[0], DIGIT_SIZE[1] + 1) / max(cut.shape)
    h, w = (max(round(side * scale), 1) for side in cut.shape)
    enlarged = cv2.resize(cut.astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    return np.clip(enlarged, 0, 1)


def _free_spot(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    scene: tuple[int, int],
    placed: list[tuple[int, int, int, int]],
) -> tuple[int, int, int, int] | None:
    """Returns x, y, w, h of a free area; None if none was found."""
    h, w = shape
    for _ in range(20):
        y = int(rng.integers(0, scene[0] - h + 1))
        x = int(rng.integers(0, scene[1] - w + 1))
        if all(
            x + w <= px or px + pw <= x or y + h <= py or py + ph <= y
            for px, py, pw, ph in placed
        ):
            return x, y, w, h
    return None


def _blend(rng: np.random.Generator, patch: Array, ink: Array) -> Array:
    """Returns the background with a digit, lighter or darker than the background."""
    brightness = (patch.mean(axis=-1) * ink).sum() / ink.sum()
    color = rng.uniform(0, 60, size=3)
    color = 255 - color if brightness < 128 else color
    strength = rng.uniform(0.85, 1.0)
    alpha = (ink * strength)[..., None]
    return patch * (1 - alpha) + color * alpha

"""Speed of reading photographs, compared with a plain OpenCV loop."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from benchmarks import measuring
from benchmarks.measuring import Figure
from yolov1_fo.image_files import resizing
from yolov1_fo.pipeline import image_loading

IMAGE_SIZE = 448


def read_with_opencv(paths: Sequence[str]) -> None:
    """Decodes, applies the EXIF orientation and resizes, with as many threads."""

    def one(path: str) -> int:
        pixels = resizing.resize(cv2.imread(path, cv2.IMREAD_COLOR), IMAGE_SIZE)
        return len(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))

    with ThreadPoolExecutor(image_loading.thread_count(0)) as pool:
        for _ in pool.map(one, paths):
            pass


def read_with_library(paths: Sequence[str]) -> None:
    for _ in image_loading.read_all(paths, IMAGE_SIZE):
        pass


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second for two sets of photographs."""
    for folder, target in (
        ("highway/train/data", 0.9),
        ("open_images_person_car", None),
    ):
        paths = sorted(str(path) for path in (photographs / folder).rglob("*.jpg"))
        paths = paths[: 40 if quick else 600]
        times = measuring.alternate(
            {
                "library": lambda p=paths: read_with_library(p),
                "opencv": lambda p=paths: read_with_opencv(p),
            },
            rounds=3 if quick else 9,
        )
        what = f"reading {len(paths)} of {folder}"
        yield measuring.figure(what, len(paths) / times["library"], "images/s")
        ratio = times["opencv"] / times["library"]
        yield measuring.figure(f"{what}, speed / plain OpenCV", ratio, target=target)

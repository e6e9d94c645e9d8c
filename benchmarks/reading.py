"""Reading photographs, beside a bare OpenCV loop on as many threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from benchmarks import measuring
from benchmarks.measuring import Figure
from yolov1_fo.image_files import resizing
from yolov1_fo.pipeline import image_loading

SIDE = 448


def bare(paths: Sequence[str]) -> None:
    """Decodes, turns by EXIF and resizes, and does nothing else."""

    def one(path: str) -> int:
        pixels = resizing.resize(cv2.imread(path, cv2.IMREAD_COLOR), SIDE)
        return len(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))

    with ThreadPoolExecutor(image_loading.thread_count(0)) as pool:
        for _ in pool.map(one, paths):
            pass


def ours(paths: Sequence[str]) -> None:
    for _ in image_loading.read_all(paths, SIDE):
        pass


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields how fast photographs of two kinds are read."""
    for folder, target in (
        ("highway/train/data", 0.9),
        ("open_images_person_car", None),
    ):
        paths = sorted(str(path) for path in (photographs / folder).rglob("*.jpg"))
        paths = paths[: 40 if quick else 600]
        times = measuring.in_turns(
            {"ours": lambda p=paths: ours(p), "bare": lambda p=paths: bare(p)},
            rounds=3 if quick else 9,
        )
        what = f"reading {len(paths)} of {folder}"
        yield measuring.figure(what, len(paths) / times["ours"], "images/s")
        ratio = times["bare"] / times["ours"]
        yield measuring.figure(f"{what}, of a bare loop", ratio, target=target)

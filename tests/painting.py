"""Pictures of plain squares on gray, with their boxes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolov1_fo import images

COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


def paint(folder: Path) -> list[dict]:
    """Returns eight pictures of one or two squares, as files; the sixth has none.

    Args:
        folder: that is there

    Returns:
        of each picture its `path`, and as `objects` pairs of label and `[x, y, w, h]`
    """
    rng = np.random.default_rng(3)
    made = []
    for number in range(8):
        height, width = (int(x) for x in rng.integers(80, 160, size=2))
        image = np.full((height, width, 3), 128, np.uint8)
        image += rng.integers(0, 20, image.shape, dtype=np.uint8)
        objects = []
        for half in range(0 if number == 5 else 1 + number % 2):
            label = ("red", "blue")[(number + half) % 2]
            w, h = rng.uniform(0.25, 0.4, size=2)
            x = half * 0.5 + rng.uniform(0.02, 0.48 - w)
            y = rng.uniform(0.02, 0.98 - h)
            left, top = round(x * width), round(y * height)
            right, bottom = round((x + w) * width), round((y + h) * height)
            image[top:bottom, left:right] = COLORS[label]
            box = [left / width, top / height]
            box += [(right - left) / width, (bottom - top) / height]
            objects.append((label, box))
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        made.append({"path": path, "objects": objects})
    return made


def add(dataset: Any, painted: list[dict], repeats: int = 1) -> None:
    """Adds painted pictures to a dataset: six in eight `train`, two `val`.

    Args:
        dataset: of FiftyOne
        painted: from `paint`
        repeats (1): so many samples show each picture
    """
    import fiftyone as fo

    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(one["path"]),
                tags=["train" if number < 6 else "val"],
                ground_truth=fo.Detections(
                    detections=[
                        fo.Detection(label=label, bounding_box=box)
                        for label, box in one["objects"]
                    ]
                ),
            )
            for _ in range(repeats)
            for number, one in enumerate(painted)
        ],
        progress=False,
    )


def film(path: Path, painted: list[dict]) -> Path:
    """Writes a video of painted images, one per frame; returns its path."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 5, (96, 96))
    for one in painted:
        video.write(images.read(one["path"], 96)[..., ::-1])
    video.release()
    return path

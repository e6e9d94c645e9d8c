"""Numbers that others have computed: Darknet's own, and known average precisions."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import numpy as np

DARKNET = Path(__file__).parent / "darknet"
AVERAGE_PRECISION = Path(__file__).parent / "average_precision"


def darknet(name: str) -> dict[str, np.ndarray]:
    """Returns what Darknet computed; its README there says what is what."""
    with np.load(DARKNET / f"{name}.npz", allow_pickle=False) as stored:
        return dict(stored)


class Case(NamedTuple):
    """A data set with known average precision, all of one class.

    Attributes:
        sizes: (N, 2) width and height of each image, in pixels; 0 where not said
        truth: by image, (M, 4) xyxy, in pixels
        found: by image, (K, 5) score and xyxy, in pixels
    """

    sizes: np.ndarray
    truth: list[np.ndarray]
    found: list[np.ndarray]


def voc_case1() -> Case:
    """Returns 7 images, 15 objects, 24 detections."""
    folder = AVERAGE_PRECISION / "padilla_voc_case1"
    truth, found = [], []
    for path in sorted((folder / "gts").glob("*.txt")):
        truth.append(_corners(_numbers(path)))
        rows = _numbers(folder / "dets" / path.name)
        found.append(np.column_stack([rows[:, 0], _corners(rows[:, 1:])]))
    return Case(np.zeros((len(truth), 2), int), truth, found)


def toyexample() -> Case:
    """Returns 10 photographs' boxes: 12 cats, 12 detections."""
    folder = AVERAGE_PRECISION / "padilla_toyexample"
    sizes, truth, found = [], [], []
    for path in sorted((folder / "gts_vocpascal_format").glob("*.xml")):
        root = ElementTree.parse(path).getroot()
        sizes.append([int(root.findtext(f"size/{key}")) for key in ("width", "height")])
        corners = ("xmin", "ymin", "xmax", "ymax")
        truth.append(
            np.array(
                [
                    [float(one.findtext(f"bndbox/{corner}")) for corner in corners]
                    for one in root.iter("object")
                ]
            ).reshape(-1, 4)
        )
        name = f"dets_classname_abs_xyx2y2/{path.stem}.txt"
        found.append(_numbers(folder / name))
    return Case(np.array(sizes), truth, found)


def _numbers(path: Path) -> np.ndarray:
    """Returns what stands behind the class name on each line."""
    lines = [line.split()[1:] for line in path.read_text().splitlines() if line.strip()]
    width = len(lines[0]) if lines else 5
    return np.array(lines, float).reshape(-1, width)


def _corners(xywh: np.ndarray) -> np.ndarray:
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)

"""Trained detectors that come with the package: `load_model("yolov1-highway")`.

Each folder is a checkpoint with a model card; `make models` trains them again. Never
imports Keras.
"""

from pathlib import Path

ROOT = Path(__file__).parent


def names() -> list[str]:
    """Returns the names of the detectors.

    Example:
        >>> names()
        ['yolov1-highway', 'yolov1-quickstart']
    """
    return sorted(path.parent.name for path in ROOT.glob("*/run.json"))


def folder_of(name: str) -> Path | None:
    """Returns the checkpoint folder of a detector; None if the name is unknown."""
    return ROOT / name if name in names() else None

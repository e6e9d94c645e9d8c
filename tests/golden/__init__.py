"""Numbers that others have computed: Darknet's own, and known average precisions."""

from pathlib import Path

import numpy as np

DARKNET = Path(__file__).parent / "darknet"
AVERAGE_PRECISION = Path(__file__).parent / "average_precision"


def darknet(name: str) -> dict[str, np.ndarray]:
    """Returns what Darknet computed; its README there says what is what."""
    with np.load(DARKNET / f"{name}.npz", allow_pickle=False) as stored:
        return dict(stored)

"""How much the output of another runtime may differ from that of Keras."""

import math

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import INT8

TOLERANCES = {"float32": 1e-4, "bfloat16": 0.05}
"""Largest difference from Keras, relative to the largest output if that is above 1."""
INT8_TOLERANCE = 0.2
"""Mean difference from Keras in 8 bits, relative to the mean output.

In 8 bits, single outputs differ by half of the largest while the detections stay the
same, so the mean is compared. Measured with `yolov1-highway` on photographs of its
kind: 0.06 to 0.08, and 0.12 for the worst photograph; calibrated with images of blood
cells, 0.18; with black images, 0.37, and half of the detections are missing.
"""


def check(
    what: str, outputs: Array, expected: Array, precision: str, advice: str
) -> float:
    """Returns how much an output differs from that of Keras.

    Outputs of Keras that are not finite are not compared: the difference is NaN.

    Args:
        what: has computed the output
        outputs: (N, ...)
        expected: of the same batch, by Keras
        precision: of the computation: float32, bfloat16 or int8
        advice: what to do if it differs too much

    Raises:
        ValueError: if it differs too much
    """
    if not np.isfinite(expected).all():
        return math.nan
    differences, sizes = np.abs(outputs - expected), np.abs(expected)
    if precision == INT8:
        difference = float(differences.mean())
        allowed = INT8_TOLERANCE * float(sizes.mean())
    else:
        difference = float(differences.max())
        allowed = TOLERANCES[precision] * max(1.0, float(sizes.max()))
    if not difference <= allowed:
        raise ValueError(
            f"{what} must be within {allowed:.1e} of Keras, got {difference:.1e}; "
            f"{advice}"
        )
    return difference

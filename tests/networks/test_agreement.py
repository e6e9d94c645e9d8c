import math

import numpy as np
import pytest

from yolov1_fo.networks import agreement

ONES = np.ones((2, 10))


def changed(first):
    outputs = ONES.copy()
    outputs[0, 0] += first
    return outputs


@pytest.mark.parametrize(
    ("outputs", "expected", "precision", "difference"),
    [
        (changed(9e-5), ONES, "float32", 9e-5),
        (changed(2e-4), ONES, "float32", None),
        (10 * changed(9e-5), 10 * ONES, "float32", 9e-4),  # relative to the largest
        (changed(9e-5) / 10, ONES / 10, "float32", 9e-6),
        (changed(2e-4) / 1.5, ONES / 1.5, "float32", None),  # which counts as 1
        (changed(0.04), ONES, "bfloat16", 0.04),
        (changed(0.06), ONES, "bfloat16", None),
        (changed(2.0), ONES, "int8", 0.1),  # 2 / 20: the mean
        (changed(-5.0), ONES, "int8", None),
        (10 * changed(2.0), 10 * ONES, "int8", 1.0),  # relative to the mean
        (0 * ONES, ONES, "int8", None),
    ],
)
def test_the_tolerance_depends_on_the_precision(
    outputs, expected, precision, difference
):
    given = ("it", outputs, expected, precision, "do that")
    if difference is not None:
        assert agreement.check(*given) == pytest.approx(difference)
        return
    line = r"^it must be within \S+ of Keras, got \S+; do that$"
    with pytest.raises(ValueError, match=line):
        agreement.check(*given)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_outputs_that_are_not_finite(precision):
    """Those of Keras are not compared; those of a runtime are a difference."""
    broken = np.full_like(ONES, np.nan)
    assert math.isnan(agreement.check("it", broken, broken, precision, ""))
    with pytest.raises(ValueError, match="got nan"):
        agreement.check("it", broken, ONES, precision, "")

import numpy as np
import PIL.ImageColor
import pytest

from tests.evaluation.test_outcomes import LEFT, MOST_OF_LEFT, RIGHT, found, truth
from yolov1_fo.evaluation import outcome_pictures, outcomes

GRAY = np.full((120, 120, 3), 90, np.uint8)
COLORS = {
    name: PIL.ImageColor.getrgb(getattr(outcome_pictures, name))
    for name in ("RIGHT", "WRONG", "IGNORED", "FOUND", "MISSED")
}


def colors_in(picture):
    pixels = np.asarray(picture)
    return {
        name
        for name, color in COLORS.items()
        if (pixels == color).all(axis=-1).sum() > 20
    }


CASES = [
    (found((LEFT, 0.9, 0)), truth((LEFT, 0)), {"RIGHT"}),  # drawn over the object
    (found((MOST_OF_LEFT, 0.9, 0)), truth((LEFT, 0)), {"RIGHT", "FOUND"}),
    (found((LEFT, 0.9, 1)), truth((RIGHT, 0)), {"WRONG", "MISSED"}),
    (found((LEFT, 0.9, 0)), truth((LEFT, 0, True)), {"IGNORED"}),
    (found(), truth(), set()),
]


@pytest.mark.parametrize(("detections", "objects", "colors"), CASES)
def test_colors_tell_what_is_right(detections, objects, colors):
    one = outcomes.outcome(detections, objects, np.zeros(2), 0.5)
    picture = outcome_pictures.draw(GRAY, one, ["cat", "dog"])
    assert colors_in(picture) == colors


def test_boxes_of_a_letterboxed_image_are_in_its_window():
    one = outcomes.outcome(found((LEFT, 0.9, 0)), truth(), np.zeros(1), 0.5)
    window = np.array([0.0, 0.25, 1.0, 0.75])
    picture = outcome_pictures.draw(GRAY, one, [""], window)
    rows, columns = np.nonzero((np.asarray(picture) == COLORS["WRONG"]).all(axis=-1))
    assert (rows.max(), columns.min(), columns.max()) == (90, 0, 48)  # 0.75, 0.4
    assert tuple(np.asarray(picture)[60, 48]) == COLORS["WRONG"]
    assert tuple(np.asarray(picture)[30, 40]) == COLORS["WRONG"]  # 0.25 of 120

import numpy as np
import PIL.ImageColor
import pytest

from yolov1_fo import grid
from yolov1_fo.config import GridConfig
from yolov1_fo.visualize import drawing, grid_views

SIDE = 200
BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)
ORANGE, _, GREEN = map(PIL.ImageColor.getrgb, drawing.COLOURS[:3])
NONE = np.zeros((0, 4), np.float32)


def is_shaded(picture, row, column, S):
    """Returns whether the middle of a cell is another than that of a black image."""
    image_size = SIDE / S
    place = int((row + 0.5) * image_size) + 8, int((column + 0.5) * image_size) + 8
    return bool(np.asarray(picture)[place].any())


def said(config, **parts):
    """Returns cells that say nothing, but for some parts."""
    S, B, C = config.S, config.B, config.C
    nothing = grid.Cells(
        np.zeros((S, S, C), np.float32),
        np.zeros((S, S, B), np.float32),
        np.zeros((S, S, B, 4), np.float32),
    )
    return nothing._replace(**parts)


def test_the_surer_box_has_the_thicker_edge():
    config = GridConfig(S=1, B=2, C=1)
    boxes = np.float32([[[[0.25, 0.5, 0.5, 0.5], [0.75, 0.5, 0.5, 0.5]]]])
    cells = said(config, boxes=boxes, confidence=np.float32([[[0.1, 1.0]]]))
    picture = np.asarray(grid_views.cell_boxes(BLACK, cells, config))
    line = picture[100].any(axis=-1)
    assert line[:100].sum() == 2  # one pixel on each side
    assert line[100:].sum() == 2 * drawing.THICKEST
    assert picture[100, 30:70].max() < 60  # faint
    assert (picture[100] == ORANGE).all(axis=-1).sum() == 2 * drawing.THICKEST


def test_the_cell_of_a_centre_is_shaded_with_the_colour_of_its_class():
    config = GridConfig(S=2, B=2, C=3)
    corners = np.float32([[0.08, 0.52, 0.72, 0.88]])  # centre (0.4, 0.7)
    picture = grid_views.truth(BLACK, corners, np.array([2]), config, ["a", "b", "c"])
    shaded = [is_shaded(picture, *cell, 2) for cell in np.ndindex(2, 2)]
    assert shaded == [False, False, True, False]
    red, green, blue = (int(x) for x in np.asarray(picture)[120, 30])
    assert green > max(red, blue)  # "#009E73"
    centre = np.asarray(picture)[140, 80]
    assert tuple(centre) == GREEN


def test_of_two_objects_in_a_cell_the_first_shades_it():
    config = GridConfig(S=1, B=2, C=3)
    corners = np.float32([[0.1, 0.1, 0.2, 0.2], [0.6, 0.6, 0.9, 0.9]])
    picture = grid_views.truth(BLACK, corners, np.array([0, 1]), config)
    assert np.asarray(picture)[100, 20, 0] > np.asarray(picture)[100, 20, 2]


def test_objectness_is_the_best_confidence_of_a_cell():
    config = GridConfig(S=2, B=2, C=1)
    confidence = np.zeros((2, 2, 2), np.float32)
    confidence[0, 0] = 0.0, 1.0
    confidence[1, 1] = 0.5, -3.0  # negative ones are none
    picture = np.asarray(
        grid_views.objectness(BLACK, said(config, confidence=confidence))
    )
    red = [int(picture[y, x, 0]) for y in (30, 170) for x in (30, 170)]
    whole = 230 * drawing.VEIL  # of "#E69F00"
    assert red == pytest.approx([whole, 0, 0, whole / 2], abs=2)


def test_the_class_map_shows_the_likeliest_class():
    config = GridConfig(S=2, B=1, C=2)
    probs = np.zeros((2, 2, 2), np.float32)
    probs[0, 1] = 0.2, 0.9
    picture = np.asarray(
        grid_views.class_map(BLACK, said(config, class_probs=probs), config)
    )
    red, _, blue = (int(x) for x in picture[30, 170])
    assert blue > red  # "#56B4E9", of class 1
    assert not picture[30, 30].any()


def test_detections_say_class_and_score():
    corners = np.float32([[0.1, 0.3, 0.5, 0.7]])
    picture = grid_views.detections(BLACK, corners, [0.87], [1], ["a", "b"])
    named = drawing.with_boxes(BLACK, corners, [drawing.COLOURS[1]], ["b 0.87"])
    assert np.array_equal(picture, named)


def test_nothing_is_drawn_of_nothing():
    config = GridConfig(S=3, B=1, C=2)
    with_lines = np.asarray(drawing.with_grid(BLACK, 3))
    nothing = np.array([], int)
    for picture, ground in (
        (grid_views.detections(BLACK, NONE, nothing, nothing, ["a", "b"]), BLACK),
        (grid_views.truth(BLACK, NONE, nothing, config), with_lines),
        (grid_views.objectness(BLACK, said(config)), with_lines),
        (grid_views.class_map(BLACK, said(config), config), with_lines),
    ):
        assert np.array_equal(picture, ground)

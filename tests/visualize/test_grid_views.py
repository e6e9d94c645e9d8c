import numpy as np
import PIL.ImageColor
import pytest

from yolov1_fo import grid
from yolov1_fo.config import GridConfig
from yolov1_fo.visualize import drawing, grid_views

SIDE = 200
BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)
ORANGE, _, GREEN = map(PIL.ImageColor.getrgb, drawing.COLORS[:3])
NONE = np.zeros((0, 4), np.float32)


def is_shaded(picture, row, column, S):
    """Returns whether the middle of a cell is not black."""
    cell = SIDE / S
    pixel = int((row + 0.5) * cell) + 8, int((column + 0.5) * cell) + 8
    return bool(np.asarray(picture)[pixel].any())


def cells_with(config, **parts):
    """Returns cells with the given parts; the others are zeros."""
    S, B, C = config.S, config.B, config.C
    zeros = grid.Cells(
        np.zeros((S, S, C), np.float32),
        np.zeros((S, S, B), np.float32),
        np.zeros((S, S, B, 4), np.float32),
    )
    return zeros._replace(**parts)


def test_a_confident_box_has_a_thick_edge():
    config = GridConfig(S=1, B=2, C=1)
    boxes = np.float32([[[[0.25, 0.5, 0.5, 0.5], [0.75, 0.5, 0.5, 0.5]]]])
    cells = cells_with(config, boxes=boxes, confidence=np.float32([[[0.1, 1.0]]]))
    picture = np.asarray(grid_views.cell_boxes(BLACK, cells, config))
    line = picture[100].any(axis=-1)
    assert line[:100].sum() == 2  # one pixel on each side
    assert line[100:].sum() == 2 * drawing.MAX_LINE_WIDTH
    assert picture[100, 30:70].max() < 60  # faint
    assert (picture[100] == ORANGE).all(axis=-1).sum() == 2 * drawing.MAX_LINE_WIDTH


def test_the_responsible_cell_has_the_color_of_the_class():
    config = GridConfig(S=2, B=2, C=3)
    corners = np.float32([[0.08, 0.52, 0.72, 0.88]])  # center (0.4, 0.7)
    picture = grid_views.truth(BLACK, corners, np.array([2]), config, ["a", "b", "c"])
    shaded = [is_shaded(picture, *cell, 2) for cell in np.ndindex(2, 2)]
    assert shaded == [False, False, True, False]
    red, green, blue = (int(x) for x in np.asarray(picture)[120, 30])
    assert green > max(red, blue)  # "#009E73"
    center = np.asarray(picture)[140, 80]
    assert tuple(center) == GREEN


def test_the_nearest_neighbors_are_shaded_if_they_are_responsible():
    config = GridConfig(S=3, B=2, C=1)
    corners = np.float32([[0.3, 0.3, 0.8, 0.8]])  # center (0.55, 0.55), cell (1, 1)
    arguments = (BLACK, corners, np.array([0]), config)
    alone, near = (
        {
            cell
            for cell in np.ndindex(3, 3)
            if is_shaded(grid_views.truth(*arguments, neighbor_cells=on), *cell, 3)
        }
        for on in (False, True)
    )
    assert alone == {(1, 1)}
    assert near == {(1, 1), (1, 2), (2, 1)}


def test_a_cell_with_two_objects_has_the_color_of_the_first():
    config = GridConfig(S=1, B=2, C=3)
    corners = np.float32([[0.1, 0.1, 0.2, 0.2], [0.6, 0.6, 0.9, 0.9]])
    picture = grid_views.truth(BLACK, corners, np.array([0, 1]), config)
    assert np.asarray(picture)[100, 20, 0] > np.asarray(picture)[100, 20, 2]


def test_objectness_is_the_highest_confidence_of_a_cell():
    config = GridConfig(S=2, B=2, C=1)
    confidence = np.zeros((2, 2, 2), np.float32)
    confidence[0, 0] = 0.0, 1.0
    confidence[1, 1] = 0.5, -3.0  # negative values count as 0
    picture = np.asarray(
        grid_views.objectness(BLACK, cells_with(config, confidence=confidence))
    )
    red = [int(picture[y, x, 0]) for y in (30, 170) for x in (30, 170)]
    full = 230 * drawing.CELL_OPACITY  # of "#E69F00"
    assert red == pytest.approx([full, 0, 0, full / 2], abs=2)


def test_the_class_map_shows_the_most_likely_class():
    config = GridConfig(S=2, B=1, C=2)
    probs = np.zeros((2, 2, 2), np.float32)
    probs[0, 1] = 0.2, 0.9
    picture = np.asarray(
        grid_views.class_map(BLACK, cells_with(config, class_probs=probs), config)
    )
    red, _, blue = (int(x) for x in picture[30, 170])
    assert blue > red  # "#56B4E9", of class 1
    assert not picture[30, 30].any()


def test_detections_have_class_and_score():
    corners = np.float32([[0.1, 0.3, 0.5, 0.7]])
    picture = grid_views.detections(BLACK, corners, [0.87], [1], ["a", "b"])
    named = drawing.with_boxes(BLACK, corners, [drawing.COLORS[1]], ["b 0.87"])
    assert np.array_equal(picture, named)


def test_nothing_is_drawn_without_objects():
    config = GridConfig(S=3, B=1, C=2)
    with_lines = np.asarray(drawing.with_grid(BLACK, 3))
    empty = np.array([], int)
    for picture, expected in (
        (grid_views.detections(BLACK, NONE, empty, empty, ["a", "b"]), BLACK),
        (grid_views.truth(BLACK, NONE, empty, config), with_lines),
        (grid_views.objectness(BLACK, cells_with(config)), with_lines),
        (grid_views.class_map(BLACK, cells_with(config), config), with_lines),
    ):
        assert np.array_equal(picture, expected)

"""Tiles of images, and what is found in them, with NumPy only."""

import numpy as np
import pytest

from yolov1_fo.decode import Detections
from yolov1_fo.pipeline import tiling
from yolov1_fo.pipeline.objects import RaggedBoxes

SETTINGS = {"iou_thresh": 0.5, "max_detections": 100}


def found(*rows):
    """Returns detections of rows of class id, score and box."""
    return Detections(
        np.array([row[2:] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], np.float32),
        np.array([row[0] for row in rows], np.int32),
    )


@pytest.mark.parametrize("tiles", [0, 1])
def test_without_tiles_there_is_the_image(tiles):
    assert tiling.windows(tiles).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("tiles", [2, 3, 7])
def test_tiles_cover_the_image_and_overlap(tiles):
    parts = tiling.windows(tiles)
    assert parts.shape == (1 + tiles * tiles, 4)
    assert parts[0].tolist() == [0, 0, 1, 1]
    own = parts[1:].reshape(tiles, tiles, 4)
    assert own[0, 0, :2].tolist() == [0, 0]
    np.testing.assert_allclose(own[-1, -1, 2:], 1)
    side = own[0, 0, 2]
    for first, second in zip(own[0], own[0, 1:], strict=False):
        assert first[2] - second[0] == pytest.approx(tiling.OVERLAP * side)


@pytest.mark.parametrize("size", [(101, 67), (3, 500), (1, 1)])
def test_parts_are_whole_pixels_of_the_image(size):
    image = np.arange(size[0] * size[1] * 3).reshape(*size, 3)
    parts = tiling.cut(image, 3)
    assert [part.shape[:2] for part in parts] == tiling.sizes(size, 3)
    assert min(min(part.shape[:2]) for part in parts) >= 1
    np.testing.assert_array_equal(parts[0], image)
    assert set(np.unique(np.concatenate([p.ravel() for p in parts[1:]]))) == set(
        image.ravel().tolist()
    )


def test_a_box_is_placed_in_the_image():
    parts = [found() for _ in range(5)]
    parts[4] = found((1, 0.9, 0.5, 0.5, 0.75, 0.9))  # the tile at the bottom right
    merged, rows = tiling.merge(parts, 2, **SETTINGS)
    start, side = 1 - 4 / 7, 4 / 7  # of a tile: 1 / (2 - 0.25)
    expected = start + side * np.array([0.5, 0.5, 0.75, 0.9])
    np.testing.assert_allclose(merged.boxes[0], expected, atol=1e-6)
    assert (merged.scores.tolist(), merged.class_ids.tolist()) == (
        *([pytest.approx(0.9)], [1]),
    )
    assert rows.tolist() == [0]


def test_cut_objects_are_dropped_and_whole_ones_kept():
    cut = (0, 0.9, 0.7, 0.4, 1.0, 0.6)  # reaches the right edge of its part
    parts = [found() for _ in range(5)]
    parts[1] = found(cut)  # its right edge is inside the image
    assert not len(tiling.merge(parts, 2, **SETTINGS)[0].scores)
    parts[1], parts[2] = found(), found(cut)  # here it is that of the image
    assert len(tiling.merge(parts, 2, **SETTINGS)[0].scores) == 1
    parts[2], parts[0] = found(), found(cut)  # the whole image
    assert len(tiling.merge(parts, 2, **SETTINGS)[0].scores) == 1


def test_the_same_object_in_two_parts_is_one():
    parts = [found() for _ in range(5)]
    parts[0] = found((0, 0.6, 0.1, 0.1, 0.3, 0.3), (1, 0.5, 0.1, 0.1, 0.3, 0.3))
    in_tile = np.array([0.1, 0.1, 0.3, 0.3]) * 7 / 4
    parts[1] = found((0, 0.8, *in_tile))
    merged, rows = tiling.merge(parts, 2, **SETTINGS)
    assert merged.scores.tolist() == pytest.approx([0.8, 0.5])
    assert rows.tolist() == [2, 1]
    one, _ = tiling.merge(parts, 2, **SETTINGS, class_agnostic=True)
    assert one.class_ids.tolist() == [0]
    best, _ = tiling.merge(parts, 2, iou_thresh=0.5, max_detections=1)
    assert best.scores.tolist() == pytest.approx([0.8])


def test_objects_are_cut_at_the_edges_of_their_tiles():
    objects = RaggedBoxes(
        np.array(
            [
                [0.1, 0.1, 0.2, 0.2],  # in the first tile only
                [0.0, 0.0, 1.0, 1.0],  # everywhere: it fills its parts
                [0.5, 0.05, 0.6, 0.15],  # in both upper tiles
                [0.5, 0.5, 0.51, 0.5],  # without area: in the whole image only
            ],
            np.float32,
        ),
        np.array([3, 4, 5, 6], np.int32),
        np.array([0, 1, 1, 4]),
    )
    assert tiling.cut_objects(objects, 0) is objects
    cut = tiling.cut_objects(objects, 2)
    ids = [cut.of_image(row)[1].tolist() for row in range(15)]
    assert ids[:5] == [[3], [3], [], [], []]
    assert ids[5:10] == [[]] * 5
    assert ids[10:] == [[4, 5, 6], [4, 5], [4, 5], [4], [4]]
    np.testing.assert_array_equal(cut.take([0, 5, 10]).boxes, objects.boxes)
    side = 4 / 7
    np.testing.assert_allclose(cut.of_image(1)[0], objects.boxes[:1] / side, rtol=1e-6)
    np.testing.assert_allclose(  # cut at the right edge of the first tile
        cut.of_image(11)[0][1], [0.5 / side, 0.05 / side, 1, 0.15 / side], rtol=1e-6
    )
    np.testing.assert_allclose(cut.of_image(14)[0], [[0, 0, 1, 1]], atol=1e-6)


def test_objects_of_which_little_is_visible_are_left_out():
    start = 3 / 7  # of the second tile
    widths = {0.26: True, 0.24: False}
    for share, is_kept in widths.items():
        left = start - 0.1 * (1 - share)
        box = np.array([[left, 0.1, left + 0.1, 0.2]], np.float32)
        one = RaggedBoxes(box, np.zeros(1, np.int32), np.array([0, 1]))
        assert len(tiling.cut_objects(one, 2).of_image(2)[1]) == is_kept


def test_a_listing_has_its_tiles_after_each_image(listing):
    assert listing.tiled(0) is listing
    assert listing.tiled(1) is listing
    assert listing.untiled() is listing
    tiled = listing.take([2, 0])._replace(weights=np.array([0.5, 1])).tiled(3)
    assert len(tiled.ids) == len(tiled.filepaths) == len(tiled.objects.offsets) - 1
    assert tiled.filepaths == [listing.filepaths[2]] * 10 + [listing.filepaths[0]] * 10
    np.testing.assert_array_equal(tiled.parts[10:], tiling.windows(3))
    assert tiled.weights.tolist() == [0.5] * 10 + [1] * 10
    whole = tiled.take(range(20)).untiled()
    assert whole.parts is None
    assert whole.ids == [listing.ids[2], listing.ids[0]]
    for place, row in enumerate((2, 0)):
        for found, wanted in zip(
            whole.objects.of_image(place), listing.objects.of_image(row), strict=True
        ):
            np.testing.assert_array_equal(found, wanted)

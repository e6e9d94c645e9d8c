import fiftyone as fo
import numpy as np

from yolov1_fo import demo

LIME, YELLOW = (0, 255, 0), (255, 255, 0)


def drawn(**detection):
    pixels = np.zeros((demo.PICTURE_SIDE, demo.PICTURE_SIDE, 3), np.uint8)
    one = fo.Detection(label="a", bounding_box=[0.25, 0.5, 0.5, 0.25], **detection)
    return np.asarray(demo._drawn(pixels, fo.Detections(detections=[one])))


def test_a_box_is_drawn_where_it_is():
    picture = drawn()
    rows, columns = np.nonzero((picture == LIME).all(axis=-1)[200:])
    side = demo.PICTURE_SIDE
    assert (rows.min() + 200, rows.max() + 200) == (side * 0.5, side * 0.75)
    assert (columns.min(), columns.max()) == (side * 0.25, side * 0.75)


def test_only_what_is_likely_is_shown():
    assert (drawn(confidence=0.9) == YELLOW).all(axis=-1).any()
    assert not drawn(confidence=0.1).any()

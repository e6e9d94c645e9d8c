import fiftyone as fo
import numpy as np

from yolov1_fo.cli import demo
from yolov1_fo.visualize import drawing


def drawn(**detection):
    pixels = np.zeros((400, 400, 3), np.uint8)
    one = fo.Detection(label="b", bounding_box=[0.25, 0.5, 0.5, 0.25], **detection)
    return np.asarray(demo._drawn(pixels, fo.Detections(detections=[one]), ["a", "b"]))


def test_only_confident_predictions_are_drawn():
    assert drawn(confidence=0.9).any()
    assert not drawn(confidence=0.1).any()


def test_objects_and_predictions_have_the_color_of_their_class():
    sky_blue = (86, 180, 233)
    assert drawing.COLORS[1] == "#56B4E9"
    for picture in (drawn(), drawn(confidence=0.9)):
        assert (picture == sky_blue).all(axis=-1).any()

"""What *the same detections* means."""

import numpy as np


def assert_same(found, expected, thresh=0.01):
    """The same classes, boxes and scores within 1e-4, save those at the threshold."""

    def kept(detections):
        return [d for d in detections.detections if d.confidence > thresh + 1e-4]

    a, left = kept(found), kept(expected)
    assert sorted(d.label for d in a) == sorted(d.label for d in left)
    for one in a:  # the order of nearly equal scores may differ
        nearest = min(left, key=lambda other: _distance(one, other))
        left.remove(nearest)
        assert nearest.label == one.label
        np.testing.assert_allclose(_numbers(nearest), _numbers(one), rtol=0, atol=1e-4)


def _distance(one, other):
    if one.label != other.label:
        return np.inf
    return np.abs(np.subtract(_numbers(one), _numbers(other))).max()


def _numbers(detection):
    return [detection.confidence, *detection.bounding_box]

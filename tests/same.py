"""What *the same detections* means."""

import numpy as np


def assert_same(found, expected, thresh=0.01):
    """The same classes, boxes and scores within 1e-4, save those at the threshold."""

    def rows(detections):
        kept = [d for d in detections.detections if d.confidence > thresh + 1e-4]
        kept.sort(key=lambda d: (d.label, round(d.confidence, 3), d.bounding_box))
        return kept

    a, b = rows(found), rows(expected)
    assert [d.label for d in a] == [d.label for d in b]
    np.testing.assert_allclose(
        [d.confidence for d in a], [d.confidence for d in b], atol=1e-4
    )
    np.testing.assert_allclose(
        [d.bounding_box for d in a], [d.bounding_box for d in b], atol=1e-4
    )

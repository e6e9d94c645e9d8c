import numpy as np

from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes
from yolov1_fo.training import split_summary


def listing(boxes, class_ids, counts):
    objects = RaggedBoxes(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(class_ids, np.int32),
        np.cumsum([0, *counts]),
    )
    none = RaggedBoxes(*(part[:0] for part in objects))
    names = [str(number) for number in range(len(counts))]
    return Listing(names, names, objects, none, Dropped())


def test_counts_and_sizes():
    boxes = [[0, 0, 0.2, 0.2], [0, 0, 1, 1], [0.5, 0.5, 0.75, 0.75]]
    summary = split_summary.summarize(listing(boxes, [2, 0, 2], [2, 0, 1]), 4)
    assert (summary["images"], summary["without_objects"]) == (3, 1)
    assert summary["objects"] == [1, 0, 2, 0]
    sizes = np.array(summary["sizes"])
    # Sides of 0.2, 0.25 and 1 of the image, in bins of 0.05.
    assert np.flatnonzero(sizes).tolist() in ([3, 5, 19], [4, 5, 19])
    assert sizes.sum() == 3


def test_no_objects():
    summary = split_summary.summarize(listing([], [], [0, 0]), 2)
    assert summary == {
        "images": 2,
        "without_objects": 2,
        "objects": [0, 0],
        "sizes": [0] * split_summary.SIZE_BINS,
    }

"""Detections of a split as a file: a round trip, and files that are damaged."""

import json

import numpy as np
import pytest

from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import stored_detections
from yolov1_fo.evaluation.average_precision import GroundTruth
from yolov1_fo.evaluation.stored_detections import (
    NO_DETECTIONS,
    NO_OBJECTS,
    SplitDetections,
)


def split():
    boxes = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 1, 1]], np.float32)
    scores = np.array([0.9, 0.25], np.float32)
    ids = np.array([1, 0], np.int32)
    return SplitDetections(
        ["a", "b", "c"],
        ["/x/\u4e2d.jpg", "/x/\udc80.jpg", "/x/c.jpg"],
        [NO_DETECTIONS, Detections(boxes, scores, ids), NO_DETECTIONS],
        [GroundTruth(boxes, ids, np.array([True, False])), NO_OBJECTS, NO_OBJECTS],
    )


def assert_same(ours, theirs):
    assert (ours.ids, ours.filepaths) == (theirs.ids, theirs.filepaths)
    for some, others in ((ours.found, theirs.found), (ours.truth, theirs.truth)):
        assert len(some) == len(others)
        for one, other in zip(some, others, strict=True):
            assert type(one) is type(other)
            for part, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(part, same)
                assert part.dtype == same.dtype


@pytest.mark.parametrize("kept", [slice(None), slice(2, None), slice(0)])
def test_reading_gives_what_was_written(tmp_path, kept):
    written = SplitDetections(*(part[kept] for part in split()))
    stored_detections.write(tmp_path, written)
    assert_same(stored_detections.read(tmp_path, 2), written)


def test_no_file_is_none(tmp_path):
    assert stored_detections.read(tmp_path, 2) is None


def names(**changed):
    texts = {"ids": ["a", "b", "c"], "filepaths": ["1", "2", "3"], **changed}
    return np.frombuffer(json.dumps(texts).encode(), np.uint8)


DAMAGES = {
    "class_ids": np.array([2, 0], np.int32),
    "true_class_ids": np.array([-1, 0], np.int32),
    "boxes": np.array([[0, 0, 1, np.nan]] * 2, np.float32),
    "scores": np.zeros(3, np.float32),
    "counts": np.array([0, 3, 0]),
    "true_counts": np.array([3, -1, 0]),
    "difficult": np.array([{}, {}], object),
    "names": names(filepaths=["1"]),
}


@pytest.mark.parametrize("part", DAMAGES)
def test_parts_that_do_not_fit_are_one_line(tmp_path, part):
    stored_detections.write(tmp_path, split())
    path = tmp_path / stored_detections.FILE
    with np.load(path) as stored:
        parts = {name: stored[name] for name in stored.files}
    np.savez(path, **{**parts, part: DAMAGES[part]})
    with pytest.raises(
        ValueError, match=r"val_detections.npz' can't be read: "
    ) as caught:
        stored_detections.read(tmp_path, 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["names", "boxes", "true_counts"])
def test_a_part_that_is_missing_is_one_line(tmp_path, missing):
    stored_detections.write(tmp_path, split())
    path = tmp_path / stored_detections.FILE
    with np.load(path) as stored:
        parts = {name: stored[name] for name in stored.files if name != missing}
    np.savez(path, **parts)
    with pytest.raises(ValueError, match="can't be read"):
        stored_detections.read(tmp_path, 2)

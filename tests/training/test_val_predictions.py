"""The picture of the validation: which images, what is drawn, and what it costs."""

import logging

import numpy as np
import pytest

import yolov1_fo
from tests.training.test_split_summary import listing
from yolov1_fo import images
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.average_precision import GroundTruth
from yolov1_fo.evaluation.outcome_pictures import MISSED, RIGHT
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.runs import folders
from yolov1_fo.training import val_predictions
from yolov1_fo.training.val_predictions import ShownImages
from yolov1_fo.visualize import sheets

BOX = np.array([[0.25, 0.25, 0.75, 0.75]], np.float32)
POINT = {"thresh": 0.5, "class_threshs": {}, "iou_thresh": 0.5}


def split(names, score=0.9):
    found = Detections(BOX, np.array([score], np.float32), np.zeros(1, np.int32))
    truth = GroundTruth(BOX, np.zeros(1, np.int32), np.zeros(1, bool))
    return SplitDetections(names, names, [found] * len(names), [truth] * len(names))


def test_images_with_objects_are_chosen_evenly():
    counts = [0, 1] * 20
    objects = [[0, 0, 1, 1]] * 20
    shown = ShownImages(listing(objects, [0] * 20, counts))
    assert len(shown.ids) == val_predictions.COUNT
    assert all(int(one) % 2 for one in shown.ids)
    assert (shown.ids[0], shown.ids[-1]) == ("1", "39")
    again = ShownImages(listing(objects, [0] * 20, counts))
    assert again.ids == shown.ids


@pytest.mark.parametrize(("counts", "ids"), [([0, 1, 0], ["1", "0", "2"]), ([], [])])
def test_others_follow_if_there_are_few(counts, ids):
    boxes = [[0, 0, 1, 1]] * sum(counts)
    assert ShownImages(listing(boxes, [0] * sum(counts), counts)).ids == ids


def shown_of(count, windows=None):
    shown = ShownImages(listing(BOX.tolist() * count, [0] * count, [1] * count))
    pixels = np.full((count, 64, 64, 3), 90, np.uint8)
    shown.keep(list(range(count)), pixels, windows)
    pixels[:] = 0  # the next batch may reuse its memory
    return shown


def colors_of(picture):
    colors = np.asarray(picture).reshape(-1, 3)
    return {"#{:02X}{:02X}{:02X}".format(*one) for one in np.unique(colors, axis=0)}


@pytest.mark.parametrize(("score", "color"), [(0.9, RIGHT), (0.4, MISSED)])
def test_detections_at_the_operating_point_are_drawn(score, color):
    shown = shown_of(3)
    picture = val_predictions.draw(shown, split(shown.ids, score), POINT, ["cat"])
    assert picture.size == (3 * 320 + 2 * 8, 320)
    assert color in colors_of(picture)
    assert ({RIGHT, MISSED} - {color}).isdisjoint(colors_of(picture))
    assert "#5A5A5A" in colors_of(picture)


def test_nothing_is_right_yet():
    shown = shown_of(1)
    picture = val_predictions.draw(
        shown, split(shown.ids), {**POINT, "thresh": None}, ["cat"]
    )
    assert MISSED in colors_of(picture)


def test_an_image_that_can_not_be_read_is_left_out(tmp_path):
    shown = shown_of(3)
    picture = val_predictions.draw(shown, split(shown.ids[1:]), POINT, ["cat"])
    assert picture.size[0] == 2 * 320 + 8


def test_an_error_is_one_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        shown = shown_of(1)
        val_predictions.write(
            *(tmp_path / "nowhere" / folders.VAL_PREDICTIONS, shown),
            *(split(shown.ids), POINT, ["cat"]),
        )
        val_predictions.write(
            tmp_path / folders.VAL_PREDICTIONS, shown, split([]), POINT, ["cat"]
        )
    lines = [one.message for one in caplog.records]
    assert all("val_predictions.jpg' can't be made: " in line for line in lines)
    assert len(lines) == 2
    assert lines[1].endswith(": none of its images can be read")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["host", "stream"])
@pytest.mark.parametrize("letterbox", [False, True])
def test_a_training_writes_it_after_each_validation(
    painted, micro, mode, letterbox, monkeypatch
):
    reads, pictures = [], []
    alive = images.decode_parts

    def read(path, windows, image_size=None, **named):
        if image_size is not None:  # else it is read for the report
            reads.append(path)
        return alive(path, windows, image_size, **named)

    monkeypatch.setattr(images, "decode_parts", read)
    train, val = painted.match_tags("train"), painted.match_tags("val")
    path = folders.run_folder(painted, "one") / folders.VAL_PREDICTIONS

    def look(epoch, metrics):
        pictures.append(path.stat().st_mtime_ns if path.exists() else 0)

    yolov1_fo.train(
        *(train, "ground_truth", val),
        **{**micro, "epochs": 3, "validation_freq": 2, "learning_rate": 0.05},
        run_key="one",
        data=mode,
        letterbox=letterbox,
        cache_gb=0,
        on_epoch=look,
    )
    assert sheets.read(path).size == (2 * 320 + 8, 320)
    assert 0 == pictures[0] < pictures[1] < pictures[2]  # validated after 2 and 3
    files = val.values("filepath")
    validations = 2 if mode == "stream" else 1  # in `host` they are decoded once
    assert sum(one in files for one in reads) == validations * len(files)

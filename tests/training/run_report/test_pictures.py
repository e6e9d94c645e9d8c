"""Which validation images are shown, and how."""

import base64
import io

import numpy as np
import PIL.Image
import pytest

from tests.evaluation.test_outcomes import LEFT, RIGHT, found, truth
from tests.training.run_report.made_reports import make_reportable
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.training.run_report import pictures


def split_with(counts, path):
    """Images with (true, missed, false) numbers of detections and objects."""
    images = []
    for true, missed, false in counts:
        boxes = [[x / 20, 0.0, x / 20 + 0.04, 0.5] for x in range(true + missed)]
        others = [[x / 20, 0.5, x / 20 + 0.04, 1.0] for x in range(false)]
        shown = [(box, 0.9, 0) for box in [*boxes[:true], *others]]
        images.append((found(*shown), truth(*((box, 0) for box in boxes))))
    names = [str(number) for number in range(len(images))]
    detected, objects = zip(*images, strict=True)
    return SplitDetections(names, [path] * len(names), [*detected], [*objects])


@pytest.fixture
def groups_of(painted, painted_files, contents_of):
    def groups(counts):
        path = str(painted_files[0]["path"])
        make_reportable(painted, split=split_with(counts, path))
        shown = pictures.validation(contents_of(painted))
        return {one.title: [p.caption for p in one.pictures] for one in shown}

    return groups


def test_best_median_and_worst(groups_of):
    counts = [(1, 0, 0), (0, 1, 0), (5, 0, 0), (1, 0, 1), (0, 4, 2), (2, 1, 1)]
    assert groups_of([*counts, (0, 0, 0)]) == {
        "Best": ["5 of 5 objects found", "1 of 1 object found"],
        "Median": [  # F1 2/3 each; the one with more objects is first
            "2 of 3 objects found, 1 false positive",
            "1 of 1 object found, 1 false positive",
        ],
        "Worst": [
            "0 of 4 objects found, 2 false positives",
            "0 of 1 object found",
        ],
    }


def test_no_image_is_shown_twice(groups_of):
    groups = groups_of([(n % 5 + 1, n % 3, n % 2) for n in range(40)])
    assert [len(one) for one in groups.values()] == [pictures.PER_GROUP] * 3


@pytest.mark.parametrize("count", [1, 2])
def test_few_images_are_one_group(groups_of, count):
    groups = groups_of([(1, 0, 0)] * count)
    assert {name: len(one) for name, one in groups.items()} == {
        "Validation images": count
    }


def test_the_image_has_its_shape_and_its_boxes(painted, tmp_path, contents_of):
    path = tmp_path / "wide.png"
    PIL.Image.new("RGB", (1000, 250), "#808080").save(path)
    one = found((LEFT, 0.9, 0)), truth((LEFT, 0), (RIGHT, 0))
    split = SplitDetections(["a"], [str(path)], [one[0]], [one[1]])
    make_reportable(painted, split=split)
    [group] = pictures.validation(contents_of(painted))
    [shown] = group.pictures
    assert shown.name == "wide.png"
    data = base64.b64decode(shown.source.removeprefix("data:image/jpeg;base64,"))
    picture = PIL.Image.open(io.BytesIO(data))
    assert picture.size == (400, 100)
    pixels = np.asarray(picture, int)
    left, right = pixels[50, 160], pixels[20:80, 238:243].reshape(-1, 3)
    assert left[1] > left[0] + 60  # green: right
    assert ((right[:, 0] > 180) & (right[:, 2] < 130)).any()  # yellow: missed

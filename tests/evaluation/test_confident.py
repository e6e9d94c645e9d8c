"""The operating point of an evaluation: reported, stored, and used by `confident`."""

import math
import shutil
import subprocess
import sys

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests import published
from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.evaluation import thresholds

BOX = [0.2, 0.2, 0.4, 0.4]
LABELS = ("a.b", "$c", "few")


def detection(label, confidence, box=BOX):
    return fo.Detection(label=label, bounding_box=box, confidence=confidence)


@pytest.fixture
def predicted():
    """Twelve images with three objects each, all found, and as much noise.

    Scores are 0.6 and 0.3 for the first class, 0.9 and 0.5 for the second; the third
    class has too few objects for a threshold of its own.
    """
    dataset = fo.Dataset()
    samples = []
    for number in range(12):
        labels = LABELS if number < 4 else LABELS[:2]
        shift = 0.001 * number
        found = [
            *(detection("a.b", 0.6 + shift), detection("a.b", 0.3 + shift)),
            *(detection("$c", 0.9 + shift), detection("$c", 0.5 + shift)),
            *(detection("few", 0.7 + shift), detection("unknown", 0.02)),
        ]
        samples.append(
            fo.Sample(
                f"{number}.jpg",
                ground_truth=fo.Detections(
                    detections=[detection(label, None) for label in labels]
                ),
                found=fo.Detections(detections=found),
            )
        )
    dataset.add_samples([*samples, fo.Sample("none.jpg")], progress=False)
    yield dataset
    dataset.delete()


def shown(view, field="found"):
    """Returns the number of detections by class."""
    return view.count_values(f"{field}.detections.label")


def test_a_report_tells_what_is_shown_at_a_threshold(predicted):
    report = yolov1_fo.evaluate(predicted, "found", classes=LABELS)
    everything = report.at(0)
    # 60 detections of the three classes; 12 + 12 + 4 are true positives
    assert (everything.tp, everything.fp, everything.fn) == (28, 32, 0)
    assert everything.precision == pytest.approx(28 / 60)
    nothing = report.at(1)
    assert (nothing.tp, nothing.fp, nothing.fn, nothing.recall) == (0, 0, 28, 0)
    assert math.isnan(nothing.precision)
    assert report.at(report.recommended_thresh) == report.operating_point
    assert report.best_f1 == report.operating_point.f1
    assert set(report.numbers()) == {"voc07", "voc10", "ap50", "coco_map"}


def test_a_report_has_thresholds_and_curves_by_class(predicted):
    report = yolov1_fo.evaluate(predicted, "found", classes=LABELS)
    rows, overall = report.per_class, report.recommended_thresh
    assert 0.311 < rows["a.b"]["recommended_thresh"] < 0.6
    assert 0.511 < rows["$c"]["recommended_thresh"] < 0.9
    for name in LABELS[:2]:
        assert rows[name]["best_f1"] == rows[name]["precision"] == 1
        curve = report.curves[name]
        assert curve.scores.tolist() == sorted(curve.scores, reverse=True)
        assert len(curve.scores) == len(curve.precision) == len(curve.recall) == 24
    assert rows["few"]["recommended_thresh"] == overall
    assert rows["few"]["recall"] == 1
    assert rows["few"]["precision"] == pytest.approx(4 / 12)


def test_a_report_prints_the_operating_point(predicted):
    lines = str(yolov1_fo.evaluate(predicted, "found", classes=LABELS)).splitlines()
    [line] = [line for line in lines if line.startswith("best F1")]
    report = yolov1_fo.evaluate(predicted, "found", classes=LABELS)
    assert line.startswith(
        f"best F1 {report.best_f1:.2f} at a confidence of at least "
        f"{report.recommended_thresh:.3g}: precision "
    )
    assert max(map(len, lines[:-1])) <= 100


def test_a_report_without_true_positives_recommends_nothing(painted):
    sample = painted.first()
    sample["found"] = fo.Detections(
        detections=[detection("red", 0.02, [0.95, 0.95, 0.05, 0.05])]
    )
    sample.save()
    report = yolov1_fo.evaluate(painted, "found", eval_key="ev")
    assert "best F1 0: no detection is a true positive" in str(report)
    assert math.isnan(report.recommended_thresh)
    assert report.best_f1 == 0
    with pytest.raises(ValueError, match="has no recommended threshold"):
        yolov1_fo.confident(painted, "found")


@pytest.mark.parametrize(
    ("thresh", "kind", "line"),
    [
        ("0.5", TypeError, "thresh must be a number, got '0.5'"),
        (math.nan, ValueError, "thresh must be .* got nan"),
    ],
)
def test_an_invalid_threshold_raises_one_clear_line(predicted, thresh, kind, line):
    report = yolov1_fo.evaluate(predicted, "found")
    with pytest.raises(kind, match=line):
        report.at(thresh)
    with pytest.raises(kind, match=line):
        yolov1_fo.confident(predicted, "found", thresh)
    with pytest.raises(kind, match=line.replace("thresh", "thresh of class 'few'")):
        yolov1_fo.confident(predicted, "found", {"few": thresh})


def test_difficult_objects_count_nowhere(predicted):
    sample = predicted.first()
    for one in sample.ground_truth.detections:
        one["difficult"] = True
    sample.save()
    point = yolov1_fo.evaluate(predicted, "found", classes=LABELS).at(0)
    # the first image's six detections of these classes and three objects are left out
    assert (point.tp, point.fp, point.fn) == (25, 30, 0)


def test_confident_shows_each_class_from_its_own_threshold(predicted):
    report = yolov1_fo.evaluate(predicted, "found", eval_key="ev", classes=LABELS)
    view = yolov1_fo.confident(predicted, "found")
    assert shown(view) == {"a.b": 12, "$c": 12, "few": 12}
    assert len(view) == len(predicted)
    assert report.recommended_thresh < 0.7
    assert shown(predicted) == {"a.b": 24, "$c": 24, "few": 12, "unknown": 12}
    assert shown(yolov1_fo.confident(predicted.limit(3), "found"))["$c"] == 3


def test_confident_comes_back_from_json(predicted):
    yolov1_fo.evaluate(predicted, "found", eval_key="ev", classes=LABELS)
    view = yolov1_fo.confident(predicted, "found")
    stages = fiftyone_private.serialize_stages(view)
    again = fiftyone_private.view_from_stages(predicted, stages)
    predicted.save_view("confident", view)
    for one in (again, predicted.load_saved_view("confident")):
        assert one.values("found.detections.id") == view.values("found.detections.id")


def test_a_threshold_may_be_given(predicted):
    view = yolov1_fo.confident(predicted, "found", 0.55)
    assert shown(view) == {"a.b": 12, "$c": 12, "few": 12}
    with pytest.raises(ValueError, match=r"or give thresh, also for few, unknown$"):
        yolov1_fo.confident(predicted, "found", {"a.b": 0.55, "$c": 0})
    given = {"a.b": 0.55, "$c": 0, "few": 1, "unknown": 0.02, "absent": 0.5}
    view = yolov1_fo.confident(predicted, "found", given)
    assert shown(view) == {"a.b": 12, "$c": 24, "unknown": 12}
    yolov1_fo.evaluate(predicted, "found", eval_key="ev", classes=LABELS)
    view = yolov1_fo.confident(predicted, "found", {"a.b": 0.0})
    assert shown(view) == {"a.b": 24, "$c": 12, "few": 12}


@pytest.mark.slow
def test_without_an_evaluation_one_line_says_what_to_do(predicted):
    line = r"has no recommended threshold; first call evaluate\(...\) with an eval_key,"
    with pytest.raises(ValueError, match=line) as caught:
        yolov1_fo.confident(predicted, "found")
    assert "\n" not in str(caught.value)
    predicted.evaluate_detections("found", eval_key="theirs", progress=False)
    yolov1_fo.evaluate(predicted, "found")  # without a key nothing is stored
    predicted.set_values("other", predicted.values("found"))
    yolov1_fo.evaluate(predicted, "other", eval_key="of_another_field")
    with pytest.raises(ValueError, match=line):
        yolov1_fo.confident(predicted, "found")


def test_without_an_evaluation_the_models_threshold_counts(predicted):
    model = {"model": "m", "thresh": 0.5, "class_threshs": [["few", 0.1]]}
    predicted_by.record(predicted, "found", model, replaces=True)
    assert thresholds.known(predicted, "found") == (0.5, {"few": 0.1})
    view = yolov1_fo.confident(predicted, "found")
    assert shown(view) == {"a.b": 12, "$c": 24, "few": 12}
    yolov1_fo.evaluate(predicted, "found", eval_key="ev", classes=LABELS)
    assert thresholds.known(predicted, "found") == thresholds.latest(predicted, "found")


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("ground_truth", "pred_field 'ground_truth' .* has objects without confidence"),
        ("nothing", "pred_field 'nothing' is not on dataset"),
        ("filepath", "pred_field 'filepath' .* must hold Detections, got StringField"),
    ],
)
def test_an_invalid_field_raises_one_clear_line(predicted, field, line):
    with pytest.raises(ValueError, match=line):
        yolov1_fo.confident(predicted, field, 0.5)


def test_a_name_in_place_of_a_dataset_raises_one_clear_line():
    with pytest.raises(TypeError, match="samples must be a FiftyOne dataset or view"):
        yolov1_fo.confident("mine", "found")


@pytest.mark.slow
def test_the_latest_evaluation_of_ours_decides(predicted):
    yolov1_fo.evaluate(predicted, "found", eval_key="z", classes=LABELS)
    first = shown(yolov1_fo.confident(predicted, "found"))
    assert first == {"a.b": 12, "$c": 12, "few": 12}
    yolov1_fo.evaluate(predicted, "found", eval_key="a", classes=["few"])
    predicted.evaluate_detections("found", eval_key="theirs", progress=False)
    # Four of twelve from 0.7 on are true positives, of those of the lowest scores.
    latest = predicted.get_evaluation_info("a").config.operating_point["thresh"]
    assert latest == pytest.approx(0.7)
    assert shown(yolov1_fo.confident(predicted, "found")) == {"$c": 12, "few": 12}
    predicted.delete_evaluation("a")
    assert shown(yolov1_fo.confident(predicted, "found")) == first


@pytest.mark.slow
def test_thresholds_are_renamed_cloned_and_read_by_another_process(predicted):
    yolov1_fo.evaluate(predicted, "found", eval_key="ev", classes=LABELS)
    expected = shown(yolov1_fo.confident(predicted, "found"))
    predicted.rename_evaluation("ev", "renamed")
    stored = predicted.get_evaluation_info("renamed").config.operating_point
    assert [name for name, _ in stored["class_threshs"]] == list(LABELS[:2])
    assert shown(yolov1_fo.confident(predicted, "found")) == expected
    clone = predicted.clone()
    assert shown(yolov1_fo.confident(clone, "found")) == expected
    clone.delete()


@pytest.mark.slow
def test_another_process_reads_and_writes_thresholds(predicted):
    yolov1_fo.evaluate(predicted, "found", eval_key="ev", classes=LABELS)
    expected = shown(yolov1_fo.confident(predicted, "found"))
    predicted.persistent = True
    code = (
        "import fiftyone as fo, yolov1_fo; "
        f"dataset = fo.load_dataset({predicted.name!r}); "
        "view = yolov1_fo.confident(dataset, 'found'); "
        "print(sorted(view.count_values('found.detections.label').items())); "
        "yolov1_fo.evaluate(dataset.limit(1), 'found', eval_key='ev', iou_thresh=1.0, "
        "classes=['few'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(sorted(expected.items())) in done.stdout
    # It has replaced the evaluation, which this process had loaded before.
    assert shown(yolov1_fo.confident(predicted, "found")) != expected


def test_an_evaluation_of_many_classes_stays_small(painted):
    """The thresholds are part of a document of the database."""
    from bson import BSON

    from yolov1_fo.evaluation import thresholds
    from yolov1_fo.evaluation.average_precision import Curve

    one = Curve.of(np.array([0.9] * 10), np.array([True] * 10), 10)
    curves = {f"class number {number}": one for number in range(3000)}
    config = yolov1_fo.evaluation.EvaluationConfig("found", "ground_truth")
    thresholds.store(config, curves, of_frames=False)
    assert len(BSON.encode({"x": config.operating_point})) < 100_000


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="FiftyOne reads videos with it")
def test_frames_of_videos_have_thresholds(painted_files, tmp_path):
    import cv2

    from yolov1_fo import images

    path = tmp_path / "film.mp4"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 5, (96, 96))
    for one in painted_files[:3]:
        film.write(images.read(one["path"], 96)[..., ::-1])
    film.release()
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath=str(path)))
    frames = dataset.to_frames(sample_frames=True)
    labels = [fo.Detections(detections=[detection("few", None)]) for _ in range(3)]
    found = [
        fo.Detections(detections=[detection("few", 0.8), detection("few", 0.1)])
        for _ in range(3)
    ]
    frames.set_values("ground_truth", labels)
    frames.set_values("found", found)
    yolov1_fo.evaluate(frames, "found", eval_key="ev")
    assert shown(yolov1_fo.confident(frames, "found")) == {"few": 3}
    view = yolov1_fo.confident(dataset, "frames.found")
    assert shown(view, "frames.found") == {"few": 3}
    assert len(view) == 1
    assert len(view.first().frames) == 3
    assert shown(
        yolov1_fo.confident(dataset, "frames.found", 0.05), "frames.found"
    ) == {"few": 6}
    dataset.delete()


def test_a_group_keeps_its_slices():
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    group = fo.Group()
    for side, score in (("left", 0.9), ("right", 0.1)):
        found = fo.Detections(detections=[detection("few", score)])
        one = fo.Sample(f"{side}.jpg", group=group.element(side), found=found)
        dataset.add_sample(one)
    view = yolov1_fo.confident(dataset, "found", 0.5)
    assert shown(view) == {"few": 1}
    assert len(view) == 1
    dataset.delete()


@pytest.mark.slow
def test_a_threshold_suits_photographs_that_were_held_out(photographs):
    dataset = published.dataset(photographs, "cascade_rcnn_aug_thres0.7")
    field, classes = "cascade_rcnn_aug_thres0_7", published.CLASSES
    view = dataset.shuffle(seed=1)
    half = len(view) // 2
    known, held_out = view.limit(half), view.skip(half)
    report = yolov1_fo.evaluate(known, field, "detections", "ev", classes)
    other = yolov1_fo.evaluate(held_out, field, "detections", classes=classes)
    best = max(other.at(one).f1 for one in np.linspace(0, 1, 1001))
    assert other.at(report.recommended_thresh).f1 > best - 0.03
    view = yolov1_fo.confident(held_out, field)
    boxes = sum(shown(view, field).get(name, 0) for name in classes)
    objects = sum(row["objects"] for row in other.per_class.values())
    dataset.delete()
    assert 0 < boxes <= 1.5 * objects

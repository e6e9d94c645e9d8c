"""Evaluations never overwrite fields of users, and are stored completely or not."""

import subprocess
import sys

import fiftyone as fo
import pytest
from pymongo.errors import PyMongoError

import yolov1_fo
from tests.evaluation.test_voc_method import add, detection
from yolov1_fo.evaluation import (
    error_fields,
    evaluation_keys,
    evaluator,
    marks,
    registration,
)
from yolov1_fo.evaluation.voc_method import VOCEvaluationConfig
from yolov1_fo.jobs import launch

SQUARE = [0.1, 0.1, 0.4, 0.4]


@pytest.fixture
def predicted():
    """Two images whose objects have other attributes."""
    made = fo.Dataset()
    for number in range(2):
        add(
            made,
            [detection("cat", SQUARE, quality="good")],
            [detection("cat", SQUARE, 0.04, origin="model", seen_id=number)],
        )
    made.set_values("weather", ["dry", "wet"])
    made.set_values("night_fp", [1, 2])
    made.persistent = True
    yield made
    made.delete()


def stored(dataset):
    """Returns the samples of a dataset in the database."""
    return list(dataset._sample_collection.find({}, {"last_modified_at": False}))


def through_python(dataset, key):
    return yolov1_fo.evaluate(dataset, "found", eval_key=key, progress=False)


def through_fiftyone(dataset, key):
    return dataset.evaluate_detections(
        "found",
        gt_field="ground_truth",
        method=VOCEvaluationConfig,
        eval_key=key,
        progress=False,
    )


def as_a_job(dataset, key):
    return launch.evaluate(dataset, "found", "ground_truth", key)


TAKEN = (
    *("label", "bounding_box", "confidence", "id", "tags", "index", "_id", "copy"),
    *("quality", "origin", "seen"),  # of truth, of predictions, `seen_id`
    *("weather", "night", "filepath", "found"),  # of samples, `night_fp`
)


@pytest.mark.parametrize("way", [through_python, through_fiftyone, as_a_job])
def test_a_name_in_use_is_refused(predicted, way):
    before = stored(predicted)
    for key in TAKEN:
        with pytest.raises(ValueError, match=f"eval_key .*'{key}'") as caught:
            way(predicted, key)
        assert "\n" not in str(caught.value)
    assert stored(predicted) == before
    assert predicted.list_evaluations() == []


def test_a_name_that_a_view_excludes_is_refused(predicted):
    view = predicted.select_fields(["ground_truth", "found"])
    with pytest.raises(ValueError, match="would write 'weather', which samples"):
        through_python(view, "weather")
    hidden = predicted.exclude_fields("ground_truth.detections.quality")
    with pytest.raises(ValueError, match="'quality', which objects of 'ground_truth'"):
        through_python(hidden, "quality")


def test_a_name_outside_the_schema_is_refused(predicted):
    predicted._sample_collection.update_one(
        {}, {"$set": {"found.detections.0.secret_iou": 0.5, "hidden_tp": 3}}
    )
    for key, name in (("secret", "secret_iou"), ("hidden", "hidden_tp")):
        with pytest.raises(ValueError, match=f"would write '{name}', which"):
            through_python(predicted, key)


@pytest.mark.slow
def test_another_process_loads_results_and_adds_a_field(predicted):
    """This field is not overwritten."""
    report = through_python(predicted, "kept")
    code = (
        f"import fiftyone as fo; d = fo.load_dataset({predicted.name!r})\n"
        "d.add_sample_field('fresh', fo.StringField)\n"
        "print('map', d.load_evaluation_results('kept').mAP())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert f"map {report.coco_map}" in done.stdout
    assert not predicted.has_field("fresh")
    with pytest.raises(ValueError, match="would write 'fresh', which samples"):
        through_python(predicted, "fresh")


def test_an_evaluation_by_another_method_is_not_replaced(predicted):
    predicted.evaluate_detections(
        "found", gt_field="ground_truth", eval_key="theirs", progress=False
    )
    through_fiftyone(predicted, "voc")
    before = stored(predicted)
    for key in ("theirs", "voc"):
        with pytest.raises(
            ValueError, match=f"eval_key '{key}' exists; choose another"
        ):
            through_python(predicted, key)
    assert stored(predicted) == before
    assert predicted.list_evaluations() == ["theirs", "voc"]


def test_an_evaluation_of_ours_is_replaced_from_python(predicted):
    through_python(predicted, "mine")
    predicted.set_values("found.detections.confidence", [[0.03], [0.03]])
    through_python(predicted, "mine")
    assert predicted.list_evaluations() == ["mine"]
    with pytest.raises(ValueError, match="eval_key 'mine' exists; choose another"):
        as_a_job(predicted, "mine")


def test_a_read_only_field_is_reported_before_writing(predicted):
    field = predicted.get_field("found")
    field.read_only = True
    field.save()
    before = stored(predicted)
    for way in (through_python, through_fiftyone):
        with pytest.raises(ValueError, match=r"pred_field 'found' on .* is read-only"):
            way(predicted, "k")
    assert stored(predicted) == before
    assert predicted.list_evaluations() == []
    assert through_python(predicted, None).voc07 == 1


class Broken(Exception):
    pass


@pytest.mark.parametrize(
    ("where", "what", "error"),
    [
        (error_fields, "classify_errors", Broken),
        (evaluator.Evaluation, "register_samples", Broken),
        (marks, "write", KeyboardInterrupt),
        (evaluator.Evaluation, "save_run_results", PyMongoError),
        (evaluator.Evaluation, "add_fields_to_sidebar_group", KeyboardInterrupt),
    ],
)
def test_a_failed_evaluation_leaves_nothing_and_can_be_repeated(
    predicted, monkeypatch, where, what, error
):
    def fail(*_, **__):
        raise error

    before = stored(predicted)
    fields = set(predicted.get_field_schema(flat=True))
    with monkeypatch.context() as patch:
        patch.setattr(where, what, fail)
        with pytest.raises(OSError if error is PyMongoError else error):
            through_python(predicted, "k")
    assert predicted.list_evaluations() == []
    assert set(predicted.get_field_schema(flat=True)) == fields
    assert stored(predicted) == before
    assert through_python(predicted, "k").voc07 == 1


def test_a_failed_call_of_fiftyone_leaves_nothing(predicted, monkeypatch):
    fields = set(predicted.get_field_schema(flat=True))
    with monkeypatch.context() as patch:
        patch.setattr(error_fields, "classify_errors", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            through_fiftyone(predicted, "k")
    assert predicted.list_evaluations() == []
    assert set(predicted.get_field_schema(flat=True)) == fields
    through_fiftyone(predicted, "k")


@pytest.mark.slow
def test_an_interrupted_evaluation_is_replaced(predicted, monkeypatch, caplog):
    """A killed process can't delete what it has written."""

    def write_and_die(*arguments):
        write(*arguments)
        raise ZeroDivisionError

    write = marks.write
    with monkeypatch.context() as patch:
        patch.setattr(registration, "roll_back", lambda *_: None)
        patch.setattr(marks, "write", write_and_die)
        for way in (through_python, through_fiftyone):
            with pytest.raises(ZeroDivisionError):
                way(predicted, "k")
            assert predicted.list_evaluations() == ["k"]
    evaluation_keys.check(predicted, "found", "ground_truth", "k")
    report = through_python(predicted, "k")
    assert "replacing evaluation 'k', which was interrupted" in caplog.text
    kept = predicted.load_evaluation_results("k", cache=False)
    assert kept.mAP() == pytest.approx(report.coco_map)
    predicted.delete_evaluation("k")


def test_a_field_compared_with_itself_can_be_deleted_completely(predicted):
    fields = set(predicted.get_field_schema(flat=True))
    predicted.evaluate_detections(
        "found", gt_field="found", eval_key="self", progress=False
    )
    registration.delete(predicted, "self")
    registration.delete(predicted, "self")
    assert predicted.list_evaluations() == []
    assert set(predicted.get_field_schema(flat=True)) == fields


@pytest.mark.slow
@pytest.mark.parametrize("way", [through_python, through_fiftyone])
def test_views_are_marked_like_datasets(predicted, way):
    for number, view in enumerate(
        (
            predicted.select_fields(["ground_truth", "found"]),
            predicted.exclude_fields("weather"),
            predicted.limit(1),
            predicted.sort_by("weather", reverse=True),
            predicted.filter_labels("found", fo.ViewField("seen_id") == 1),
            predicted.match(fo.ViewField("weather") == "wet"),
        )
    ):
        key = f"k{number}"
        expected = view.count("found.detections")
        way(view, key)
        marks = predicted.count_values(f"found.detections.{key}")
        assert marks["tp"] == expected
        assert predicted.sum(f"{key}_tp") == expected
        predicted.delete_evaluation(key)

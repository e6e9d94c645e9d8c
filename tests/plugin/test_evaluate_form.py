"""The form of Evaluate: which samples are evaluated."""

import json

import fiftyone as fo
import numpy as np
import pytest

from tests.plugin.conftest import call, error
from yolov1_fo.datasets import predicted_by
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import confidence_filter, model_splits, stored_detections
from yolov1_fo.evaluation.average_precision import GroundTruth
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.runs import training_samples


@pytest.fixture
def run_folder(dataset, tmp_path):
    """The folder of a run that was trained on `train` and validated on `val`."""
    checkpoint = tmp_path / "run" / "epoch_0001"
    checkpoint.mkdir(parents=True)
    for name in ("run.json", "network.keras"):
        (checkpoint / name).write_text("{}")
    (tmp_path / "run" / "best").write_text("epoch_0001\n")
    train, val = (dataset.match_tags(tag).values("id") for tag in ("train", "val"))
    training_samples.write(tmp_path / "run", train)
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    no_object = GroundTruth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    split = SplitDetections(val, val, [nothing] * len(val), [no_object] * len(val))
    stored_detections.write(checkpoint, split)
    return tmp_path / "run"


@pytest.fixture
def predicted(dataset, run_folder):
    for sample in dataset:
        sample["found"] = fo.Detections(
            detections=[
                fo.Detection(
                    label=one.label, bounding_box=one.bounding_box, confidence=score
                )
                for one in sample.ground_truth.detections
                for score in (0.04, 0.9)
            ]
        )
        sample.save()
    model = {"model": "first", "run_folder": str(run_folder)}
    predicted_by.record(dataset, "found", model, replaces=True)
    return dataset


def choices(inputs):
    return {one["value"]: one["label"] for one in inputs["split"]["view"]["choices"]}


def test_the_default_is_the_validation_split_with_its_count(predicted, form):
    inputs = form("evaluate_model", predicted, pred_field="found")
    assert choices(inputs) == {
        "val": "Validation split of run 'first' (2 samples)",
        "all": "All 8 samples; 6 of them were trained on",
    }
    assert inputs["split"]["default"] == "val"
    assert "learned" not in inputs
    inputs = form("evaluate_model", predicted, pred_field="found", split="all")
    assert inputs["learned"]["view"]["label"] == (
        "6 of these 8 samples were trained on: the metrics will be too high"
    )


def test_counts_are_those_of_the_view(predicted, form):
    view = predicted.match_tags("train")
    inputs = form("evaluate_model", predicted, view=view, pred_field="found")
    assert choices(inputs) == {"all": "All 6 samples; 6 of them were trained on"}
    assert "learned" in inputs


def test_without_a_known_model_all_samples_are_evaluated(predicted, form):
    predicted_by.record(predicted, "found", {"model": "other"}, replaces=True)
    inputs = form("evaluate_model", predicted, pred_field="found")
    assert choices(inputs) == {"all": "All 8 samples"}
    with pytest.raises(Exception, match=r"Path: split\. Reason: Invalid"):
        call("evaluate_model", predicted, pred_field="found", split="val")


def test_the_chosen_samples_are_evaluated(predicted):
    for split, count in (("val", 2), ("all", 8)):
        result = call(
            "evaluate_model", predicted, pred_field="found", split=split
        ).result
        assert len(predicted.load_evaluation_view(result["eval_key"])) == count


def test_the_filter_of_the_app_does_not_hide_predictions_from_the_map(predicted):
    import fiftyone.operators as foo

    shown = confidence_filter.add(predicted.limit(4), "found", 0.5)
    result = foo.execute_operator(
        "@yolov1-fo/yolov1/evaluate_model",
        ctx={"view": shown},
        params={"pred_field": "found", "eval_key": "e", "confidence_thresh": 0.0},
    ).result
    assert result["eval_key"] == "e"
    view = predicted.load_evaluation_view("e")
    assert view.values("id") == predicted.limit(4).values("id")
    assert view.sum("e_fp") > 0  # those of 0.04


def test_the_predictions_field_is_not_one_of_suggestions(predicted, form):
    """Which come first in the alphabet."""
    predicted.clone_sample_field("ground_truth", "ground_truth_suggested")
    asked = form("evaluate_model", predicted)
    assert asked["gt_field"]["default"] == "ground_truth"
    assert asked["pred_field"]["default"] == "found"
    predicted.rename_sample_field("ground_truth", "labels")
    assert form("evaluate_model", predicted)["gt_field"]["default"] == "labels"


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"eval_key": ""}, "Evaluation key is empty; enter a name"),
        ({"iou_thresh": None}, "IoU threshold is empty; enter a number"),
        ({"iou_thresh": 2}, "IoU threshold must be in [0, 1], got 2"),
        ({"confidence_thresh": -1}, "Minimum confidence must be in [0, 1], got -1"),
    ],
)
def test_invalid_inputs_are_red(predicted, form, params, line):
    assert error(form("evaluate_model", predicted, **params)) == line


@pytest.mark.parametrize("content", [b"", b"PK", json.dumps({}).encode()])
def test_damaged_files_of_a_run_name_no_samples(run_folder, content):
    (run_folder / "epoch_0001" / stored_detections.FILE).write_bytes(content)
    assert model_splits.read("first", run_folder).val_ids == frozenset()
    (run_folder / "best").unlink()
    assert model_splits.read("first", run_folder).val_ids == frozenset()

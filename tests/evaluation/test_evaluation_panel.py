"""FiftyOne's Model Evaluation panel counts the predictions at the operating point."""

import json
import subprocess
import sys
from types import SimpleNamespace

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F
from fiftyone.operators.store import ExecutionStore
from plugins.panels.model_evaluation import EvaluationPanel

import yolov1_fo
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.evaluation import (
    comparison,
    confidence_filter,
    error_fields,
    evaluation_results,
    metrics,
    panel_note,
)

KEY = "eval"


@pytest.fixture
def scored(painted, rng):
    """Predictions of all scores: most objects are found, and much that is none."""
    for sample in painted:
        found = [
            fo.Detection(
                label=one.label,
                bounding_box=one.bounding_box,
                confidence=float(rng.uniform(0.3, 1)),
            )
            for one in sample.ground_truth.detections
        ]
        for _ in range(20):
            corner = rng.uniform(0, 0.6, 2)
            found.append(
                fo.Detection(
                    label=str(rng.choice(["red", "blue"])),
                    bounding_box=[*map(float, corner), 0.3, 0.3],
                    confidence=float(rng.uniform(0.01, 0.45)),
                )
            )
        sample["found"] = fo.Detections(detections=found)
        sample.save()
    return painted


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def panel_context(dataset, **params):
    """Returns what the panel asks of its context, and the views it sets."""
    views = []
    state = {"view": {"key": KEY}, "missing": "(none)"}
    data = {}
    context = SimpleNamespace(
        dataset=dataset,
        params=params,
        panel=SimpleNamespace(
            get_state=state.get, set_state=state.__setitem__, set_data=data.__setitem__
        ),
        ops=SimpleNamespace(set_view=views.append),
        store=lambda name: ExecutionStore.create(
            name, fiftyone_private.dataset_id(dataset)
        ),
    )
    return context, views, data


def panel_numbers(dataset):
    """Returns what the panel itself computes."""
    context, _, _ = panel_context(dataset)
    return EvaluationPanel().get_evaluation_data(context)["metrics"]


def clicked(dataset, **options):
    """Returns the view that the panel shows after a click."""
    kind = options.pop("type")
    context, views, _ = panel_context(dataset, type=kind, options=options)
    EvaluationPanel().load_view(context)
    return views[0]


def check_same(shown, point):
    assert (shown["tp"], shown["fp"], shown["fn"]) == (point.tp, point.fp, point.fn)
    for name, theirs in (("precision", 0), ("recall", 0), ("f1", "fscore")):
        number = np.nan_to_num(getattr(point, name))  # FiftyOne's 0 / 0 is 0
        assert shown[theirs or name] == pytest.approx(number)


@pytest.mark.parametrize("thresh", [None, 0.0, 0.2, 0.99])
def test_the_panel_shows_the_numbers_of_the_report(scored, thresh):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY, confidence_thresh=thresh)
    lowest = report.recommended_thresh if thresh is None else thresh
    assert report.confidence_thresh == lowest
    scored.clear_cache()
    shown, point = panel_numbers(scored), report.at(lowest)
    check_same(shown, point)
    assert scored.sum(f"{KEY}_tp") == point.tp
    assert scored.sum(f"{KEY}_fp") == point.fp
    assert scored.sum(f"{KEY}_fn") == point.fn
    assert shown["mAP"] == pytest.approx(report.coco_map)  # of all predictions
    assert shown["voc07"] == pytest.approx(report.voc07)


def test_the_threshold_does_not_change_the_map_and_the_curves(scored):
    reports = [
        yolov1_fo.evaluate(scored, "found", confidence_thresh=thresh)
        for thresh in (0, 0.5)
    ]
    assert reports[0].numbers() == reports[1].numbers()
    assert reports[0].at(0.3) == reports[1].at(0.3)
    assert reports[0].errors == reports[1].errors


def test_a_threshold_counts_what_a_field_without_the_others_has(scored):
    lowest = 0.4
    report = yolov1_fo.evaluate(scored, "found", confidence_thresh=lowest)
    confident = scored.filter_labels("found", F("confidence") >= lowest)
    theirs = confident.view().evaluate_detections("found", method="coco")
    scored.reload()
    ours = report.results
    assert np.array_equal(
        np.sort(ours.ypred_ids[ours.ytrue == ours.ypred]),
        np.sort(theirs.ypred_ids[theirs.ytrue == theirs.ypred]),
    )


def test_clicks_show_predictions_from_the_threshold_on(scored):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY)
    point = report.at(report.recommended_thresh)
    for mark, field, count in (
        ("tp", "found", point.tp),
        ("fp", "found", point.fp),
        ("fn", "ground_truth", point.fn),
    ):
        view = clicked(scored, type="field", field=mark)
        assert view.count(f"{field}.detections") == count
    view = clicked(scored, type="class", x="red")
    assert view.min("found.detections.confidence") >= report.recommended_thresh
    view = clicked(scored, type="matrix", x="red", y="(none)")
    assert view.count("found.detections") == sum(
        label == "red" and true == "(none)"
        for label, true in zip(report.results.ypred, report.results.ytrue, strict=True)
    )


def test_the_view_of_the_evaluation_hides_the_other_predictions(scored):
    part = scored.limit(5)
    report = yolov1_fo.evaluate(part, "found", eval_key=KEY)
    point = report.at(report.recommended_thresh)
    view = scored.load_evaluation_view(KEY)
    assert view.values("id") == part.values("id")
    assert view.count("found.detections") == point.tp + point.fp
    assert confidence_filter.lowest(view, "found") == report.recommended_thresh
    assert len(scored.load_evaluation_results(KEY, cache=False).samples) == 5


def test_only_predictions_from_the_threshold_on_are_marked(scored):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY)
    below = scored.filter_labels("found", F("confidence") < report.recommended_thresh)
    for suffix in ("", "_id", "_iou"):
        assert below.count(f"found.detections.{KEY}{suffix}") == 0
    missed = scored.filter_labels("ground_truth", F(KEY) == "fn")
    assert missed.count(f"ground_truth.detections.{KEY}_id") == 0


def test_error_types_are_those_of_the_strongest_predictions(scored):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY, confidence_thresh=0.999)
    counted = error_fields.count(scored, KEY)
    assert counted == report.errors
    assert sum(sum(one.values()) for one in counted.values()) > 0


def test_classes_that_are_not_evaluated_do_not_count(scored):
    report = yolov1_fo.evaluate(
        scored, "found", eval_key=KEY, classes=["red"], confidence_thresh=0.1
    )
    check_same(panel_numbers(scored), report.at(0.1))
    marked = scored.filter_labels("found", F(KEY) == "fp")
    assert marked.distinct("found.detections.label") == ["red"]


def test_all_predictions_count_if_none_is_right(painted):
    for sample in painted:
        sample["found"] = fo.Detections(
            detections=[
                fo.Detection(label="red", bounding_box=[0, 0, 0.01, 0.01], confidence=1)
            ]
        )
        sample.save()
    report = yolov1_fo.evaluate(painted, "found", eval_key=KEY)
    assert report.confidence_thresh == 0
    assert panel_numbers(painted)["fp"] == len(painted)
    assert not painted.load_evaluation_view(KEY).count(f"found.detections.{KEY}_id")


def test_metrics_of_a_stored_evaluation_are_those_of_all_predictions(scored):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY)
    results = scored.load_evaluation_results(KEY, cache=False)
    values = metrics.compute(results.samples, results)
    assert values == pytest.approx(report.numbers())
    assert comparison.compare(scored, KEY).numbers[KEY] == pytest.approx(
        report.numbers()
    )


LOADS = """
import json, sys
import fiftyone as fo
dataset = fo.load_dataset(sys.argv[1])
results = dataset.load_evaluation_results(sys.argv[2])
point = results.at(dataset.get_evaluation_info(sys.argv[2]).config.confidence_thresh)
print(json.dumps([results.metrics()["precision"], point.tp, point.fp, point.fn]))
"""


@pytest.mark.slow
def test_another_process_loads_the_results_and_their_curve(scored):
    scored.persistent = True
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY)
    command = [sys.executable, "-c", LOADS, scored.name, KEY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    precision, *counts = json.loads(done.stdout.splitlines()[-1])
    point = report.at(report.recommended_thresh)
    assert precision == pytest.approx(point.precision)
    assert counts == [point.tp, point.fp, point.fn]


def test_clones_and_exports_keep_the_evaluation(scored, tmp_path):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY)
    point = report.at(report.recommended_thresh)
    clone = scored.clone()
    check_same(panel_numbers(clone), point)
    scored.export(str(tmp_path), dataset_type=fo.types.FiftyOneDataset)
    read = fo.Dataset.from_dir(str(tmp_path), fo.types.FiftyOneDataset)
    for copy in (clone, read):
        check_same(panel_numbers(copy), point)
        assert copy.load_evaluation_results(KEY).at(0) == report.at(0)
        view = copy.load_evaluation_view(KEY)
        assert view.count("found.detections") == point.tp + point.fp
        copy.delete()


def test_evaluations_of_earlier_versions_load(scored):
    """They are FiftyOne's results, have no threshold, and count all predictions."""
    key = "before"
    theirs = scored.evaluate_detections("found", eval_key=key, method="coco")
    info = scored.get_evaluation_info(key)
    assert panel_note.text(info.config).startswith("All numbers count all pred")
    loaded = scored.load_evaluation_results(key, cache=False)
    curve = evaluation_results.curve_of(loaded)
    assert curve.objects == scored.count("ground_truth.detections")
    assert np.count_nonzero(curve.is_true) == np.count_nonzero(
        theirs.ytrue == theirs.ypred
    )
    assert (np.diff(curve.scores) <= 0).all()


def test_the_panel_tells_which_predictions_count_until_it_is_deleted(scored):
    report = yolov1_fo.evaluate(scored, "found", eval_key=KEY)
    other = yolov1_fo.evaluate(scored, "found", eval_key="all", confidence_thresh=0)
    assert other.confidence_thresh == 0
    context, _, data = panel_context(scored)
    EvaluationPanel().on_load(context)
    key = fiftyone_private.evaluation_id(scored, KEY)
    assert f"at least {report.recommended_thresh:.3g}, which has" in data["notes"][key]
    assert len(data["notes"]) == 2
    scored.delete_evaluation(KEY)
    EvaluationPanel().on_load(context)
    [left] = data["notes"].values()
    assert left == "All numbers count all predictions. The mAP is mAP@[.5:.95]."


@pytest.mark.parametrize(
    ("thresh", "error", "line"),
    [
        (-0.1, ValueError, "confidence_thresh must be at least 0, got -0.1"),
        (float("nan"), ValueError, "confidence_thresh must be"),
        ("0.5", TypeError, "confidence_thresh must be a number, got '0.5'"),
    ],
)
def test_the_threshold_is_checked(scored, thresh, error, line):
    with pytest.raises(error, match=line):
        yolov1_fo.evaluate(scored, "found", eval_key=KEY, confidence_thresh=thresh)
    assert scored.list_evaluations() == []


def test_views_are_restored_without_the_filter(scored):
    view = scored.match_tags("train").filter_labels("found", F("label") == "red")
    shown = confidence_filter.add(view, "found", 0.5).limit(3)
    assert confidence_filter.lowest(shown, "found") == 0.5
    left = confidence_filter.without(shown, "found")
    assert left == view.limit(3)
    assert confidence_filter.without(shown, "ground_truth") is shown
    assert confidence_filter.lowest(left, "found") is None
    own = scored.filter_labels("found", F("confidence") >= 0.5)  # only matches
    assert confidence_filter.without(own, "found") is own

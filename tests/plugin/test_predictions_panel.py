"""The panel of predictions, and what the App shows when a job has ended."""

from pathlib import Path
from types import SimpleNamespace

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from plugin import confidence_view, expected_jobs, job_end, job_progress
from plugin.panels.predictions import PredictionsPanel
from tests.plugin.panel_app import PanelApp
from yolov1_fo.datasets import predicted_by
from yolov1_fo.evaluation import confidence_filter, shown_predictions
from yolov1_fo.evaluation.shown_predictions import Advice
from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import Job, JobProgress

MODEL = {"model": "first", "run_folder": None, "thresh": 0.5, "class_threshs": []}


@pytest.fixture
def predicted(dataset, rng):
    """Predictions of known objects with a confidence of at least 0.4, and others."""
    for sample in dataset:
        found = [
            fo.Detection(
                label=one.label, bounding_box=one.bounding_box, confidence=confidence
            )
            for one in sample.ground_truth.detections
            for confidence in [float(rng.uniform(0.4, 1))]
        ]
        box = [0.7, 0.7, 0.2, 0.2]
        found += [
            fo.Detection(label="red", bounding_box=box, confidence=confidence)
            for confidence in (0.1, 0.2, 0.3)
        ]
        sample["found"] = fo.Detections(detections=found)
        sample.save()
    predicted_by.record(dataset, "found", MODEL, replaces=True)
    return dataset


def rendered(app):
    """Returns the inputs of the panel by name."""
    panel = PredictionsPanel().render(app.context()).to_json()
    return panel["type"]["properties"]


@pytest.fixture
def opened(predicted):
    app = PanelApp(predicted)
    PredictionsPanel().on_load(app.context())
    return app


def expected(dataset, lowest):
    scores = np.array(dataset.values("found.detections.confidence", unwind=True))
    return int((scores >= lowest).sum()), len(scores)


def test_the_slider_starts_at_the_threshold_of_the_model(opened):
    assert opened.state["field"] == "found"
    assert opened.state["thresh"] == 0.5
    inputs = rendered(opened)
    assert inputs["thresh"]["default"] == 0.5
    shown, total = expected(opened.dataset, 0.5)
    assert f"| {shown} of {total} |" in inputs["numbers"]["default"]
    assert "curve_found_None" not in inputs


def test_without_predictions_it_says_how_to_get_some(dataset):
    app = PanelApp(dataset)
    PredictionsPanel().on_load(app.context())
    assert set(rendered(app)) == {"empty", "apply"}


def test_a_model_that_finds_nothing_is_shown_as_such(predicted):
    predicted.set_values("found", [fo.Detections()] * len(predicted))
    app = PanelApp(predicted)
    PredictionsPanel().on_load(app.context())
    assert app.state["field"] == "found"
    shown = rendered(app)
    assert shown["line"]["default"] == "All 0 predictions shown."
    assert "| Predictions | 0 of 0 |" in shown["numbers"]["default"]
    ended_apply(app)
    assert app.notified() == [
        "0 of 0 predictions shown: confidence of at least 0.5, the best F1."
    ]


def test_apply_filter_and_show_all_keep_the_users_view(predicted):
    view = predicted.match_tags("train").filter_labels("found", F("label") == "red")
    app, panel = PanelApp(predicted, view), PredictionsPanel()
    panel.on_load(app.context())
    panel.filter(app.context())
    app.view = app.last_view()
    assert app.view == confidence_filter.add(view, "found", 0.5)
    panel.move(app.context(value=0.25))
    panel.filter(app.context())
    app.view = app.last_view()
    assert app.view == confidence_filter.add(view, "found", 0.25)  # not both
    panel.show_all(app.context())
    assert app.last_view() == view


def test_show_all_of_the_whole_dataset_leaves_no_view(opened):
    panel = PredictionsPanel()
    panel.filter(opened.context())
    opened.view = opened.last_view()
    panel.show_all(opened.context())
    assert opened.calls[-1][0] == "clear_view"


def test_patches_are_not_filtered(predicted):
    app, panel = PanelApp(predicted, predicted.to_patches("found")), PredictionsPanel()
    panel.on_load(app.context())
    panel.filter(app.context())
    assert [name for name, _, _ in app.calls] == ["notify"]
    assert "the current view has no field 'found'" in app.notified()[0]
    rendered(app)


def test_an_evaluation_gives_precision_recall_and_f1(opened):
    report = yolov1_fo.evaluate(opened.dataset, "found", eval_key="e")
    panel = PredictionsPanel()
    opened.state.clear()
    panel.on_load(opened.context())
    assert opened.state["thresh"] == report.recommended_thresh
    for thresh in (0.15, 0.45, 0.9):
        panel.move(opened.context(value=thresh))
        point = report.at(thresh)
        inputs = rendered(opened)
        numbers = inputs["numbers"]["default"]
        objects = opened.dataset.count("ground_truth.detections")
        shares = {"Precision": point.precision, "Recall": point.recall, "F1": point.f1}
        wanted = [f"| {name} | {value:.3f} |" for name, value in shares.items()]
        assert "\n".join([f"| Objects | {objects} |", *wanted]) in numbers
        *lines, mark = inputs["curve_found_e"]["view"]["data"]
        assert [line["name"] for line in lines] == ["F1", "Recall", "Precision"]
        assert mark["x"] == [thresh, thresh]


def test_moving_the_slider_does_not_read_the_samples(opened, monkeypatch):
    yolov1_fo.evaluate(opened.dataset, "found", eval_key="e")
    panel = PredictionsPanel()
    panel.on_load(opened.context())
    rendered(opened)
    for name in ("values", "aggregate"):
        monkeypatch.setattr(fo.Dataset, name, None)
        monkeypatch.setattr(fo.DatasetView, name, None)
    monkeypatch.setattr(shown_predictions, "advise", None)
    monkeypatch.setattr(shown_predictions, "confidences", None)
    panel.move(opened.context(value=0.7))
    rendered(opened)


def test_another_view_is_counted_without_a_change_of_the_state(opened):
    before = dict(opened.state)
    opened.view = opened.dataset.limit(2)
    PredictionsPanel().on_change_view(opened.context())
    assert opened.state == before
    shown, total = expected(opened.view, 0.5)
    assert f"| {shown} of {total} |" in rendered(opened)["numbers"]["default"]


def test_new_predictions_make_an_evaluation_old(predicted):
    yolov1_fo.evaluate(predicted, "found", eval_key="e")
    assert shown_predictions.advise(predicted, "found").eval_key == "e"
    for sample in predicted:
        sample["found"] = fo.Detections(
            detections=[
                fo.Detection(label="red", bounding_box=[0, 0, 1, 1], confidence=0.3)
            ]
        )
        sample.save()
    assert shown_predictions.advise(predicted, "found") == Advice(0.5, "first")


def test_a_view_is_saved_under_a_new_name_only(opened):
    panel, dataset = PredictionsPanel(), opened.dataset
    dataset.save_view("mine", dataset.limit(1))
    for name, line in ((" ", "Enter a name"), ("mine", "'mine' exists")):
        opened.state["save.name"] = name
        panel.save_view(opened.context())
        assert line in opened.notified()[-1]
    assert len(dataset.load_saved_view("mine")) == 1
    opened.state["save.name"] = "confident"
    panel.save_view(opened.context())
    saved = dataset.load_saved_view("confident")
    assert saved == confidence_filter.add(dataset, "found", 0.5)


def ended_apply(app):
    job = SimpleNamespace(task="apply", target="found")
    job_end.show(app.context(), job)


def test_the_end_of_apply_shows_the_predictions_that_count(predicted):
    view = predicted.match_tags("train")
    app = PanelApp(predicted, view)
    ended_apply(app)
    assert app.last_view() == confidence_filter.add(view, "found", 0.5)
    shown, total = expected(view, 0.5)
    assert app.notified() == [
        f"{shown} of {total} predictions shown: confidence of at least 0.5, "
        "the best F1."
    ]
    assert app.calls[-1][0] == "open_panel"
    assert app.calls[-1][1] == ("yolov1_predictions",)
    assert app.calls[-1][2]["state"] == {"state": {"field": "found", "thresh": None}}


def test_without_a_threshold_all_are_shown_and_how_to_find_it(predicted):
    predicted_by.record(predicted, "found", {"model": "darknet"}, replaces=True)
    app = PanelApp(predicted)
    ended_apply(app)
    assert "set_view" not in [name for name, _, _ in app.calls]
    [line] = app.notified()
    assert line.startswith("All ")
    assert "no confidence threshold is known for this model" in line
    assert "'Evaluate YOLOv1' finds" in line


def test_the_end_of_evaluate_opens_the_evaluation(predicted):
    yolov1_fo.evaluate(predicted, "found", eval_key="e")
    app = PanelApp(predicted)
    job_end.show(app.context(), SimpleNamespace(task="evaluate", target="e"))
    name, args, more = app.calls[-1]
    assert (name, args) == ("open_panel", ("model_evaluation_panel_builtin",))
    assert more["state"]["state"]["view"]["key"] == "e"


def test_panels_open_as_tabs_beside_the_runs_panel(predicted):
    app, name, state = PanelApp(predicted), "yolov1_predictions", {"field": "found"}
    samples, runs = fo.Panel(type="Samples"), fo.Panel(type="yolov1_runs")
    spaces = fo.Space(
        children=[fo.Space(children=[samples]), fo.Space(children=[runs])],
        orientation="horizontal",
    )
    context = app.context()
    context.spaces = spaces
    job_progress.open_panel(context, name, state)
    [(call, [opened], _)] = app.calls
    assert call == "set_spaces"
    left, right = opened.children
    assert [one.type for one in left.children] == ["Samples"]
    assert [one.type for one in right.children] == ["yolov1_runs", name]
    assert right.children[1].state == {"state": state}
    assert right.active_child == right.children[1].component_id
    job_progress.open_panel(context, name, state)  # it is open now
    (_, [given], more), (call, [activated], _) = app.calls[1:]
    assert (given, more) == (state, {"panel_id": right.active_child})
    assert (call, activated) == ("open_panel", name)


def test_only_fields_with_confidences_are_offered(predicted):
    assert confidence_view.fields(predicted) == ["found"]


def test_an_end_is_shown_once_by_the_first_panel_that_notices(predicted, monkeypatch):
    job = Job(Path(), "apply", predicted.name, "found", JobProgress("running"), None)
    monkeypatch.setattr(monitor, "find", lambda _: job)
    app, panel = PanelApp(predicted), PredictionsPanel()
    panel.on_load(app.context())
    assert "timer" not in rendered(app)
    expected_jobs.expect(app.context(), job)
    assert "timer" in rendered(app)
    panel.refresh_jobs(app.context())
    assert app.calls == []
    job = job._replace(progress=JobProgress("finished"))
    panel.refresh_jobs(app.context())
    finished, shown = app.notified()
    assert finished == "found: finished"
    assert "predictions shown" in shown
    count = len(app.calls)
    panel.refresh_jobs(app.context())
    assert len(app.calls) == count
    assert "timer" not in rendered(app)

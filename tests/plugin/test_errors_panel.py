"""The panel of errors."""

import pytest

import yolov1_fo
from plugin.panels.errors import ErrorsPanel
from tests.plugin.panel_app import PanelApp


@pytest.fixture
def opened(dataset):
    for sample in dataset:
        found = sample.ground_truth.copy()
        for one in found.detections:
            one.confidence = 0.9
        for one in found.detections[:1]:
            one.bounding_box = [0.9, 0.9, 0.05, 0.05]  # on no object
        sample["found"] = found
        sample.save()
    yolov1_fo.evaluate(dataset, "found", eval_key="first", progress=False)
    app = PanelApp(dataset)
    ErrorsPanel().on_load(app.context())
    return app


def test_a_click_on_a_bar_brings_its_detections_to_the_front(opened):
    panel = ErrorsPanel()
    counts = opened.state["errors"]["first"]
    label, count = next(
        (label, row["background"]) for label, row in counts.items() if row["background"]
    )
    panel.show_class(opened.context(trace="Background", x=label))
    (name, [view], _), front = opened.calls
    assert name == "set_view"
    assert len(view) == count
    assert view.distinct("found.label") == [label]
    assert front == ("open_panel", ("Samples",), {"is_active": True})
    opened.calls.clear()
    panel.show_kind(opened.context(trace="first", x="Correct"))
    assert len(opened.last_view()) == sum(row["correct"] for row in counts.values())
    opened.calls.clear()
    panel.show_kind(opened.context(trace="first", x="Similar"))
    assert opened.notified() == ["No detections of type similar in first"]


def test_plots_have_captions_with_capitals(opened):
    shown = ErrorsPanel().render(opened.context()).to_json()["type"]["properties"]
    kinds = shown["kinds_first"]["view"]["data"][0]["x"]
    assert kinds == ["Correct", "Localization", "Similar", "Other", "Background"]
    names = [bars["name"] for bars in shown["classes_first"]["view"]["data"]]
    assert names == kinds


def test_without_an_evaluation_the_panel_offers_one(dataset):
    app = PanelApp(dataset)
    ErrorsPanel().on_load(app.context())
    shown = ErrorsPanel().render(app.context()).to_json()["type"]["properties"]
    assert {"empty", "evaluate"} == {*shown}

"""The table of the runs panel."""

from types import SimpleNamespace

from plugin.panels.runs import RunsPanel
from tests.runs.made_runs import make_run
from yolov1_fo.runs import records


def columns(dataset):
    """Returns the labels of the table's columns."""
    panel = RunsPanel().render(SimpleNamespace(dataset=dataset)).to_json()
    table = panel["type"]["properties"]["table"]
    return [one["label"] for one in table["view"]["columns"]]


def cells(dataset):
    """Returns the rows of the table."""
    data, state = {}, {}
    panel = SimpleNamespace(
        set_data=data.__setitem__, get_state=state.get, set_state=state.__setitem__
    )
    RunsPanel().refresh(SimpleNamespace(dataset=dataset, panel=panel))
    return data["table"]


def test_threshold_and_parent_are_shown_if_a_run_has_them(dataset):
    make_run(dataset, "first")
    assert columns(dataset) == ["Run", "Status", "Epochs", "Best mAP", "Started"]
    make_run(
        dataset,
        "second",
        best={"val_voc07": 0.5},
        operating_point={"thresh": 0.3125},
        parent={"run_key": "first", "weights": "first"},
    )
    assert columns(dataset) == [
        *("Run", "Status", "Epochs", "Best mAP"),
        *("Threshold", "Started from", "Started"),
    ]
    second, first = cells(dataset)
    assert (second["best"], second["thresh"], second["parent"]) == (
        *("0.500", "0.312", "first"),
    )
    assert (first["best"], first["thresh"], first["parent"]) == ("", "", "")
    records.update(dataset, "second", operating_point=None)
    assert "Threshold" not in columns(dataset)

"""The dataset check: its form, its panel, and what a training leaves out."""

import sys

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, Executor

from tests.plugin.conftest import NAME, call, error
from yolov1_fo.datasets.inspection_report import LEAVE_OUT


@pytest.fixture
def checked(dataset):
    """The dataset after a check, with a file that is missing."""
    dataset.add_sample(fo.Sample(filepath="/nowhere.png", tags=["train"]))
    call("inspect_dataset", dataset, gt_field="ground_truth", S=1, image_size=64)
    return dataset


@pytest.fixture
def panel(checked):
    """Returns a function that calls a method of the panel; it returns its calls."""
    one = foo.get_operator(f"{NAME}/yolov1_check")

    def click(method, **params):
        executor = Executor()
        request = {"dataset_name": checked.name, "params": {"panel_id": "p", **params}}
        ctx = ExecutionContext(
            request_params=request, executor=executor, operator_uri=one.uri
        )
        made = getattr(one, method)(ctx)
        checked.reload()
        return made, [(call.operator_uri, call.params) for call in executor._requests]

    return click


def reports():
    """Returns the module of the plugin that keeps the reports."""
    operator = foo.get_operator(f"{NAME}/inspect_dataset")
    return sys.modules[type(operator).__module__].last_checks


def shown(panel):
    """Returns the parts of the panel."""
    return panel("render")[0].to_json()["type"]["properties"]


def test_the_grid_follows_the_image_size_unless_it_is_given(dataset, form):
    asked = form("inspect_dataset", dataset)
    assert asked["S"]["default"] is None
    assert asked["S"]["view"]["description"].endswith("the finest grid, 20")
    asked = form("inspect_dataset", dataset, image_size=448)
    assert asked["S"]["view"]["description"].endswith("the finest grid, 28")
    lines = {
        "Image size is empty; enter a number": {"image_size": None},
        "Image size must be a multiple of 32 pixels, got 100": {"image_size": 100},
        "Grid size (S x S) must be at least 1, got -1": {"S": -1},
    }
    for line, params in lines.items():
        assert error(form("inspect_dataset", dataset, **params)) == line


def test_the_panel_has_a_row_for_each_finding(panel):
    _, calls = panel("refresh")
    [rows] = [params["data"] for _, params in calls if "data" in params]
    found = {row["finding"]: row["found"] for row in rows["findings"]}
    assert found == {
        "Lost objects": "3 in 3 images",
        "Unreadable files": "1 in 1 image",
    }
    parts = shown(panel)
    assert parts["facts"]["view"]["label"].startswith("9 images, 2 without objects")
    actions = {one["name"]: one for one in parts["findings"]["view"]["row_actions"]}
    assert list(actions) == ["show", "tag", "leave_out"]


def test_the_panel_shows_and_tags_the_samples_of_a_row(checked, panel):
    _, calls = panel("show", row=0)
    assert [uri for uri, _ in calls] == ["set_view"]
    assert panel("show", row=7)[1] == []
    panel("tag", row=0)
    assert len(checked.match_tags("inspect:lost")) == 3


def test_a_training_leaves_out_what_the_panel_has_tagged(checked, panel, form):
    before = {one.id: one.to_dict() for one in checked}
    panel("leave_out", row=1)
    assert checked.match_tags(LEAVE_OUT).values("filepath") == ["/nowhere.png"]
    asked = form("train_model", checked, batch_size=2)
    assert asked["leave_out"]["default"]
    assert LEAVE_OUT not in asked["train_tag"]["type"]["values"]
    assert asked["what"]["view"]["label"].startswith("6 training images")
    asked = form(
        "train_model",
        checked,
        batch_size=2,
        leave_out=False,
        leave_out_unlabeled=False,
    )
    assert asked["what"]["view"]["label"].startswith("7 training images")
    assert "put_back" in shown(panel)["buttons"]["type"]["properties"]
    panel("put_back")
    assert "put_back" not in shown(panel)["buttons"]["type"]["properties"]
    after = {one.id: one.to_dict() for one in checked}
    for one in (*before.values(), *after.values()):
        one.pop("last_modified_at", None)
    assert after == before


def test_files_in_two_splits_are_kept_in_the_validation_split(dataset, panel):
    path = dataset.match_tags("train").first().filepath
    dataset.add_sample(fo.Sample(filepath=path, tags=["val"]))
    call("inspect_dataset", dataset, gt_field="ground_truth", S=2, image_size=64)
    assert reports().get(dataset).leave_out("shared") == 1
    assert dataset.match_tags(LEAVE_OUT).match_tags("val").count() == 0


def test_the_panel_asks_for_a_check_first(dataset, panel):
    reports()._reports.clear()
    parts = shown(panel)
    assert "Not checked yet" in parts["empty"]["default"]
    assert list(parts["buttons"]["type"]["properties"]) == ["check"]

"""The tables: settings and their recipe, classes, confusion, splits."""

from dataclasses import asdict

import numpy as np
import pytest

from tests.training.run_report.made_reports import make_reportable
from yolov1_fo import loss
from yolov1_fo.config import TrainConfig, recipes
from yolov1_fo.config.train import MONITORS
from yolov1_fo.runs import records
from yolov1_fo.training.progress import SCORES
from yolov1_fo.training.run_report import names, summary, tables


def rows_of(settings):
    """The rows of settings, by name."""
    run = type("Run", (), {"settings": settings})
    return {row.name: row for row in tables.setting_rows(run)}


def test_settings_that_differ_are_marked_and_come_first():
    config = TrainConfig.for_network("yolov1-efficientnet-lite0")
    settings = {
        **asdict(config),
        "C": 3,
        "learning_rate": 0.1,
        "epochs": 50,
        "hue": 0.2,
    }
    rows = rows_of(settings)
    assert [name for name, row in rows.items() if row.usual] == [*rows][:3]
    assert {*[*rows][:3]} == {"learning_rate", "epochs", "hue"}
    assert (rows["learning_rate"].value, rows["learning_rate"].usual) == (
        "0.1",
        "0.002",
    )
    assert not rows["learning_rate"].is_chosen
    assert rows["epochs"].is_chosen  # for the images, or given
    assert rows["hue"].usual == "0"  # not in the recipe: the default
    assert "C" not in rows
    assert rows["batch_norm"].value == "yes"
    assert rows["sample_weights"].value == "none"


@pytest.mark.parametrize("network", ["yolov1", "darknet-yolov1", "fast-yolov1"])
def test_a_recipe_as_it_is_has_no_marks(network):
    rows = rows_of(asdict(TrainConfig.for_network(network)))
    assert not [name for name, row in rows.items() if row.usual]
    assert len(rows) == len(TrainConfig.names()) - 1


def test_settings_of_other_versions_can_be_shown():
    rows = rows_of({"network": "gone", "recipe": "gone", "epochs": 135, "old": 1})
    assert rows["epochs"].usual == ""
    assert "old" not in rows


def test_all_terms_and_metrics_have_names():
    assert {*loss.Terms._fields, *loss.IouTerms._fields} == {*names.TERMS}
    assert {*MONITORS} <= {*names.MONITORS}
    for name, text in SCORES.items():
        assert names.SCORES[name].lower() == text.lower()


def test_many_classes_share_a_row_of_the_confusion_matrix():
    count = tables.MAX_CONFUSED + 5
    matrix = np.zeros((count + 1, count + 1), int)
    np.fill_diagonal(matrix, np.arange(count + 1) + 1)
    matrix[0, -1], matrix[-1, 0], matrix[0, 1], matrix[0, 20] = 7, 5, 3, 2
    matrix[-1, -1] = 0
    small, classes = tables._joined(matrix, [str(n) for n in range(count)])
    assert small.shape == (tables.MAX_CONFUSED + 1,) * 2
    assert small.sum() == matrix.sum()
    assert len(classes) == tables.MAX_CONFUSED
    assert classes[-1] == "other classes"
    others = set(range(count)) - {int(one) for one in classes[:-1]}
    assert small[-2, -2] == matrix[np.ix_(sorted(others), sorted(others))].sum()
    assert small[-1, classes.index("0")] == 5
    assert small[classes.index("0"), -1] == 7


def test_splits_of_an_older_version(painted, contents_of):
    make_reportable(painted, splits=None, val_images=2)
    rows = tables.split_rows(contents_of(painted))
    assert [tuple(row) for row in rows] == [
        ("Training", 6, 9, None),
        ("Validation", 2, None, None),
    ]


def test_what_was_left_out_is_counted(painted, contents_of):
    make_reportable(painted, dropped={"ignored": 2, "degenerate": 0}, skipped=1)
    assert tables.left_out(contents_of(painted)) == [
        "2 objects of the training split are no targets: ignored",
        "1 image files could not be read",
    ]


def test_classes_with_few_objects_have_the_threshold_of_all(
    painted, split, contents_of
):
    make_reportable(painted, split=split)
    contents = contents_of(painted)
    rows = tables.class_rows(contents)
    assert [row.is_own for row in rows] == [False, False]
    assert {row.thresh for row in rows} == {contents.overall.thresh}
    assert [row.val for row in rows] == [curve.objects for curve in contents.curves]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"status": "failed", "error": "out of memory"}, "Failed: out of memory"),
        ({"status": "finished", "stopped_early": "by x"}, "Finished: by x"),
        ({"status": "running"}, "Running: "),
    ],
)
def test_the_status_has_its_reason(painted, contents_of, parts, text):
    make_reportable(painted)
    records.update(painted, "one", **parts)
    status = summary.status(contents_of(painted))
    assert f"{status.value}: {status.note}".startswith(text)
    assert "started 20" in status.note


def test_recipes_are_those_of_the_table():
    usual, reasons, chosen = tables._usual(
        {"network": "yolov1", "recipe": "scratch", "output_activation": "linear"}
    )
    for name, choice in recipes.RECIPES["scratch"].items():
        assert (usual[name], reasons[name]) == (choice.value, choice.reason)
        assert (name in chosen) == choice.is_automatic

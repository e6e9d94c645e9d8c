"""Operators, called as the App does and from Python."""

import sys
import tomllib

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.plugins as fop
import fiftyone.zoo as foz
import pytest
import yaml

from tests.plugin.conftest import NAME, ROOT, SETTINGS, call, ended, error
from yolov1_fo import __version__, pretrained
from yolov1_fo.config import packages
from yolov1_fo.jobs import monitor, runs_table
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import folders, records


def own_operators():
    """Returns the registered operators and panels of the plugin."""
    found = foo.list_operators(builtin=False)
    return [one for one in found if one.plugin_name == NAME]


def test_fiftyone_yml_lists_the_registered_operators():
    [plugin] = [one for one in fop.list_plugins() if one.name == NAME]
    assert plugin.version == __version__
    registered = {one.name for one in own_operators()}
    metadata = yaml.safe_load((ROOT / "fiftyone.yml").read_text())
    assert registered == {*metadata["operators"], *metadata["panels"]}
    files = {path.stem for path in (ROOT / "plugin" / "operators").glob("*.py")}
    operators = set(metadata["operators"]) - {"voc07", "voc10", "ap50"}
    assert operators == files - {"__init__", "metrics"}


def test_fiftyone_yml_says_what_the_plugin_is():
    metadata = yaml.safe_load((ROOT / "fiftyone.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata["type"] == "plugin"
    assert metadata["license"] == project["license"]
    assert metadata["url"] == project["urls"]["Homepage"]
    assert {"detection", "yolo", "training"} <= {*metadata["tags"]}
    for name in ("author", "description"):
        assert len(metadata[name].split()) > 2, name


def test_operators_and_panels_are_found_in_the_app():
    """Its search looks at labels; its list shows icons."""
    known = [one.config for one in own_operators()]
    for word in ("yolo", "runs", "predictions", "labels", "errors", "check"):
        assert [one for one in known if word in one.label.lower()], word
    assert [one.name for one in known if not (one.icon or one.unlisted)] == []


def test_train_form_is_filled_from_the_dataset(dataset, form):
    asked = form(
        "train_model",
        dataset,
        gt_field="ground_truth",
        split="tags",
        train_tag="train",
        val_tag="val",
        batch_size=2,
    )
    assert error(asked) is None
    assert asked["gt_field"]["type"]["values"] == ["ground_truth"]
    assert asked["train_tag"]["default"] == "train"
    assert asked["val_tag"]["default"] == "val"
    assert asked["network"]["default"] == "yolov1-efficientnet-lite0"
    summary = asked["what"]["view"]["label"]
    assert summary.startswith("6 training images, 2 validation images, 2 classes; ")


def test_a_dataset_that_is_not_persistent_is_refused(dataset, form):
    dataset.persistent = False
    given = {"gt_field": "ground_truth", **SETTINGS, "split": "none"}
    line = error(form("train_model", dataset, **given))
    assert line.endswith("(in Python: dataset.persistent = True)")


@pytest.mark.parametrize(
    ("operator", "params"),
    [
        ("train_model", {"gt_field": "ground_truth", "split": "none"}),
        ("apply_model", {"model": "yolov1-highway", "label_field": "found"}),
        ("next_to_label", {"model": "yolov1-highway", "gt_field": "empty"}),
    ],
)
def test_forms_say_how_tensorflow_is_installed(
    dataset, form, monkeypatch, operator, params
):
    assert error(form(operator, dataset, **params)) is None
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert error(form(operator, dataset, **params)) == packages.NO_TENSORFLOW


def test_forms_report_what_is_missing(dataset, form):
    line = "No stopped or failed run of the App"
    assert error(form("resume_training", dataset)) == line
    assert error(form("delete_run", dataset)) == "No run that can be deleted"
    assert error(form("stop_training", dataset)) == "No jobs are running"
    assert error(form("apply_model", dataset)).startswith("No trained model yet")
    dataset.delete_sample_field("ground_truth")
    assert error(form("train_model", dataset)) == (
        f"Dataset '{dataset.name}' needs a Detections field, got none"
    )


@pytest.mark.parametrize(
    ("name", "params", "line"),
    [
        ("train_model", {"gt_field": "truth"}, "gt_field. Reason: Invalid enum value"),
        (
            "train_model",
            {
                "gt_field": "ground_truth",
                "split": "none",
                "run_key": "one",
                **SETTINGS,
                "epochs": 0,
            },
            "Epochs must be at least 1, got 0",
        ),
        (
            "train_model",
            {
                "gt_field": "ground_truth",
                "split": "tags",
                "train_tag": "train",
                **SETTINGS,
            },
            "val_tag is empty; choose one",
        ),
        (
            "apply_model",
            {"model": "none", "label_field": "x"},
            "Run 'none' is not on dataset",
        ),
        (
            "apply_model",
            {"model": "/nowhere", "label_field": "x"},
            "Run '/nowhere' is not on dataset",
        ),
        ("resume_training", {"run_key": "none"}, "No stopped or failed run"),
        ("delete_run", {"run_key": "../.."}, "No run that can be deleted"),
        ("stop_training", {"target": "none"}, "No jobs are running"),
    ],
)
def test_operators_check_again(dataset, name, params, line):
    with pytest.raises(Exception, match=line):
        call(name, dataset, **params)
    assert monitor.list_jobs(dataset) == []
    assert dataset.list_runs() == []


@pytest.mark.slow
def test_train_stop_resume_apply_delete(dataset, form):
    started = call(
        "train_model",
        dataset,
        gt_field="ground_truth",
        split="percent",
        val_percent=25.0,
        run_key="one",
        epochs=100,
        **SETTINGS,
    ).result
    assert (started["target"], started["state"]) == ("one", "running"), started
    [job] = monitor.list_jobs(dataset)
    for now in monitor.updates(job, 0.05):
        if now.progress.label.startswith("epoch 2"):
            break
    assert form("stop_training", dataset)["target"]["type"]["values"] == ["one"]
    call("stop_training", dataset, target="one")
    assert ended(dataset, "one").progress.state == "stopped"
    run = records.info(dataset, "one")
    assert (run.status, run.images, run.val_images) == ("stopped", 6, 2)

    assert form("resume_training", dataset)["run_key"]["type"]["values"] == ["one"]
    call("resume_training", dataset, run_key="one")
    [job] = monitor.list_jobs(dataset)
    for now in monitor.updates(job, 0.05):
        if now.progress.label.startswith(f"epoch {run.epoch + 2}"):
            break
    monitor.stop(now)
    assert ended(dataset, "one").progress.state == "stopped"
    assert records.info(dataset, "one").epoch > run.epoch

    asked = form("apply_model", dataset, label_field="found")
    assert asked["model"]["default"] == "one"
    offered = [one["value"] for one in asked["model"]["view"]["choices"]]
    assert offered == ["one", *pretrained.names()]
    labels = [one["value"] for one in asked["filter_classes"]["view"]["choices"]]
    assert labels == ["blue", "red"]
    call("apply_model", dataset, model="one", label_field="found", batch_size=4)
    assert ended(dataset, "found").progress.state == "finished"
    assert len(dataset.exists("found")) == 8

    asked = form("publish_model", dataset, run_key="one", name="from-the-app")
    assert error(asked) is None
    assert asked["license"]["default"] == "Not specified"
    origin = {"author": "Ada Lovelace", "license": "", "data_url": ""}
    call("publish_model", dataset, run_key="one", name="from-the-app", **origin)
    published = foz.get_zoo_model("from-the-app")
    assert (published.author, published.license) == ("Ada Lovelace", "Not specified")
    assert foz.load_zoo_model("from-the-app", cache=False).classes == ["blue", "red"]
    line = error(form("publish_model", dataset, run_key="one", name="from-the-app"))
    assert line.startswith("'from-the-app' is published already")
    local_zoo.unpublish("from-the-app")

    [row] = runs_table.rows(dataset)
    assert (row.run_key, row.status, row.epoch > run.epoch) == ("one", "stopped", True)
    assert row.history == dataset.load_run_results("one").history
    call("delete_run", dataset, run_key="one", confirm=True)
    assert runs_table.rows(dataset) == []
    assert dataset.list_runs() == []
    assert not folders.run_folder(dataset, "one").exists()


@pytest.mark.slow
def test_the_app_never_loads_tensorflow(dataset, form):
    """In another process: this one has loaded TensorFlow."""
    import subprocess

    code = (
        "import sys, fiftyone.operators as foo; "
        f"print([o.name for o in foo.list_operators() if o.plugin_name == '{NAME}']); "
        "print([m for m in ('tensorflow', 'keras', 'jax') if m in sys.modules])"
    )
    lines = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "train_model" in lines[-2]
    assert lines[-1] == "[]"


@pytest.fixture
def found(dataset):
    """The dataset with its ground truth as predictions."""
    for sample in dataset:
        sample["found"] = fo.Detections(
            detections=[
                fo.Detection(
                    label=d.label, bounding_box=d.bounding_box, confidence=0.02
                )
                for d in sample.ground_truth.detections
            ]
        )
        sample.save()
    return dataset


@pytest.mark.slow
def test_evaluate_opens_the_panel(found, form):
    asked = form("evaluate_model", found)
    assert asked["pred_field"]["type"]["values"] == ["found"]
    assert asked["eval_key"]["default"] == "found_eval_1"
    params = {"pred_field": "found", "gt_field": "ground_truth", "eval_key": "one"}
    done = call("evaluate_model", found, **params)
    assert done.result == {
        "eval_key": "one",
        "voc07": 1.0,
        "voc10": 1.0,
        "ap50": 1.0,
        "coco_map": 1.0,
    }
    triggered = [one.operator_uri for one in done.executor._requests]
    assert triggered == ["reload_dataset", "open_panel"]
    assert found.list_evaluations() == ["one"]
    assert error(form("evaluate_model", found, **params)) == (
        "Evaluation key 'one' exists; choose another"
    )


def test_metrics_are_part_of_fiftyones_own_evaluation(found):
    results = found.evaluate_detections(
        "found",
        gt_field="ground_truth",
        eval_key="plain",
        compute_mAP=True,
        custom_metrics=[f"{NAME}/{name}" for name in ("voc07", "voc10", "ap50")],
    )
    metrics = results.metrics()
    assert metrics["voc07"] == metrics["voc10"] == metrics["ap50"] == 1.0


def test_inspect_reports_and_opens_its_panel(dataset):
    done = call("inspect_dataset", dataset, gt_field="ground_truth", S=1, image_size=64)
    assert done.result["findings"]["lost"] == 3  # three images have two objects
    assert "lost" in done.result["report"]
    assert [one.operator_uri for one in done.executor._requests] == ["open_panel"]


def test_publish_form_checks_the_name(dataset, form):
    assert error(form("publish_model", dataset)) == "No run has a checkpoint yet"


@pytest.mark.slow
def test_each_operator_is_a_function(dataset):
    def function(name):
        return foo.get_operator(f"{NAME}/{name}")

    dataset.set_values("kind", [fo.Classification(label="by hand")] * len(dataset))
    train, rest = dataset.match_tags("train"), dataset.match_tags("val")
    started = function("train_model")(train, run_key="one", epochs=1, **SETTINGS)
    assert started.result["state"] == "running"
    assert ended(dataset, "one").progress.state == "finished"
    assert records.info(dataset, "one").images == 6
    for name in ("resume_training", "stop_training"):
        with pytest.raises(
            Exception, match=r"No stopped or failed run|No jobs are running"
        ):
            function(name)(dataset, "one")
    function("apply_model")(rest, "one", "found", confidence_thresh=0.0)
    assert ended(dataset, "found").progress.state == "finished"
    assert len(dataset.exists("found")) == 2
    function("evaluate_model")(rest, "found", "ground_truth", "first")
    assert dataset.list_evaluations() == ["first"]
    evaluated = function("evaluate_model")(rest, "found", iou_thresh=0.3)
    assert evaluated.result["eval_key"] == "found_eval_1"
    with pytest.raises(Exception, match=r"'kind' on a view .* got Classification"):
        function("apply_model")(dataset.select_fields(), "one", "kind")
    assert 0 <= evaluated.result["voc07"] <= 1
    assert function("inspect_dataset")(train, S=2, image_size=32).result["findings"]
    function("publish_model")(dataset, "one", "called")
    local_zoo.unpublish("called")
    function("delete_run")(dataset, "one")
    assert dataset.list_runs() == []

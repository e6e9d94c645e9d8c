"""The runs panel: its table, the actions of a run, and the pages of runs."""

import contextlib
from types import SimpleNamespace

import PIL.Image
import pytest
from fiftyone.operators.store import ExecutionStore

from plugin.panels import curves, plots
from plugin.panels.run_page import BATCH, LIVE, MAX_URI
from plugin.panels.runs import RunsPanel
from tests.runs.made_runs import make_run
from tests.training.run_report.made_reports import CLASSES, make_reportable, split_of
from yolov1_fo import files
from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.jobs import monitor, runs_table
from yolov1_fo.jobs.job import (
    JOB_FILE,
    LOCK_FILE,
    OTHER_TASKS,
    JobProgress,
    write_json,
    write_progress,
)
from yolov1_fo.runs import deletion, folders, history, records

CURVES = {"loss": [3.0, 2.0], "val_loss": [4.0, 3.0], "val_voc07": [0.1, 0.2]}


class Context:
    """The execution context of a panel, which keeps what the App would show."""

    def __init__(self, dataset):
        self.dataset, self.params = dataset, {}
        self.state, self.data, self.prompted, self.called = {}, {}, [], []
        self.panel = SimpleNamespace(
            get_state=self.state.get,
            set_state=self.state.__setitem__,
            set_data=self.data.__setitem__,
        )
        self.ops = self

    def store(self, name):
        return ExecutionStore.create(name, fiftyone_private.dataset_id(self.dataset))

    def prompt(self, uri, params, on_success):
        assert on_success.__name__ == "refresh"
        self.prompted.append((uri.rpartition("/")[2], params))

    def __getattr__(self, name):
        return lambda *words, **named: self.called.append((name, *words, named))

    def click(self, method, **params):
        """Calls a method of the panel as the App does; returns what is shown then."""
        self.params = params
        getattr(RunsPanel(), method)(self)
        return self.render()

    def render(self):
        return RunsPanel().render(self).to_json()["type"]["properties"]


@pytest.fixture
def ctx(dataset):
    context = Context(dataset)
    RunsPanel().on_load(context)
    return context


def make_job_of(dataset, folder):
    """Makes the files of the job that has trained a run."""
    content = {"task": "train", "dataset": dataset.name, "target": folder.name}
    (folder / folders.JOB).mkdir()
    write_json(folder / folders.JOB / JOB_FILE, {**content, "arguments": {}})


def columns(ctx):
    """Returns the labels of the table's columns."""
    return [one["label"] for one in ctx.render()["table"]["view"]["columns"]]


def menu(ctx):
    """Returns the labels in the menu of each run."""
    actions = ctx.render()["table"]["view"]["row_actions"]
    return [
        [one["label"] for one in actions if one["rows"][row]]
        for row in range(len(ctx.data["table"]))
    ]


def test_the_table_has_the_best_score_of_each_run(dataset, ctx):
    make_run(dataset, "first")
    make_run(dataset, "second", best={"val_voc07": 0.5, "epoch": 1}, note="good")
    ctx.click("refresh")
    assert columns(ctx) == ["Run", "Status", "Epochs", "VOC07 mAP@0.5", "Started"]
    second, first = ctx.data["table"]
    assert (second["run"], second["best"]) == ("second *", "0.500")
    assert (first["run"], first["best"]) == ("first", "")
    [note] = ctx.render()["table"]["view"]["tooltips"]
    assert (note["row"], note["column"], note["value"]) == (0, 0, "good")


def test_the_menu_of_a_run_has_what_it_allows(dataset, ctx):
    make_run(dataset, "first")
    ctx.click("refresh")
    always = ["Details", "Apply", "Evaluate"]
    rest = ["Publish", "Export", "Rename", "Note", "Delete"]
    assert menu(ctx) == [[*always, *rest]]
    folder = make_run(dataset, "second", status="stopped")
    ctx.click("refresh")
    assert menu(ctx) == [[*always, "Compare", *rest]] * 2  # started in Python
    assert "resume" not in ctx.render()["buttons"]["type"]["properties"]
    make_job_of(dataset, folder)
    ctx.click("refresh")
    assert menu(ctx) == [
        [*always, "Resume", "Compare", *rest],
        [*always, "Compare", *rest],
    ]
    assert "resume" in ctx.render()["buttons"]["type"]["properties"]


def test_a_classifier_is_no_detector(dataset, ctx):
    make_run(dataset, "first", task="classify", best={"val_top1": 0.9, "epoch": 1})
    ctx.click("refresh")
    assert menu(ctx) == [["Details", "Rename", "Note", "Delete"]]
    assert ctx.data["table"][0]["best"] == "0.900 accuracy"


def test_forms_open_with_the_run_chosen(dataset, ctx):
    folder = make_run(dataset, "first")
    make_job_of(dataset, make_run(dataset, "second", status="stopped"))
    ctx.click("refresh")
    for method, row in (("apply_run", 1), ("resume_run", 0), ("publish_run", 1)):
        ctx.click(method, row=row)
    for method in ("export_run", "rename_run", "note_run", "delete_run"):
        ctx.click(method, row=1)
    assert ctx.prompted == [
        ("apply_model", {"model": "first"}),
        ("resume_training", {"run_key": "second"}),
        ("publish_model", {"run_key": "first"}),
        ("export_model", {"model": "first"}),
        ("rename_run", {"run_key": "first"}),
        ("edit_note", {"run_key": "first"}),
        ("delete_run", {"run_key": "first"}),
    ]

    # Evaluate needs predictions of this run.
    ctx.click("evaluate_run", row=1)
    [(name, line, _)] = ctx.called
    assert (name, line) == (
        *("notify", "No predictions of 'first' yet: choose Apply first"),
    )
    add_predictions(dataset, "found", folder)
    ctx.click("evaluate_run", row=1)
    assert ctx.prompted[-1] == ("evaluate_model", {"pred_field": "found"})


def add_predictions(dataset, field, folder):
    """Adds a field that a run has predicted."""
    import fiftyone as fo

    dataset.set_values(field, [fo.Detections()] * len(dataset))
    model = {"model": "first", "run_folder": str(folder)}
    predicted_by.record(dataset, field, model, replaces=True)


def test_a_run_has_a_page(dataset, ctx):
    folder = make_run(dataset, "first", classes=["blue", "red"])
    records.update(
        dataset,
        "first",
        classes=["blue", "red"],
        note="good *one*",
        images=6,
        objects=9,
        parent={"run_key": "zero", "weights": "zero"},
        versions={"keras": "3.15"},
    )
    history.write(folder, CURVES)
    (folder / folders.REPORT).write_text("<html>")
    ctx.click("refresh")
    shown = ctx.click("open_run", row=0)
    assert ctx.state["page"] == "first"
    assert shown["note"]["default"] == r"good \*one\*"
    [facts] = [one for name, one in shown.items() if name.startswith("facts_")]
    cells = {row["c0"]: row["c1"] for row in facts["default"]}
    assert cells["Status"].startswith("Finished (started ")
    network = "yolov1 · 448 px · 7 x 7 cells · 2 classes · recipe paper"
    assert cells["Network"] == network
    assert cells["Training split"] == "6 images, 9 objects"
    assert cells["Started from"] == "run 'zero'"
    assert cells["keras"] == "3.15"
    assert cells["Disk space"].endswith("Bytes") or cells["Disk space"].endswith("kB")
    assert cells["Report"] == str(folder / folders.REPORT)
    [settings] = [one for name, one in shown.items() if name.startswith("settings_")]
    assert ("epochs", "3") in [(row["c0"], row["c2"]) for row in settings["default"]]
    [steps] = [one for name, one in shown.items() if name.startswith("next_")]
    commands = [row["c1"] for row in steps["default"]]
    assert f"yolov1-fo apply {dataset.name} first" in commands
    link = shown["page_buttons"]["type"]["properties"]["report"]["view"]
    assert link["href"].startswith("/media?filepath=/")
    assert link["componentsProps"]["button"]["target"] == "_blank"
    assert "table" not in shown
    assert "table" in ctx.click("back")


@pytest.mark.parametrize(
    ("images", "first_title"), [(2, "Validation images"), (4, "Best validation images")]
)
def test_the_page_of_a_run_has_its_results(
    dataset, ctx, painted_files, images, first_title
):
    split = split_of(painted_files, images=images)
    make_reportable(dataset, split=split)
    ctx.click("refresh")
    shown = ctx.click("open_run", row=0)
    plotted = {
        one["view"]["layout"]["title"]["text"]: one["view"]["data"]
        for one in shown.values()
        if "layout" in (one.get("view") or {})
    }
    assert {"Precision and recall", "F1 by confidence"} <= {*plotted}
    [counts] = [
        trace["text"] for data in plotted.values() for trace in data if "z" in trace
    ]
    objects = sum(len(one.class_ids) for one in split.truth)
    assert sum(map(sum, counts[:-1])) == objects  # the last row is the background
    [classes] = [one for name, one in shown.items() if name.startswith("classes_")]
    assert [row["c0"] for row in classes["default"]] == CLASSES
    titles = [
        one["default"] for name, one in shown.items() if name.startswith("title0_")
    ]
    assert titles == [f"**{first_title}**"]
    assert any(name.startswith("images0.") for name in ctx.data)


def test_two_runs_are_compared(dataset, ctx):
    for number, key in enumerate(("first", "second", "third")):
        make_run(dataset, key, classes=["blue"])
        records.update(dataset, key, classes=["blue"], images=number + 1)
    ctx.click("refresh")
    shown = ctx.click("compare_run", row=2)
    assert (ctx.state["page"], ctx.state["other"]) == ("first", "third")
    [table] = [one for name, one in shown.items() if name.startswith("comparison_")]
    assert [one["label"] for one in table["view"]["columns"]] == ["", "first", "third"]
    rows = {row["c0"]: (row["c1"], row["c2"]) for row in table["default"]}
    assert rows["Training split"] == ("1 image", "3 images")
    ctx.click("choose_other", value="second")
    assert ctx.state["other"] == "second"


def test_pictures_are_sent_when_they_change(dataset, ctx):
    folder = make_run(dataset, "first")
    path = folder / folders.VAL_PREDICTIONS
    PIL.Image.effect_noise((1280, 640), 100).convert("RGB").save(path, quality=95)
    ctx.click("refresh")
    shown = ctx.click("open_run", row=0)
    assert shown[LIVE]["view"]["name"] == "ImageView"
    sent = ctx.data.pop(LIVE)
    assert sent.startswith("data:image/jpeg;base64,")
    assert len(sent) <= MAX_URI
    ctx.click("refresh")
    assert LIVE not in ctx.data
    PIL.Image.new("RGB", (64, 64)).save(path)
    ctx.click("refresh")
    assert ctx.data[LIVE] != sent
    path.write_bytes(b"no picture")
    ctx.click("refresh")
    assert ctx.data[LIVE] == ""
    assert BATCH not in ctx.data
    PIL.Image.new("RGB", (64, 64)).save(folder / folders.TRAIN_BATCH)
    ctx.click("refresh")
    assert ctx.data[BATCH].startswith("data:image/jpeg;base64,")


def test_a_run_keeps_its_color_and_the_newest_is_on_top(dataset, ctx):
    def lines(name):
        [plot] = [one for key, one in ctx.render().items() if key.startswith(name)]
        layout = plot["view"]["layout"]
        assert layout["showlegend"]
        assert (layout["xaxis"]["tickformat"], layout["xaxis"]["dtick"]) == ("d", 1)
        return [(one["name"], one["line"]) for one in plot["view"]["data"]]

    history.write(make_run(dataset, "first"), CURVES)
    blue, orange = plots.COLORS[:2]
    alone = [("first", {"color": blue, "dash": "solid"})]
    assert lines("score") == alone
    history.write(make_run(dataset, "second"), CURVES)
    assert lines("score") == [*alone, ("second", {"color": orange, "dash": "solid"})]
    assert lines("loss") == [
        *alone,
        ("", {"color": blue, "dash": "dash"}),
        ("second", {"color": orange, "dash": "solid"}),
        ("", {"color": orange, "dash": "dash"}),
    ]
    deletion.delete_run(dataset, "first")
    assert lines("score") == [("second", {"color": orange, "dash": "solid"})]


@pytest.mark.parametrize(
    ("last", "step"), [(1, 1), (8, 1), (9, 2), (16, 2), (40, 5), (135, 20)]
)
def test_epochs_are_whole_numbers(last, step):
    assert plots.epoch_axis(last)["dtick"] == step


def test_only_the_newest_runs_are_in_a_plot(dataset, ctx):
    for number in range(curves.MAX_RUNS + 1):
        history.write(make_run(dataset, f"run_{number}"), {"loss": [1.0]})
    [name] = [one for one in ctx.render() if one.startswith("loss")]
    assert "run_0" not in name
    assert "run_8" in name


@pytest.fixture
def make_job(dataset):
    """Returns a function that makes the files of a job, on which this process works."""
    with contextlib.ExitStack() as held:

        def make(task, target, progress):
            folder = monitor.job_folder(dataset, task, target)
            folder.mkdir(parents=True)
            content = {"task": task, "dataset": dataset.name, "target": target}
            write_json(folder / JOB_FILE, {**content, "arguments": {}})
            write_progress(folder, progress)
            held.callback(files.remove, folder)
            held.enter_context(files.locked(folder / LOCK_FILE))
            return folder

        yield make


def test_each_job_can_be_stopped(dataset, ctx, make_job, monkeypatch):
    stopped = []
    monkeypatch.setattr(monitor, "stop", lambda job: stopped.append(job.target))
    jobs = [("train", "one"), *((task, f"by_{task}") for task in OTHER_TASKS)]
    for task, target in jobs:
        make_job(task, target, JobProgress("running", 0.5, "sample 5 of 10"))
    shown = ctx.click("refresh")
    bars = {name: one for name, one in shown.items() if name.startswith("bar_")}
    assert {*bars} == {f"bar_{task}_{target}" for task, target in jobs}
    for bar in bars.values():
        button = bar["type"]["properties"]["stop"]["view"]
        ctx.click("stop", **button["params"])
    assert sorted(stopped) == sorted(target for _, target in jobs)
    ctx.click("stop", folder="/tmp")
    assert len(stopped) == len(jobs)
    assert ctx.data["bar_apply_by_apply.done"] == 0.5


def test_trainings_wait_for_their_turn(ctx, make_job):
    for target, progress in (
        ("one", JobProgress("running", 0.5, "epoch 1 of 2")),
        ("two", JobProgress("waiting", 0.0, "waits for 'one'")),
    ):
        make_job("train", target, progress)
    shown = ctx.click("refresh")
    bars = [name for name in shown if name.startswith("bar_")]
    assert bars == ["bar_train_one", "bar_train_two"]
    status = {one["run"]: one["status"] for one in ctx.data["table"]}
    assert status == {"one": "Running", "two": "Waiting"}
    assert "waits for 'one'" in str(shown["bar_train_two"])


def test_the_dataset_is_reloaded_only_for_new_labels(ctx, make_job):
    folders_of = {
        task: make_job(task, target, JobProgress("running"))
        for task, target in (("train", "one"), ("apply", "found"))
    }
    for task, names in (
        ("train", ["notify"]),
        ("apply", ["notify", "reload_dataset"]),
    ):
        ctx.click("refresh")
        ctx.called.clear()
        write_progress(folders_of[task], JobProgress("finished"))
        ctx.click("refresh")
        assert [one[0] for one in ctx.called] == names


def test_a_job_that_never_became_a_run_is_removed(dataset, ctx, make_job):
    folder = make_job("train", "one", JobProgress("failed", label="no images"))
    ctx.click("refresh")
    assert menu(ctx) == [["Remove from this list"]]
    ctx.click("forget_run", row=0)
    assert not folder.exists()
    assert runs_table.rows(dataset) == []


def test_a_reading_without_news_keeps_the_state(dataset, ctx, make_job):
    """A change of the state makes the App reset the filters of its sidebar."""
    make_run(dataset, "first")
    make_job("apply", "found", JobProgress("running"))
    ctx.click("refresh")
    changed = []
    ctx.panel.set_state = lambda *parts: changed.append(parts)
    ctx.click("refresh")
    ctx.click("on_change_ctx")
    assert changed == []

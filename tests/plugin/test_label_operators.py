"""The operators of the circle of labels, called as the App does and from Python."""

import json
import os
from dataclasses import asdict

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from plugin import label_results
from tests.curation import labeled
from tests.plugin.conftest import NAME, call, ended, error, kill_jobs
from tests.plugin.panel_app import PanelApp
from tests.runs.made_runs import make_run
from yolov1_fo.config import NetworkConfig
from yolov1_fo.curation.mistake_kinds import KINDS, LOOSE_BOX, MISSING
from yolov1_fo.datasets import predicted_by
from yolov1_fo.jobs import job, label_tasks, spawn, worker
from yolov1_fo.runs import training_labels, training_samples

SUGGESTED = "ground_truth_suggested"
FORMS = (
    *("find_mistakes", "suggest_labels", "accept_labels", "undo_accept"),
    *("next_to_label", "clear_mistakes"),
)


@pytest.fixture
def some():
    """Thirty samples of two objects each, well predicted; of five, labels are gone."""
    made = labeled.dataset()
    made.persistent = True
    ids = made.values("id")
    made.set_values("ground_truth", dict.fromkeys(ids[:5]), key_field="id")
    yield made
    kill_jobs(made)
    made.delete()


@pytest.fixture
def at_once(monkeypatch, tmp_path):
    """Runs jobs in this process when they are started; returns those that were."""
    made = []

    def start(dataset, task, target, arguments, **_):
        given = json.loads(json.dumps(arguments))
        started = job.Job(tmp_path, task, dataset.name, target, job.JobProgress(), 1)
        result = worker._mend_labels(started, given, lambda *_, **__: None)
        done = job.JobProgress("finished", 1.0, "finished", json_of(result))
        made.append(started._replace(progress=done))
        dataset.reload()
        return made[-1]

    monkeypatch.setattr(spawn, "start", start)
    monkeypatch.setattr(spawn, "wait_until_connected", lambda started: started)
    return made


def json_of(result):
    return json.loads(json.dumps(result))


def notice(asked, name="what"):
    """Returns a line of a form."""
    return asked[name]["view"]["label"]


def in_app(name, dataset, /, params=None, **context):
    """Calls an operator with a view or selection; returns its result and requests."""
    done = foo.execute_operator(
        f"{NAME}/{name}", ctx={"dataset": dataset, **context}, params=params or {}
    )
    requests = [one.operator_uri.rpartition("/")[2] for one in done.executor._requests]
    return done.result, requests


@pytest.mark.parametrize("name", FORMS)
def test_each_operator_has_an_icon_and_a_form_for_a_bare_dataset(some, form, name):
    assert foo.get_operator(f"{NAME}/{name}").config.icon
    some.delete_sample_fields(["predictions", "ground_truth"])
    assert error(form(name, some))[0].isupper()


def test_the_form_of_find_mistakes_counts_and_warns(some, form):
    asked = form("find_mistakes", some)
    assert error(asked) is None
    assert asked["method"]["default"] == "predictions"
    assert asked["pred_field"]["default"] == "predictions"
    assert notice(asked) == (
        "Compares the 50 labels of 25 labeled samples with 'predictions'"
    )
    assert notice(asked, "trained_on").startswith("It is not known what the model of")
    folder = make_run(some)
    training_samples.write(folder, some.values("id")[:20])  # 5 unlabeled
    model = {"model": "one", "run_folder": str(folder)}
    predicted_by.record(some, "predictions", model, replaces=True)
    line = notice(form("find_mistakes", some), "trained_on")
    assert line.startswith(
        "The model of 'predictions' was trained on 15 of these 25 labeled samples. A"
    )
    about = {"model": "3 folds", "out_of_fold": True}
    predicted_by.record(some, "predictions", about, replaces=True)
    assert "trained_on" not in form("find_mistakes", some)


def test_the_form_of_find_mistakes_says_what_trainings_take(some, form):
    asked = form("find_mistakes", some, method="folds", folds=4, max_minutes=5)
    assert error(asked) is None
    assert notice(asked) == (
        "4 trainings of up to 5 minutes each, 20 minutes in total. Predicts 25 labeled "
        "samples into 'out_of_fold' and compares their 50 labels"
    )
    some.clone_sample_field("ground_truth", "out_of_fold")
    line = error(form("find_mistakes", some, method="folds"))
    assert "out_of_fold" in line


def test_the_form_of_find_mistakes_refuses_a_name_in_use(some, form):
    some.add_sample_field("mine", fo.StringField)
    some.add_sample_field("ground_truth.detections.mine", fo.StringField)
    line = error(form("find_mistakes", some, mistake_field="mine"))
    assert "'mine' would replace 'ground_truth.detections.mine'" in line


def test_mistakes_are_found_and_cleared(some, at_once):
    call("find_mistakes", some, method="predictions", pred_field="predictions")
    [done] = at_once
    assert set(done.progress.result["counts"]) == set(KINDS)
    assert done.progress.result["samples"] == 25
    assert some.has_saved_view("mistake:all")
    call("clear_mistakes", some, mistake_field="mistake")
    some.reload()
    assert some.list_saved_views() == []
    assert not some.has_field("ground_truth.detections.mistake")


def test_trainings_report_which_of_them_runs(monkeypatch):
    settings = {"folds": 2, "settings": {"max_minutes": 1}, "device": None}
    lines = []
    options = label_tasks._with_progress(
        settings, lambda done, line, **_: lines.append((round(done, 2), line))
    )
    options["on_fold"](2, 2)
    options["on_step"](1, 1, 10, 10)
    assert lines[0] == (0.5, "training 2 of 2")
    assert lines[1][1].startswith("training 2 of 2: epoch 1 of 1, step 10 of 10")
    assert (options["max_minutes"], options["device"]) == (1, None)


@pytest.mark.slow
def test_a_search_in_a_child_process(some):
    operator = foo.get_operator(f"{NAME}/find_mistakes")
    operator(some, "predictions")
    done = ended(some, "mistake")
    assert done.progress.state == "finished", done.progress.label
    assert some.has_saved_view("mistake:all")


def test_the_form_of_suggest_counts_suggestions(some, form):
    given = {"method": "predictions", "thresh": 0.5}
    asked = form("suggest_labels", some, **given)
    assert error(asked) is None
    assert notice(asked) == (f"Will add 10 suggestions to 5 samples, in '{SUGGESTED}'")
    line = error(form("suggest_labels", some, method="predictions"))
    assert line.startswith("Enter a minimum confidence: 'predictions' was not")
    labels = some.exists("ground_truth")
    line = error(form("suggest_labels", some, view=labels, **given))
    assert line.startswith("All samples have labels in 'ground_truth'")
    asked = form("suggest_labels", some, include_labeled=True, **given)
    assert notice(asked) == (
        f"Will add 10 suggestions to 5 samples, in '{SUGGESTED}'; 50 predictions "
        "match existing labels and will be skipped"
    )
    yolov1_fo.suggest(some, "predictions", thresh=0.5)
    asked = form("suggest_labels", some, **given)
    assert notice(asked).endswith(". Replaces 10 earlier suggestions")


def test_suggestions_are_accepted_and_taken_back(some, form, at_once):
    given = {"method": "predictions", "pred_field": "predictions", "thresh": 0.5}
    call("suggest_labels", some, gt_field="ground_truth", **given)
    assert at_once[0].progress.result["labels"] == 10
    asked = form("accept_labels", some)
    assert asked["field"]["default"] == SUGGESTED
    assert asked["chosen"]["type"]["values"] == ["dataset"]
    assert notice(asked) == (
        "Will add 10 labels to 5 samples, in 'ground_truth'. No label is changed; "
        "'Undo accepted YOLOv1 labels' takes them back"
    )
    result, requests = in_app(
        "accept_labels", some, {"field": SUGGESTED, "chosen": "dataset"}
    )
    assert result["labels"] == 10
    assert {"notify", "reload_samples"} <= set(requests)
    assert some.count("ground_truth.detections") == 60
    asked = form("undo_accept", some)
    assert notice(asked).startswith("Takes back 10 labels accepted at 20")
    some.set_values(
        "ground_truth.detections.label",
        {some.first().id: ["cow", "cow"]},
        key_field="id",
    )
    assert notice(form("undo_accept", some)).endswith(". 2 edited labels are kept")
    result, _ = in_app("undo_accept", some, {"gt_field": "ground_truth"})
    assert (result["labels"], result["kept"]) == (8, 2)
    assert some.count("ground_truth.detections") == 52


@pytest.mark.parametrize("kind", ["labels", "samples", "view", "patches"])
def test_what_is_selected_is_accepted_first(some, kind):
    yolov1_fo.suggest(some, "predictions", thresh=0.5)
    first = some.first()
    ids = [one.id for one in first[SUGGESTED].detections]
    selected = {"label_id": ids[0], "sample_id": first.id, "field": SUGGESTED}
    context = {
        "labels": {"selected_labels": [selected]},
        "samples": {"selected": [first.id]},
        "view": {"view": some.filter_labels(SUGGESTED, F("label") == "cat")},
        "patches": {"view": some.to_patches(SUGGESTED), "selected": ids},
    }[kind]
    result, _ = in_app("accept_labels", some, {}, **context)
    assert (
        result["labels"] == {"labels": 1, "samples": 2, "view": 5, "patches": 2}[kind]
    )


def test_missing_objects_are_accepted_once(some, form):
    sample = some.last()
    sample.ground_truth.detections = sample.ground_truth.detections[:1]
    sample.save()
    yolov1_fo.find_mistakes(some)
    assert some.count_values("predictions.detections.mistake")[MISSING] == 1
    asked = form("accept_labels", some)
    assert asked["field"]["default"] == "predictions"
    assert notice(asked).startswith("Will add 1 label to 1 sample, in 'ground_truth'")
    in_app("accept_labels", some, {"field": "predictions", "chosen": "dataset"})
    assert some.count("ground_truth.detections") == 50
    line = error(form("accept_labels", some))
    assert (
        line == "Missing objects in 'predictions': nothing to accept in this selection"
    )


@pytest.fixture
def trained(some):
    """The dataset with a run on its labeled samples, by the tags learn and val."""
    labels = some.exists("ground_truth").values("id")
    some.select(labels[:20]).tag_samples("learn")
    some.select(labels[20:]).tag_samples("val")
    folder = make_run(
        *(some, "first"),
        classes=["cat", "dog"],
        settings=asdict(NetworkConfig(network="yolov1-efficientnet-lite0", C=2)),
        gt_field="ground_truth",
        val_images=5,
    )
    training_labels.write(folder, some, "ground_truth", labels[:20], labels[20:])
    training_samples.write(folder, labels[:20])
    return some


def test_the_form_of_next_counts_and_protects_tags(trained, form):
    asked = form("next_to_label", trained, count=3)
    assert error(asked) is None
    assert notice(asked) == (
        "Will tag 3 of 5 samples without labels with 'next_to_label'"
    )
    line = error(form("next_to_label", trained, tag="learn"))
    assert line.startswith("Tag 'learn' is on 20 samples of dataset")
    assert "letters, digits and underscores" in error(
        form("next_to_label", trained, tag="../x")
    )
    trained.limit(2).tag_samples("next_to_label")
    line = notice(form("next_to_label", trained))
    assert line.endswith(". The tag is first removed from 2 samples")


@pytest.mark.slow
def test_samples_are_chosen_and_shown(dataset, checkpoint_dir, at_once):
    new = dict.fromkeys(dataset.values("id")[:4])
    dataset.set_values("ground_truth", new, key_field="id")
    call("next_to_label", dataset, model=str(checkpoint_dir), count=2)
    [done] = at_once
    chosen = done.progress.result["sample_ids"]
    assert {*chosen} == {*dataset.match_tags("next_to_label").values("id")} <= {*new}
    app = PanelApp(dataset)
    label_results.show(app.context(), done)
    assert app.last_view().values("id") == chosen
    line = "Choose samples to label next: 2 samples have the tag 'next_to_label'"
    assert app.notified() == [line]


def test_train_again_says_what_has_changed(trained, form):
    sample = trained.last()
    sample.ground_truth.detections[0].label = "dog"
    sample.ground_truth.detections.append(labeled.detection("cat", [0, 0, 0.2, 0.2]))
    sample.save()
    filled, requests = in_app("train_again", trained)
    assert requests == ["prompt_user_for_operation"]
    assert filled == {
        "weights": "first",
        "gt_field": "ground_truth",
        "split": "tags",
        "train_tag": "learn",
        "val_tag": "val",
        "view_target": "DATASET",
    }
    asked = form("train_model", trained, **filled)
    assert notice(asked, "label_changes") == (
        "1 new object, 1 changed and 0 deleted since run 'first', in 1 sample"
    )
    assert "leave_out_unlabeled" in asked
    assert notice(asked, "what").startswith("20 training images, 5 validation images")


def test_samples_labeled_since_are_trained_on(trained, form):
    new = trained.first()  # without a tag of either split
    new["ground_truth"] = fo.Detections(
        detections=[labeled.detection("cat", [0, 0, 0.2, 0.2])]
    )
    new.save()
    filled, _ = in_app("train_again", trained)
    assert (filled["train_tag"], filled["val_tag"]) == ("*", "val")
    asked = form("train_model", trained, **filled)
    assert notice(asked, "what").startswith("21 training images, 5 validation images")
    new.tags = ["test"]
    new.save()
    assert in_app("train_again", trained)[0]["train_tag"] == "learn"


@pytest.mark.parametrize(
    ("name", "params", "line"),
    [
        ("find_mistakes", {"min_score": None}, "Minimum score is empty"),
        ("find_mistakes", {"mistake_field": ""}, "Result name is empty"),
        ("find_mistakes", {"folds": 10**6}, "Number of folds must be at most 20, got"),
        ("find_mistakes", {"folds": None}, "Number of folds is empty"),
        ("find_mistakes", {"max_minutes": None}, "Time limit of each training"),
        ("suggest_labels", {"gt_field": ""}, "Ground truth field is empty"),
        ("accept_labels", {"min_confidence": None}, "Minimum confidence is empty"),
        ("accept_labels", {"min_confidence": 7}, "Minimum confidence must be in [0, 1"),
        ("next_to_label", {"tag": ""}, "Tag is empty; enter a name"),
        ("next_to_label", {"count": None}, "Number of samples is empty"),
        ("next_to_label", {"count": 0}, "Number of samples must be at least 1"),
    ],
)
def test_emptied_and_invalid_inputs_are_red(trained, form, name, params, line):
    if name == "accept_labels":
        yolov1_fo.suggest(trained, "predictions", thresh=0.5)
    if {"folds", "max_minutes"} & set(params):
        params = {**params, "method": "folds"}
    assert error(form(name, trained, **params)).startswith(line)


def test_without_a_run_there_is_nothing_to_train_again(some):
    with pytest.raises(Exception, match="No training has ended yet"):
        call("train_again", some)


def test_the_form_of_train_says_what_has_changed(trained, form):
    view = trained.exists("ground_truth")
    given = {"weights": "first", "gt_field": "ground_truth", "split": "tags"}
    tags = {"train_tag": "learn", "val_tag": "val"}
    asked = form("train_model", trained, view=view, **given, **tags)
    assert error(asked) is None
    assert notice(asked, "label_changes") == "No label has changed since run 'first'"
    assert "known_val" not in asked
    swapped = {"train_tag": "val", "val_tag": "learn", "batch_size": 2}
    asked = form("train_model", trained, view=view, **given, **swapped)
    assert notice(asked, "known_val").startswith(
        "Run 'first' was trained on 20 of the validation samples"
    )


@pytest.fixture
def panel(some):
    """Returns a function that calls a handler of the panel, and what it has set."""
    from types import SimpleNamespace

    from plugin.panels.labels import LabelsPanel

    state, data, asked = {}, {}, []

    def record(name):
        return lambda *args, **more: asked.append((name, args, more))

    names = ("set_view", "notify", "reload_dataset")
    ctx = SimpleNamespace(
        dataset=some,
        params={},
        panel=SimpleNamespace(
            get_state=state.get, set_state=state.__setitem__, set_data=data.__setitem__
        ),
        ops=SimpleNamespace(**{name: record(name) for name in names}),
        prompt=record("prompt"),
    )

    def do(handler, **params):
        asked.clear()
        ctx.params = params
        getattr(LabelsPanel(), handler)(ctx)
        return list(asked)

    do.state, do.data, do.ctx = state, data, ctx
    do.render = lambda: LabelsPanel().render(ctx).to_json()["type"]["properties"]
    return do


def test_the_panel_counts_mistakes_and_opens_their_views(some, panel):
    panel("on_load")
    assert "title_0" not in panel.render()
    sample = some.last()
    sample.ground_truth.detections = sample.ground_truth.detections[:1]
    sample.save()
    yolov1_fo.find_mistakes(some)
    yolov1_fo.suggest(some, "predictions", thresh=0.5)
    panel("refresh")
    rows = {row["kind"]: row["count"] for row in panel.data["mistakes_0"]}
    assert rows["Missing object"] == "1"
    shown = panel.render()
    assert {"steps", "title_0", "mistakes_0", "suggestions_table"} <= set(shown)
    [(name, [view], _)] = panel("show_kind", path="mistakes_0", row=0)
    assert (name, view.values("id")) == ("set_view", [sample.id])
    [(name, [view], _)] = panel("show_suggestions", row=0)
    assert len(view) == 5
    [(_, [uri], more)] = panel("open_step", step="suggest_labels")
    assert uri == f"{NAME}/suggest_labels"
    assert more["params"] == {"view_target": "DATASET"}
    some.delete_saved_view("mistake:all")
    [(name, [line], _)] = panel("show_all", name="mistake")
    assert (name, line) == ("notify", "The saved view 'mistake:all' was deleted")


def test_the_panel_shows_a_job_and_its_result(some, panel, tmp_path):
    from yolov1_fo.jobs import monitor

    folder = monitor.job_folder(some, "find_mistakes", "mistake")
    folder.mkdir(parents=True)
    about = {"task": "find_mistakes", "dataset": some.name, "target": "mistake"}
    job.write_json(folder / job.JOB_FILE, {**about, "arguments": {}})
    spawn._write_process(folder, os.getpid())
    running = job.JobProgress("running", 0.25, "comparing")
    job.write_progress(folder, running)
    panel("on_load")
    assert panel.state["active"] == [str(folder)]
    assert panel.data["bar_find_mistakes_mistake.done"] == 0.25
    assert "bar_find_mistakes_mistake" in panel.render()
    yolov1_fo.find_mistakes(some)
    result = {"counts": {MISSING: 3, LOOSE_BOX: 1}, "samples": 25}
    job.write_progress(folder, job.JobProgress("finished", 1.0, "finished", result))
    asked = panel("follow")
    assert asked[0][0] == "reload_dataset"
    line = "Find label mistakes: 3 missing objects, 1 loose box, in 25 samples"
    assert asked[-1][:2] == ("notify", (line,))
    assert panel.state["active"] == []
    assert panel("follow") == []

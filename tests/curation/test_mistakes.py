"""find_mistakes and clear_mistakes on handmade labels."""

import logging

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from tests.curation.labeled import detection
from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.runs import training_samples

VIEWS = [
    *("mistake:all", "mistake:missing object", "mistake:spurious object"),
    *("mistake:wrong class", "mistake:loose box"),
]


def find(samples, *arguments, **options):
    return yolov1_fo.find_mistakes(samples, *arguments, **options)


def labels(dataset, field="ground_truth"):
    """Returns class and box of all labels."""
    paths = [f"{field}.detections.{name}" for name in ("id", "label", "bounding_box")]
    return dataset.values(paths)


def stored(dataset):
    """Returns all samples in the database, without the time of their last change."""
    samples = list(fiftyone_private.collection(dataset).find())
    return [
        {k: v for k, v in one.items() if k != "last_modified_at"} for one in samples
    ]


@pytest.fixture
def broken(dataset):
    """Of four samples a label is broken; returns what must be found.

    The dataset, and kind, sample id, label id and predicted class of each mistake.
    """
    ids = dataset.values("id")
    swapped, removed, moved, invented = (dataset[one] for one in ids[:4])
    swapped.ground_truth.detections[0].label = "dog"
    del removed.ground_truth.detections[0]
    box = moved.ground_truth.detections[1].bounding_box
    moved.ground_truth.detections[1].bounding_box = [box[0] - 0.13, *box[1:]]
    extra = detection("cat", [0.1, 0.55, 0.3, 0.35])
    invented.ground_truth.detections.append(extra)
    for one in (swapped, removed, moved, invented):
        one.save()
    return dataset, {
        ("wrong class", ids[0], swapped.ground_truth.detections[0].id, "cat"),
        ("missing object", ids[1], None, "cat"),
        ("loose box", ids[2], moved.ground_truth.detections[1].id, "dog"),
        ("spurious object", ids[3], extra.id, None),
    }


def found(report):
    return {
        (one.kind, one.sample_id, one.label_id, one.prediction)
        for one in report.mistakes
    }


def test_broken_labels_are_found_and_nothing_else(broken):
    dataset, expected = broken
    report = find(dataset)
    assert found(report) == expected
    assert report.counts == dict.fromkeys(report.counts, 1)
    assert (report.samples, report.objects) == (30, 60)
    scores = [one.score for one in report.mistakes]
    assert scores == sorted(scores, reverse=True)
    assert "30 images, 60 objects, 4 possible mistakes" in str(report)
    assert "mistake:loose box" in str(report)


def test_mistakes_are_kept_on_objects_predictions_and_samples(broken):
    dataset, _ = broken
    before = labels(dataset)
    report = find(dataset)
    for one in report.mistakes:
        sample = dataset[one.sample_id]
        marked = {
            label.id: (label["mistake"], label["mistake_score"])
            for field in ("ground_truth", "predictions")
            for label in sample[field].detections
            if label.has_attribute("mistake")
        }
        ids = {one.label_id, one.prediction_id} - {None}
        assert marked == dict.fromkeys(ids, (one.kind, one.score))
        assert sample["mistake_score"] == one.score
    counts = dataset.count_values("predictions.detections.mistake")
    assert counts["missing object"] == counts["wrong class"] == 1
    assert dataset.values("mistake_score").count(0) == 26
    assert labels(dataset) == before


def test_views_are_saved_and_sorted(broken):
    dataset, expected = broken
    report = find(dataset)
    assert dataset.list_saved_views() == VIEWS
    everything = dataset.load_saved_view("mistake:all")
    scores = everything.values("mistake_score")
    assert scores == [one.score for one in report.mistakes]
    assert everything.values("id") == [one.sample_id for one in report.mistakes]
    assert everything.count("ground_truth.detections") == 3
    assert everything.count("predictions.detections") == 3
    for kind, sample_id, label_id, _ in expected:
        view = dataset.load_saved_view(f"mistake:{kind}")
        assert view.values("id") == [sample_id]
        assert view.values("id") == report.view(kind).values("id")
        shown = view.values("ground_truth.detections.id", unwind=True)
        if label_id:
            assert shown == [label_id]
        else:  # beside a missing object, the other ones are shown
            assert len(shown) == 1
            assert view.count("predictions.detections") == 1
    with pytest.raises(ValueError, match="kind must be one of all, missing object"):
        report.view("typo")


def test_equal_scores_are_in_the_order_of_the_dataset(dataset):
    first = dataset.first()
    for sample in dataset[1:4]:
        for field in ("ground_truth", "predictions"):
            sample[field] = first[field].copy()
        del sample.ground_truth.detections[0]
        sample.save()
    report = find(dataset)
    assert len({one.score for one in report.mistakes}) == 1
    ids = dataset[1:4].values("id")
    assert [one.sample_id for one in report.mistakes] == ids
    assert report.view().values("id") == ids
    assert report.view("missing object").values("id") == ids


def test_clear_takes_all_of_it_away(broken):
    dataset, _ = broken
    before, schema = stored(dataset), dataset.get_field_schema(flat=True)
    find(dataset)
    assert stored(dataset) != before
    assert dataset.list_runs() == ["mistake"]
    yolov1_fo.clear_mistakes(dataset.limit(1))
    assert stored(dataset) == before
    assert dataset.get_field_schema(flat=True).keys() == schema.keys()
    assert dataset.list_saved_views() == dataset.list_runs() == []
    yolov1_fo.clear_mistakes(dataset)  # there is nothing left
    assert stored(dataset) == before


def test_a_second_call_replaces_the_first(broken):
    dataset, expected = broken
    find(dataset)
    sample = dataset[next(one[1] for one in expected if one[0] == "wrong class")]
    sample.ground_truth.detections[0].label = "cat"  # mended
    sample.save()
    report = find(dataset)
    kinds = {one[0] for one in expected} - {"wrong class"}
    assert {one.kind for one in report.mistakes} == kinds
    assert len(dataset.match(F("mistake_score") > 0)) == 3
    assert len(dataset.load_saved_view("mistake:wrong class")) == 0
    assert sum(x is not None for x in marks(dataset, "ground_truth")) == 2


def marks(dataset, field):
    return dataset.values(f"{field}.detections.mistake", unwind=True)


def test_a_killed_call_is_completed_or_cleared(broken, monkeypatch):
    from yolov1_fo.curation.mistake_fields import MistakeFields

    dataset, expected = broken
    before = stored(dataset)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MistakeFields, "view", killed)
    with pytest.raises(KeyboardInterrupt):
        find(dataset)
    assert "mistake_score" in dataset.get_field_schema()
    yolov1_fo.clear_mistakes(dataset)
    assert stored(dataset) == before
    with pytest.raises(KeyboardInterrupt):
        find(dataset)
    monkeypatch.undo()
    assert found(find(dataset)) == expected


@pytest.mark.parametrize(
    "hide",
    [
        lambda view: view.select_fields("predictions"),
        lambda view: view.exclude_fields("ground_truth"),
        lambda view: view.filter_labels("ground_truth", F("label") == "dog"),
        lambda view: view.filter_labels("predictions", F("confidence") > 0.5),
    ],
)
def test_what_a_view_hides_is_compared_too(broken, hide):
    dataset, expected = broken
    view = hide(dataset.limit(25))
    assert found(find(view)) == expected
    assert len(dataset.exists("mistake_score")) == 25


def test_samples_without_labels_or_predictions_are_left_out(broken, caplog):
    dataset, expected = broken
    ids = dataset.values("id")
    dataset.set_values("ground_truth", {ids[-1]: None}, key_field="id")
    dataset.set_values("predictions", {ids[-2]: None}, key_field="id")
    with caplog.at_level(logging.INFO, logger="yolov1_fo"):
        report = find(dataset)
    assert found(report) == expected
    assert report.samples == 28
    assert "2 samples of dataset" in caplog.text
    assert dataset.select(ids[-2:]).values("mistake_score") == [None, None]


def test_a_sample_with_an_empty_value_lacks_its_objects(dataset):
    sample = dataset.first()
    sample.ground_truth = fo.Detections()
    sample.save()
    report = find(dataset)
    assert report.counts["missing object"] == len(report.mistakes) == 2
    assert {one.sample_id for one in report.mistakes} == {sample.id}


def test_a_clone_has_its_own_mistakes(broken):
    dataset, expected = broken
    find(dataset)
    before = stored(dataset)
    clone = dataset.clone()
    yolov1_fo.clear_mistakes(clone)
    assert clone.list_saved_views() == []
    assert found(find(clone)) == expected
    assert stored(dataset) == before
    assert dataset.list_saved_views() == VIEWS
    clone.delete()


def test_two_results_have_two_names(broken):
    dataset, expected = broken
    find(dataset)
    report = find(dataset, mistake_field="again")
    assert found(report) == expected
    assert len(dataset.list_saved_views()) == 10
    yolov1_fo.clear_mistakes(dataset)
    assert dataset.list_saved_views() == [v.replace("mistake", "again") for v in VIEWS]
    assert "again_score" in dataset.get_field_schema()


def test_a_lower_min_score_keeps_more(broken):
    dataset, expected = broken
    report = find(dataset, min_score=0)
    assert {one.kind for one in report.mistakes[:4]} == {one[0] for one in expected}
    assert len(report.mistakes) > 60
    assert find(dataset, min_score=1).mistakes == []
    assert set(dataset.values("mistake_score")) == {0}


OWN = {
    "field": lambda dataset: dataset.add_sample_field("mistake_score", fo.FloatField),
    "attribute": lambda dataset: set_attribute(dataset, "mistake"),
    "attribute that is not in the schema": lambda dataset: set_attribute(
        dataset, "mistake_score", dynamic=False
    ),
    "view": lambda dataset: dataset.save_view("mistake:all", dataset.limit(1)),
    "run": lambda dataset: dataset.register_run("mistake", dataset.init_run()),
}


def set_attribute(dataset, name, dynamic=True):
    sample = dataset.first()
    sample.ground_truth.detections[0][name] = "mine" if dynamic else 0.5
    sample.save()
    if dynamic:
        dataset.add_dynamic_sample_fields()


@pytest.mark.parametrize("what", OWN)
def test_what_the_user_has_under_the_name_is_kept(dataset, what):
    OWN[what](dataset)
    before = stored(dataset)
    with pytest.raises(ValueError, match=r"mistake_field 'mistake' would replace") as e:
        find(dataset)
    assert "\n" not in str(e.value)
    yolov1_fo.clear_mistakes(dataset)
    assert stored(dataset) == before
    assert find(dataset, mistake_field="other").mistakes == []


@pytest.mark.parametrize(
    ("options", "kind", "line"),
    [
        ({"pred_field": "ground_truth"}, ValueError, "must be different, got"),
        ({"pred_field": "typo"}, ValueError, "pred_field 'typo' is not on dataset"),
        ({"gt_field": "typo"}, ValueError, "gt_field 'typo' is not on dataset"),
        ({"gt_field": "filepath"}, ValueError, "must hold Detections, got StringFi"),
        ({"gt_field": 3}, TypeError, "gt_field must be a string, got 3"),
        ({"mistake_field": "label"}, ValueError, "mistake_field 'label' would replac"),
        ({"mistake_field": "a b"}, ValueError, "mistake_field must be ASCII letters"),
        ({"min_score": 2}, ValueError, r"min_score must be in \[0, 1\], got 2"),
        ({"folds": 1}, ValueError, "folds must be at least 2, got 1"),
        ({"folds": 31}, ValueError, "can't be split into 31 folds: it has 30"),
        ({"epochs": 3}, TypeError, "epochs can only be given with folds"),
        ({"run_key": "mine"}, ValueError, "run 'mine' is not on dataset"),
    ],
)
def test_an_invalid_argument_raises_one_clear_line(dataset, options, kind, line):
    before = stored(dataset)
    with pytest.raises(kind, match=line) as caught:
        find(dataset, **options)
    assert "\n" not in str(caught.value)
    assert stored(dataset) == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda one: one.clear(), "has no samples"),
        (lambda one: clear(one, "ground_truth"), "no sample of .* has both"),
        (lambda one: clear(one, "predictions"), "no sample of .* has both"),
        (lambda one: empty(one, "ground_truth"), "has no objects to compare"),
        (lambda one: empty(one, "predictions"), "'predictions' on .* no predictions"),
    ],
)
def test_nothing_to_compare_raises_one_clear_line(dataset, change, line):
    change(dataset)
    with pytest.raises(ValueError, match=line) as caught:
        find(dataset)
    assert "\n" not in str(caught.value)
    assert dataset.list_saved_views() == dataset.list_runs() == []


def clear(dataset, field):
    dataset.set_values(field, [None] * len(dataset))


def empty(dataset, field):
    dataset.set_values(field, [fo.Detections()] * len(dataset))


def test_objects_without_confidence_are_no_predictions(dataset):
    sample = dataset.first()
    sample.predictions.detections.append(detection("cat", [0, 0, 0.5, 0.5]))
    sample.save()
    with pytest.raises(ValueError, match="has objects without confidence"):
        find(dataset)


def test_a_read_only_field_is_refused(dataset):
    field = dataset.get_field("ground_truth")
    field.read_only = True
    field.save()
    with pytest.raises(ValueError, match=r"'ground_truth' on .* is read-only, but"):
        find(dataset)


def test_patches_frames_and_names_are_refused(dataset):
    views = (dataset.to_patches("ground_truth"), "my-dataset")
    for samples, line in zip(
        views, ("shows patches; pass", "must be a Fifty"), strict=1
    ):
        with pytest.raises((ValueError, TypeError), match=line) as caught:
            find(samples)
        assert "\n" not in str(caught.value)


def test_a_group_is_compared_slice_by_slice(dataset):
    grouped = fo.Dataset()
    grouped.add_group_field("group", default="left")
    for sample in dataset:
        group = fo.Group()
        for side in ("left", "right"):
            values = {
                name: sample[name].copy() for name in ("ground_truth", "predictions")
            }
            if side == "right":
                del values["ground_truth"].detections[0]
            one = fo.Sample(f"{side}.jpg", group=group.element(side), **values)
            grouped.add_sample(one)
    assert find(grouped).mistakes == []
    assert len(grouped.exists("mistake_score")) == 30
    grouped.delete()


def test_predictions_of_high_scores_only_are_noticed(dataset, caplog):
    dataset.save_view("mine", dataset.limit(1))
    keep = dataset.filter_labels("predictions", F("confidence") > 0.5)
    keep.save("predictions")
    find(dataset)
    assert "the lowest confidence in 'predictions' is 0.7" in caplog.text
    assert "mine" in dataset.list_saved_views()


def test_a_warning_says_how_many_samples_were_trained_on(dataset, caplog, tmp_path):
    assert find(dataset).trained_on is None
    assert "it is not known which of these 30 samples the model of" in caplog.text
    caplog.clear()
    model = {"model": "mine", "run_folder": str(tmp_path)}
    predicted_by.record(dataset, "predictions", model, replaces=True)
    training_samples.write(tmp_path, dataset.limit(12).values("id"))
    assert find(dataset).trained_on == 12
    assert "'predictions' was trained on 12 of these 30 samples" in caplog.text
    assert find(dataset.limit(5)).trained_on == 5
    caplog.clear()
    assert find(dataset.skip(12)).trained_on == 0
    assert caplog.text == ""
    (tmp_path / training_samples.FILE).unlink()
    assert find(dataset).trained_on is None


def test_keras_is_not_needed_for_predictions(dataset):
    import subprocess
    import sys

    dataset.persistent = True
    code = (
        "import sys, fiftyone as fo, yolov1_fo; "
        f"dataset = fo.load_dataset({dataset.name!r}); "
        "yolov1_fo.find_mistakes(dataset); yolov1_fo.clear_mistakes(dataset); "
        "dataset.set_values('ground_truth', [None] * 30); "
        "yolov1_fo.suggest(dataset, 'predictions', thresh=0.5); "
        "yolov1_fo.accept(dataset); yolov1_fo.undo_accept(dataset); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

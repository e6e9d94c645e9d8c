import itertools

import fiftyone as fo
import fiftyone.core.odm as foo
import pytest

import yolov1_fo
from yolov1_fo.datasets.predictions_field import PredictionsField

WRITES = ("apply", "write_objectness", "write_losses")
OTHERS = {
    "weather": fo.Classification(label="dry"),
    "note": "by hand",
    "score": 0.5,
    "heat": fo.Heatmap(map_path="heat.png"),
    "about": fo.DynamicEmbeddedDocument(camera="left"),
}
"""Fields that a user may have."""
HEATMAPS = ("write_objectness", "heat")
"""This call writes heatmaps itself."""


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


def write(how, samples, model, field, **options):
    argument = "label_field" if how == "apply" else "field"
    call = getattr(yolov1_fo, how)
    return call(samples, model, **{argument: field}, progress=False, **options)


def stored(dataset, field):
    """Returns the values in the database."""
    return [one.get(field) for one in dataset._sample_collection.find()]


def add_meanwhile(dataset, field, value):
    """Adds a field that the dataset in memory lacks, as another process would."""
    with_it = fo.Dataset()
    with_it.add_sample(fo.Sample("a.png", **{field: value}))
    datasets = foo.get_db_conn().datasets
    fields = datasets.find_one({"_id": with_it._doc.id})["sample_fields"]
    mine = next(one for one in fields if one["name"] == field)
    datasets.update_one({"_id": dataset._doc.id}, {"$push": {"sample_fields": mine}})
    stored = with_it._sample_collection.find_one()[field]
    dataset._sample_collection.update_many({}, {"$set": {field: stored}})
    with_it.delete()


@pytest.mark.parametrize(
    ("how", "field"),
    [pair for pair in itertools.product(WRITES, OTHERS) if pair != HEATMAPS],
)
def test_a_field_of_another_type_is_kept_when_a_view_excludes_it(
    painted, model, how, field
):
    painted.set_values(field, [OTHERS[field]] * len(painted))
    before = stored(painted, field)
    for view in (painted.select_fields("ground_truth"), painted.exclude_fields(field)):
        with pytest.raises(ValueError, match=f"ield '{field}' on a view .* another"):
            write(how, view, model, field)
    assert stored(painted, field) == before
    assert painted.first()[field] is not None


@pytest.mark.parametrize("how", WRITES)
def test_a_field_is_kept_when_another_process_has_added_it(painted, model, how):
    view = painted.match_tags("train")
    add_meanwhile(painted, "weather", OTHERS["weather"])
    assert not painted.has_field("weather")
    for samples in (painted, view):
        with pytest.raises(ValueError, match=r"must hold .* got Classification"):
            write(how, samples, model, "weather")
    assert all(one["label"] == "dry" for one in stored(painted, "weather"))
    assert len(view) == 6  # it still works
    assert view.first().weather.label == "dry"


def test_a_field_is_kept_when_it_is_added_during_the_first_batch(
    painted, model, monkeypatch
):
    forward = model.forward

    def slow(pixels):
        if stored(painted, "weather")[0] is None:
            add_meanwhile(painted, "weather", OTHERS["weather"])
        return forward(pixels)

    monkeypatch.setattr(model, "forward", slow)
    with pytest.raises(ValueError, match="got Classification"):
        yolov1_fo.apply(painted, model, "weather", progress=False)
    assert all(one["label"] == "dry" for one in stored(painted, "weather"))


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [None, 3])
def test_apply_model_keeps_a_field_that_another_process_has_added(
    painted, model, batch_size
):
    given = {"label_field": "weather", "batch_size": batch_size, "progress": False}
    add_meanwhile(painted, "weather", OTHERS["weather"])
    for samples in (painted, painted.match_tags("train")):
        samples.apply_model(model, **given)
    assert all(one["label"] == "dry" for one in stored(painted, "weather"))
    add_meanwhile(painted, "note", OTHERS["note"])
    painted.apply_model(model, **{**given, "label_field": "found"})
    assert painted.count("found") == 8
    assert stored(painted, "note") == ["by hand"] * 8


@pytest.mark.parametrize(
    ("field", "line"),
    [
        *[(one, "must hold Detections, got") for one in ("id", "filepath", "metadata")],
        *[
            (one, "must be ASCII letters")
            for one in ("_x", "a.b", "with space", "1a", "größe", "class", "frames")
        ],
        *[
            (one, "must be ASCII letters")
            for one in ("", "pk", "save", "to_dict", "$a")
        ],
    ],
)
def test_invalid_names_raise_one_clear_line(painted, model, field, line):
    fields = set(painted.get_field_schema())
    with pytest.raises(ValueError, match=f"label_field .*{line}"):
        yolov1_fo.apply(painted, model, field, progress=False)
    painted.reload()
    assert set(painted.get_field_schema()) == fields


def test_a_fields_name_must_be_a_string(painted, model):
    with pytest.raises(
        TypeError, match="label_field must be the name of a field, got 3"
    ):
        yolov1_fo.apply(painted, model, 3)


@pytest.mark.parametrize("how", WRITES)
def test_a_read_only_field_raises_one_clear_line(painted, model, how):
    write(how, painted, model, "made")
    before = stored(painted, "made")
    field = painted.get_field("made")
    field.read_only = True
    field.save()
    with pytest.raises(ValueError, match=r"'made' on .* is read-only; choose another"):
        write(how, painted, model, "made")
    assert stored(painted, "made") == before


@pytest.mark.slow
def test_annotations_are_not_replaced_by_predictions(painted, model):
    before = stored(painted, "ground_truth")
    for view in (painted, painted.limit(2), painted.select_fields()):
        with pytest.raises(ValueError, match="labels that were not written by Apply"):
            yolov1_fo.apply(view, model, "ground_truth", progress=False)
    # Not even where there are none, since others could not tell them apart.
    painted.add_sample(fo.Sample(painted.first().filepath))
    for view, skips in ((painted.skip(8), False), (painted, True)):
        with pytest.raises(ValueError, match="labels that were not written by Apply"):
            yolov1_fo.apply(
                view, model, "ground_truth", skip_existing=skips, progress=False
            )
    assert stored(painted, "ground_truth")[:8] == before
    assert painted.last().ground_truth is None


def test_predictions_of_others_are_not_replaced(painted, model):
    """They have confidences too, but the models that wrote them are not known."""
    path = "ground_truth.detections.confidence"
    painted.set_values(path, [[0.5] * len(one) for one in painted.values(path)])
    with pytest.raises(ValueError, match="labels that were not written by Apply"):
        yolov1_fo.apply(painted, model, "ground_truth", progress=False)
    painted.delete_sample_field("ground_truth")
    yolov1_fo.apply(painted, model, "ground_truth", progress=False)
    yolov1_fo.apply(painted, model, "ground_truth", progress=False)


def test_annotations_among_predictions_are_not_replaced(painted, model):
    yolov1_fo.apply(painted, model, "yolov1", progress=False)
    sample = painted.first()
    sample.yolov1.detections.append(fo.Detection(label="red", bounding_box=[0] * 4))
    sample.save()
    with pytest.raises(ValueError, match="without confidence, like annotations"):
        yolov1_fo.apply(painted, model, "yolov1", progress=False)


def test_the_field_that_a_model_was_trained_on_is_not_written(painted, model):
    """Not even where it holds no labels yet."""
    painted.clear_sample_field("ground_truth")
    model.metadata["gt_field"] = "ground_truth"
    with pytest.raises(ValueError, match=r"'ground_truth' .* the model was trained on"):
        yolov1_fo.apply(painted, model, "ground_truth", progress=False)
    assert painted.count("ground_truth") == 0


def test_predictions_of_a_stopped_apply_are_replaced_by_the_next(
    painted, model, monkeypatch
):
    forward, passed = model.forward, []

    def stops(pixels):
        passed.append(len(pixels))
        if len(passed) > 3:
            raise KeyboardInterrupt
        return forward(pixels)

    with monkeypatch.context() as patch:
        patch.setattr(model, "forward", stops)
        with pytest.raises(KeyboardInterrupt):
            yolov1_fo.apply(painted, model, "made", batch_size=1, progress=False)
    assert painted.count("made") == 3
    yolov1_fo.apply(painted, model, "made", progress=False)
    assert painted.count("made") == 8


def test_predictions_are_replaced(painted, model):
    yolov1_fo.apply(painted, model, "yolov1", progress=False)
    model.config.confidence_thresh = 0.9
    yolov1_fo.apply(painted.select_fields(), model, "yolov1", progress=False)
    left = painted.values("yolov1.detections.confidence", unwind=True)
    assert all(one >= 0.9 for one in left)


def test_existing_predictions_are_skipped_when_a_view_excludes_them(painted, model):
    yolov1_fo.apply(painted.limit(3), model, "yolov1", progress=False)
    before = stored(painted, "yolov1")[:3]
    view = painted.select_fields("ground_truth")
    yolov1_fo.apply(view, model, "yolov1", skip_existing=True, progress=False)
    assert stored(painted, "yolov1")[:3] == before
    assert painted.count("yolov1") == 8


@pytest.mark.parametrize("how", WRITES)
def test_finished_batches_are_kept_when_a_later_one_fails(
    painted, model, how, monkeypatch
):
    forward, passed = model.forward, []

    def fails(pixels):
        passed.append(len(pixels))
        if len(passed) > 3:
            raise MemoryError("no more")
        return forward(pixels)

    monkeypatch.setattr(model, "forward", fails)
    with pytest.raises(MemoryError):
        write(how, painted, model, "made", batch_size=1)
    painted.reload()
    assert painted.count("made") == 3
    assert len(list(painted)) == 8  # all can be read


def test_a_deleted_dataset_raises_one_clear_line(painted, model):
    foo.get_db_conn().datasets.delete_one({"_id": painted._doc.id})
    with pytest.raises(ValueError, match=r"dataset '.*' was deleted"):
        PredictionsField(painted, "yolov1")

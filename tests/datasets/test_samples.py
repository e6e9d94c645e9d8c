import logging

import fiftyone as fo
import pytest
from bson import ObjectId
from fiftyone import ViewField as F

import yolov1_fo
from yolov1_fo.datasets import samples as fo_samples

LEFT, RIGHT, CLOUD = "left", "right", "cloud"


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.fixture
def grouped(painted_files):
    """Four groups of a left and a right image, with boxes, and a point cloud."""
    dataset = fo.Dataset()
    dataset.add_group_field("group", default=LEFT)
    samples = []
    for number in range(4):
        group = fo.Group()
        for name, one in ((LEFT, number), (RIGHT, 7 - number)):
            boxes = [
                fo.Detection(label=label, bounding_box=box)
                for label, box in painted_files[one]["objects"]
            ]
            samples.append(
                fo.Sample(
                    str(painted_files[one]["path"]),
                    group=group.element(name),
                    tags=["train" if number else "val"],
                    ground_truth=fo.Detections(detections=boxes),
                )
            )
        samples.append(fo.Sample(f"{number}.pcd", group=group.element(CLOUD)))
    dataset.add_samples(samples, progress=False)
    yield dataset
    dataset.delete()


def choose(grouped, how):
    """Returns the right slice, selected in one of FiftyOne's ways."""
    if how == "named":
        return grouped.select_group_slices(RIGHT)
    if how == "view":
        return grouped.match_tags(["train", "val"])
    return grouped


def count(grouped, name, field):
    return grouped.select_group_slices(name).count(field)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["active", "named", "view"])
def test_results_are_written_to_the_slice(grouped, model, how, caplog):
    if how != "named":
        grouped.group_slice = RIGHT
    samples = choose(grouped, how)
    with caplog.at_level(logging.INFO, logger="yolov1_fo"):
        assert not yolov1_fo.apply(samples, model, "found", progress=False)
    assert ("using slice 'right' of" in caplog.text) == (how != "named")
    yolov1_fo.write_objectness(samples, model, progress=False)
    yolov1_fo.write_losses(samples, model, progress=False)
    for field in ("found", "objectness", "loss"):
        assert count(grouped, RIGHT, field) == 4
        assert count(grouped, LEFT, field) == 0
    again = {"skip_existing": True, "progress": False}
    assert not yolov1_fo.apply(samples, model, "found", **again)
    report = yolov1_fo.inspect(samples, S=2, tiny_px=500)
    assert report.images == 4
    report.tag()
    report.save_views()
    assert grouped.load_saved_view("inspect:tiny").values("group.name")[0] == RIGHT
    tags = grouped.select_group_slices(LEFT).count_sample_tags()
    assert not any(tag.startswith("inspect") for tag in tags)
    batch = next(iter(yolov1_fo.to_tf_dataset(samples, image_size=32)))
    assert len(batch["images"]) == 4


def test_several_slices_are_one_collection(grouped, model):
    both = grouped.select_group_slices([LEFT, RIGHT])
    yolov1_fo.apply(both, model, "found", progress=False)
    assert count(grouped, LEFT, "found") == count(grouped, RIGHT, "found") == 4


@pytest.mark.slow
def test_a_slice_is_trained_and_validated_on(grouped, micro):
    grouped.group_slice = RIGHT
    result = yolov1_fo.train(
        grouped.match_tags("train"),
        val_samples=grouped.match_tags("val"),
        epochs=1,
        run_key="grouped",
        classes=["blue", "red"],
        **micro,
    )
    run = grouped.get_run_info("grouped").config
    assert (run.images, run.val_images) == (3, 1)
    model = yolov1_fo.load_model("grouped", grouped, confidence_thresh=0.0)
    assert model.classes == ["blue", "red"]
    assert result.history["val_voc07"]


@pytest.mark.parametrize(
    "call",
    [
        lambda samples, model: yolov1_fo.apply(samples, model),
        lambda samples, model: yolov1_fo.train(samples),
        lambda samples, model: yolov1_fo.inspect(samples),
        lambda samples, model: yolov1_fo.write_objectness(samples, model),
    ],
)
def test_a_slice_without_images_raises_one_clear_line(grouped, model, call):
    with pytest.raises(
        ValueError, match=r"got point-cloud; slices that hold images: left, right$"
    ):
        call(grouped.select_group_slices(CLOUD), model)
    grouped.group_slice = CLOUD
    with pytest.raises(
        ValueError,
        match=r"'cloud' holds point-cloud; slices that hold .*: left, right; select "
        r"one: samples.select_group_slices\('left'\)",
    ):
        call(grouped, model)


def test_dynamic_groups_must_be_flattened(painted, model):
    groups = painted.group_by("tags")
    with pytest.raises(ValueError, match=r"shows groups; .*: samples\.flatten\(\)"):
        yolov1_fo.apply(groups, model)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("fruit", r"got 'fruit'; fo\.load_dataset\('fruit'\) loads one"),
        ([fo.Sample("a.png")], r"got a list; dataset\.select\(ids\) returns a view"),
        (None, "got a NoneType"),
        (3, "got a int"),
    ],
)
def test_other_types_of_samples_raise_one_clear_line(painted, model, given, line):
    line = f"^samples must be a FiftyOne dataset or view, {line}"
    for call in (
        lambda: yolov1_fo.train(given),
        lambda: yolov1_fo.train(given, resume="run"),
        lambda: yolov1_fo.pretrain(given),
        lambda: yolov1_fo.inspect(given),
        lambda: yolov1_fo.to_tf_dataset(given),
        lambda: yolov1_fo.apply(given, model),
        lambda: yolov1_fo.write_losses(given, model),
        lambda: yolov1_fo.write_objectness(given, model),
    ):
        with pytest.raises(TypeError, match=line):
            call()
    if given is not None:
        for learn in (yolov1_fo.train, yolov1_fo.inspect):
            with pytest.raises(TypeError, match=f"^val_{line[1:]}"):
                learn(painted, val_samples=given)


@pytest.mark.parametrize("write", ["apply", "write_losses", "write_objectness"])
def test_the_name_of_a_model_is_not_a_model(painted, write):
    line = r"model must be a YOLOv1Model, got 'run'; .*\.load_model\('run'\)"
    with pytest.raises(TypeError, match=line):
        getattr(yolov1_fo, write)(painted, "run")


def test_a_view_equals_the_view_of_its_stages(painted):
    first = painted.first()
    for view in (
        painted,
        painted.match(F("_id") == ObjectId(first.id)),
        painted.match({"_id": {"$in": [ObjectId(first.id)]}}),
        painted.select(first.id).match_tags("train"),
        painted.match(F("created_at") == first.created_at),
    ):
        stages = fo_samples.stages(view)
        assert stages == fo_samples.stages(view.view())
        again = fo_samples.view_from_stages(painted, stages)
        assert again.values("id") == view.values("id")


def test_the_stages_of_a_slice_select_the_same_samples(grouped):
    right = grouped.select_group_slices(RIGHT).first()
    right.tags.append("mine")
    right.save()
    grouped.group_slice = RIGHT
    view = fo_samples.ungrouped(grouped.match_tags("mine"))
    stages = fo_samples.stages(view)
    grouped.group_slice = LEFT
    assert fo_samples.view_from_stages(grouped, stages).values("id") == [right.id]

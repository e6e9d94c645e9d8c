import logging

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from yolov1_fo.config import class_names
from yolov1_fo.datasets import class_lists
from yolov1_fo.training import examples

WRONG = [
    ("red", TypeError, r"must be a list of names, got 'red'; write \['red'\]"),
    (3, TypeError, "must be a list of names, got 3"),
    ({"red": 0, "blue": 1}, TypeError, "must be a list of names, got"),
    (["red", None], TypeError, "must be strings, got None"),
    (["red", 3, ["x"]], TypeError, r"must be strings, got 3, \['x'\]"),
    ([], ValueError, "must name at least one class, got none"),
    (["red", "blue", "red"], ValueError, "must differ, got red twice"),
    (["red", ""], ValueError, "must not be blank, got ''"),
    (["red", " \t"], ValueError, "must not be blank"),
    (
        ["red", "blue", " red"],
        ValueError,
        "must differ in more than spaces, got 'red' and ' red'",
    ),
]


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.mark.parametrize(("names", "error", "line"), WRONG)
def test_every_function_gives_the_same_errors(
    painted, model, checkpoint_dir, names, error, line
):
    painted.clone_sample_field("ground_truth", "found")
    painted.set_values(
        "found.detections.confidence",
        [[0.5] * len(one or ()) for one in painted.values("found.detections")],
    )

    def load(**options):
        return yolov1_fo.load_model(checkpoint_dir, **options)

    def assign():
        model.config.filter_classes = names

    calls = {
        "classes": [
            lambda: yolov1_fo.train(painted, classes=names),
            lambda: yolov1_fo.inspect(painted, classes=names),
            lambda: yolov1_fo.to_tf_dataset(painted, classes=names),
            lambda: yolov1_fo.evaluate(painted, "found", classes=names),
            lambda: yolov1_fo.load_model("x.weights", network="yolov1", classes=names),
        ],
        "filter_classes": [lambda: load(filter_classes=names), assign],
    }
    for argument, some in calls.items():
        for call in some:
            with pytest.raises(error, match=f"^{argument} {line}"):
                call()
    assert not painted.list_runs()


@pytest.mark.parametrize(
    "names", [("red", "blue"), np.array(["red", "blue"]), {"red": 0, "blue": 1}.keys()]
)
def test_ordered_iterables_are_accepted(names):
    found = class_names.check(names)
    assert found == ["red", "blue"]
    assert {type(name) for name in found} == {str}


def test_sets_are_accepted_only_as_filter(checkpoint_dir):
    with pytest.raises(TypeError, match="because the order matters; got a set"):
        class_names.check({"red", "blue"})
    for one in ({"red"}, ("red",), np.array(["red"])):
        model = yolov1_fo.load_model(checkpoint_dir, filter_classes=one)
        assert model._class_ids() == [1]


def test_labels_missing_from_the_datasets_classes(painted, micro):
    painted.default_classes = ["red"]
    line = r"default_classes of dataset '.*' lacks labels of 'ground_truth' .*: blue; "
    with pytest.raises(ValueError, match=line + "add them there, pass classes="):
        yolov1_fo.train(painted, **micro)
    painted.classes = {"ground_truth": ["blue"]}
    with pytest.raises(ValueError, match=r"classes\['ground_truth'\] of dataset .*red"):
        yolov1_fo.to_tf_dataset(painted)
    with pytest.raises(ValueError, match=r"^classes lack labels .*: red; add them"):
        yolov1_fo.to_tf_dataset(painted, classes=["blue", "green"])


def test_the_datasets_classes_are_checked(painted):
    painted.default_classes = ["red", "red"]
    with pytest.raises(ValueError, match=r"default_classes of dataset .* differ"):
        yolov1_fo.inspect(painted)
    painted.default_classes = []
    sample = painted.first()
    sample.ground_truth.detections[0].label = " "
    sample.save()
    with pytest.raises(ValueError, match=r"labels of 'ground_truth' on .* be blank"):
        yolov1_fo.inspect(painted)


def test_classes_without_objects_are_logged(painted, caplog):
    painted.default_classes = ["green", "red", "blue"]
    view = painted.filter_labels("ground_truth", F("label") == "blue")
    yolov1_fo.to_tf_dataset(view)
    assert "2 of 3 classes have no objects in 'ground_truth': green, red" in caplog.text
    caplog.clear()
    painted.default_classes = []
    yolov1_fo.to_tf_dataset(painted)
    assert "classes" not in caplog.text


def test_objects_without_label_are_counted(painted):
    sample = painted.skip(1).first()
    sample.ground_truth.detections[0].label = None
    sample.save()
    listing = examples.load(painted, "ground_truth", ["red", "blue"])
    assert listing.dropped.unlabeled == 1
    assert listing.dropped.other_class == 0
    assert len(listing.objects.of_image(1)[1]) == 1
    assert len(yolov1_fo.inspect(painted).findings["unknown"]) == 1


def test_warnings_of_class_names_in_evaluations(painted, caplog):
    def check(names, truth=("red", "blue"), found=("red", None), *, given):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            class_lists.check_evaluated(
                painted, "ground_truth", names, truth, found, given=given
            )
        return caplog.messages

    with pytest.raises(ValueError, match=r"unknown class cat; there are: blue, red"):
        check(["cat"], given=True)
    assert check(["cat", "red"], given=True) == [
        "1 of 2 classes have no objects in 'ground_truth': cat"
    ]
    painted.default_classes = ["red"]
    (line,) = check(["red"], given=False)
    assert line.startswith("labels not evaluated, because default_classes of dataset '")
    assert line.endswith("lacks them: blue")
    assert not check(["red"], given=True)  # chosen by the caller


def test_classes_of_a_frame_field():
    dataset = fo.Dataset()
    dataset.media_type = "video"
    dataset.add_frame_field(
        "truth", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
    )
    dataset.classes = {"frames.truth": ["red"]}
    frames = dataset.to_frames()
    assert class_lists.classes_of(frames, "truth") == ["red"]
    dataset.delete()

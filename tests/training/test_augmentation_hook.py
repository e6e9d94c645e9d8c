"""A user's own layers transform images and boxes alike, also after a resume."""

import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.training.test_learner import batch
from tests.training.test_resume import SETTINGS, assert_same_run, cut, train
from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import records
from yolov1_fo.training import augmentation_layer
from yolov1_fo.training.learner_builder import build_learner

SIDE = 64
BOX = np.float32([16, 20, 40, 36]) / SIDE


class AlwaysFlip(layers.RandomFlip):
    """Mirrors every image; keeps the `bounding_box_format` that it is given."""

    def get_random_transformation(self, data, training=True, seed=None):
        drawn = super().get_random_transformation(data, training, seed)
        return drawn | {"flips": ops.ones_like(drawn["flips"])}


class Brightened(layers.Layer):
    """Has neither a format nor a seed; also moves the boxes out of the image."""

    def call(self, data):
        boxes = data["bounding_boxes"]
        moved = {**boxes, "boxes": boxes["boxes"] + float(SIDE)}
        return {"images": data["images"] + 1.0, "bounding_boxes": moved}


class Forgetful(layers.Layer):
    def call(self, data):
        return data["images"]


class Unmakeable(layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function


def painted_box():
    images = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    left, top, right, bottom = (BOX * SIDE).astype(int)
    images[:, top:bottom, left:right] = 255
    boxes = np.stack([BOX, np.zeros(4, np.float32)])[None].repeat(3, axis=0)
    return images, boxes, np.array([[1, -1]] * 3, np.int32)


def apply(given, data, *, in_graph=False):
    made = augmentation_layer.build(augmentation_layer.check_layers(given), seed=5)
    call = tf.function(made, autograph=False) if in_graph else made
    return [np.array(part) for part in call(*map(ops.convert_to_tensor, data))]


def seen(image):
    """Returns the box of the bright pixels, relative."""
    rows, columns = np.where(image[..., 0] > 127)
    height, width = image.shape[:2]
    low = columns.min() / width, rows.min() / height
    return np.array([*low, (columns.max() + 1) / width, (rows.max() + 1) / height])


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("form", [None, "xyxy", "rel_xyxy", "center_xywh", "yxyx"])
def test_a_mirrored_image_has_mirrored_boxes(form, in_graph):
    layer = AlwaysFlip("horizontal", bounding_box_format=form)
    data = painted_box()
    images, boxes, class_ids = apply(layer, data, in_graph=in_graph)
    assert images.dtype == boxes.dtype == np.float32
    assert class_ids.tolist() == [[1, -1]] * 3
    np.testing.assert_array_equal(images, data[0][:, :, ::-1])
    mirrored = [1 - BOX[2], BOX[1], 1 - BOX[0], BOX[3]]
    np.testing.assert_allclose(boxes[:, 0], [mirrored] * 3, atol=1e-6)
    assert not boxes[:, 1].any()


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("form", [None, "rel_xyxy"])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("RandomFlip", {}),
        ("RandomRotation", {"factor": (0.05, 0.1), "fill_mode": "constant"}),
        ("RandomZoom", {"height_factor": 0.3, "fill_mode": "constant"}),
        ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.2}),
        ("RandomPerspective", {"factor": 1.0, "scale": 0.3}),
        ("Resizing", {"height": 32, "width": 48}),
        ("RandomBrightness", {"factor": 0.1}),
    ],
)
def test_boxes_follow_in_the_layers_of_keras(kind, arguments, form, in_graph):
    if kind == "RandomTranslation":
        arguments = {**arguments, "fill_mode": "constant"}
    layer = getattr(layers, kind)(**arguments, bounding_box_format=form)
    images, boxes, class_ids = apply(layer, painted_box(), in_graph=in_graph)
    assert class_ids.tolist() == [[1, -1]] * 3
    for image, (box, _) in zip(images, boxes, strict=True):
        np.testing.assert_allclose(box, seen(image), atol=1.6 / 32)


def test_boxes_that_leave_the_image_are_no_objects():
    images, boxes, class_ids = apply(Brightened(), painted_box())
    assert images.min() == 1
    assert class_ids.tolist() == [[-1, -1]] * 3
    assert not boxes.any()


def test_lists_and_pipelines_are_applied_in_order():
    flip, resize = AlwaysFlip("horizontal"), layers.Resizing(32, 48)
    once = apply([flip, resize], painted_box())
    again = apply(layers.Pipeline([flip, layers.Pipeline([resize])]), painted_box())
    assert once[0].shape == (3, 32, 48, 3)
    np.testing.assert_allclose(once[1][0, 0, 0], 1 - BOX[2], atol=1e-6)
    for ours, theirs in zip(once, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (3, "augmentation must be a Keras layer or a list of layers, got a int"),
        ([layers.RandomFlip], "or a list of layers, got the class RandomFlip"),
        (layers.RandomCrop(8, 8), "RandomCrop does not move bounding boxes"),
        (layers.Pipeline([layers.MixUp()]), "MixUp does not move bounding boxes"),
        (Forgetful(), "Forgetful must transform images with bounding boxes, got "),
        (
            AlwaysFlip(bounding_box_format="coco"),
            "AlwaysFlip must transform .* got ValueError: Invalid source or target fo",
        ),
        (Unmakeable(print), "Unmakeable must have a get_config: "),
        (layers.Conv2D(3, 3), "Conv2D must transform images with bounding boxes"),
    ],
)
def test_bad_kinds_are_one_clear_line(painted, micro, given, line):
    with pytest.raises(TypeError, match=line) as caught:
        train(painted, augmentation=given, **micro)
    assert "\n" not in str(caught.value)
    assert not painted.list_runs()


@pytest.mark.parametrize("kind", augmentation_layer.WITHOUT_BOXES)
def test_keras_still_moves_no_boxes_in_the_refused_layers(kind):
    arguments = {"RandomCrop": (48, 40), "RandomElasticTransform": (1.0,)}
    layer = getattr(layers, kind)(
        *arguments.get(kind, ()), seed=1, bounding_box_format="xyxy"
    )
    images, boxes, class_ids = painted_box()
    images[1:], boxes[1:] = images[1:, :, ::-1], BOX[[0, 1, 2, 3]] + 0.1
    data = {
        "images": ops.convert_to_tensor(images, "float32"),
        "bounding_boxes": {
            "boxes": ops.convert_to_tensor(boxes * SIDE),
            "labels": ops.convert_to_tensor(class_ids),
        },
    }
    try:
        moved = layer(data, training=True)
    except NotImplementedError:
        return
    found = moved["bounding_boxes"]
    if kind == "RandomCrop":
        size = np.float32([40, 48, 40, 48])
        box = np.clip(np.array(found["boxes"][0, 0]) / size, 0, 1)
        assert np.abs(box - seen(np.array(moved["images"][0]))).max() > 0.1
    elif kind == "MixUp":
        assert found["boxes"].shape[:2] != found["labels"].shape[:2]
    else:
        np.testing.assert_array_equal(found["boxes"], boxes * SIDE)


@pytest.fixture
def config(micro):
    settings = {key: value for key, value in micro.items() if key != "progress"}
    return TrainConfig(**settings, C=2, epochs=2, jitter=0.0, flip=0.0)


@pytest.mark.slow
def test_the_step_learns_from_the_transformed_boxes(config, rng):
    fed = batch(rng, config)
    flip = augmentation_layer.check_layers(AlwaysFlip("horizontal"))
    plain, hooked = (
        build_learner(config, 2),
        build_learner(config, 2, augmentation=flip),
    )
    mirrored = {
        "images": fed["images"][:, :, ::-1],
        "boxes": fed["boxes"][..., [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0],
        "class_ids": fed["class_ids"],
    }
    np.testing.assert_allclose(
        hooked(fed, training=True)["y_true"],
        plain(mirrored, training=True)["y_true"],
        atol=1e-5,
    )
    for key in ("y_true", "y_pred"):  # not when it predicts
        np.testing.assert_array_equal(
            hooked(fed, training=False)[key], plain(fed, training=False)[key]
        )
    still = [variable.path for variable in hooked.network.variables]
    assert still == [variable.path for variable in plain.network.variables]


@pytest.mark.slow
def test_the_same_layers_give_the_same_steps(config, rng):
    fed = batch(rng, config)
    given = layers.RandAugment(num_ops=1, factor=0.3)

    def weights():
        checked = augmentation_layer.check_layers(given)
        learner = build_learner(config, 2, augmentation=checked)
        learner.fit(fed, batch_size=2, verbose=0, shuffle=False)
        assert learner.first_bad_step == -1
        return learner.network.get_weights()

    for ours, theirs in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_resumed_is_as_if_never_stopped(painted, micro):
    def layer():
        return [layers.RandomFlip(), layers.RandomZoom(0.2, seed=7)]

    settings = {**micro, **SETTINGS, "epochs": 2}
    whole = train(painted, run_key="whole", augmentation=layer(), **settings)
    cut(painted, 1, augmentation=layer(), **settings)
    kept = records.info(painted, "cut").augmentation
    assert [one["class_name"] for one in kept] == ["RandomFlip", "RandomZoom"]
    line = "augmentation must be that which run 'cut' started with: RandomFlip .*; got"
    for given in (None, layers.RandomFlip(), [layer()[0], layers.RandomZoom(0.3)]):
        with pytest.raises(ValueError, match=line) as caught:
            train(painted, resume="cut", augmentation=given, progress=False)
        assert "\n" not in str(caught.value)
    run = train(painted, resume="cut", augmentation=layer(), progress=False)
    assert_same_run(run, whole)


def test_a_layer_that_was_used_before_draws_the_same_numbers():
    layer = layers.RandomRotation(0.2, seed=3)
    first = apply(layer, painted_box())
    layer(ops.zeros((1, 8, 8, 3)), training=True)
    for ours, theirs in zip(first, apply(layer, painted_box()), strict=True):
        np.testing.assert_array_equal(ours, theirs)

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from yolov1_fo import grid, loss
from yolov1_fo.config import GridConfig, LossConfig


def total(y_true, y_pred, config):
    parts = loss.weighted(
        loss.terms(y_true, y_pred, config, LossConfig()), LossConfig()
    )
    return ops.mean(sum(parts[1:], parts[0]))


def perfect(y_true, config):
    targets = grid.split_targets(y_true)
    boxes = np.repeat(targets.boxes[..., None, :], config.B, axis=-2)
    boxes[..., 2:] = np.sqrt(boxes[..., 2:])
    confidence = np.zeros(boxes.shape[:-1], np.float32)
    confidence[..., 0] = targets.object
    return grid.join(grid.Cells(targets.class_probs, confidence, boxes))


def random_targets(rng, config, n=3):
    corners = np.sort(rng.uniform(0, 1, (n, 6, 2, 2)), axis=2)
    boxes = corners.reshape(n, 6, 4).astype(np.float32)
    class_ids = rng.integers(-1, config.C, (n, 6))
    return grid.encode(boxes, class_ids, config).astype(np.float32)


def test_loss_worked_by_hand():
    config = GridConfig(S=1, B=2, C=2)
    # One object of class 0: center (0.5, 0.5), w 0.36, h 0.64, so roots 0.6, 0.8.
    y_true = np.float32([[[[0.5, 0.5, 0.36, 0.64, 1, 1, 0]]]])
    # Box 1: shifted right by 0.1; inter 0.26 x 0.64, union 0.2944: IoU 0.5652.
    # Box 2: shifted by 0.02, w 0.25, inside the object: IoU 0.16 / 0.2304 = 0.6944.
    boxes = np.float32([[[[[0.6, 0.5, 0.6, 0.8], [0.52, 0.5, 0.5, 0.8]]]]])
    cells = grid.Cells(
        np.float32([[[[0.8, 0.3]]]]), np.float32([[[[0.4, 0.7]]]]), boxes
    )
    parts = loss.terms(y_true, grid.join(cells), config, LossConfig())
    expected = {
        "coord_xy": 0.0004,  # 0.02 squared
        "coord_wh": 0.01,  # (0.5 - 0.6) squared
        "confidence_obj": (0.7 - 0.16 / 0.2304) ** 2,
        "confidence_noobj": 0.16,  # 0.4 squared
        "class_probs": 0.13,  # 0.04 + 0.09
    }
    for name, value in expected.items():
        assert float(getattr(parts, name)[0]) == pytest.approx(value, abs=1e-6), name
    # half of 5 x 0.0104 + 0.00003 + 0.5 x 0.16 + 0.13
    assert float(total(y_true, grid.join(cells), config)) == pytest.approx(
        0.13101543, abs=1e-6
    )


def test_loss_of_a_perfect_prediction_is_zero(rng):
    config = GridConfig(S=5, B=3, C=4)
    y_true = random_targets(rng, config)
    assert float(total(y_true, perfect(y_true, config), config)) < 1e-9


def test_loss_of_an_empty_image_is_that_of_the_confidences(rng):
    config = GridConfig(S=3, B=2, C=2)
    y_pred = rng.normal(size=(1, grid.output_size(config))).astype(np.float32)
    parts = loss.terms(np.zeros((1, 3, 3, 7), np.float32), y_pred, config, LossConfig())
    confidence = grid.split(y_pred, config).confidence
    assert float(parts.confidence_noobj[0]) == pytest.approx((confidence**2).sum())
    assert sum(float(part[0]) for part in parts) == float(parts.confidence_noobj[0])


def test_first_box_is_responsible_in_a_tie():
    config = GridConfig(S=1, B=2, C=1)
    y_true = np.float32([[[[0.5, 0.5, 0.25, 0.25, 1, 1]]]])
    boxes = np.float32([[[[[0.5, 0.5, 0.5, 0.5]] * 2]]])
    cells = grid.Cells(np.ones((1, 1, 1, 1)), np.float32([[[[1.0, 0.3]]]]), boxes)
    parts = loss.terms(
        y_true, grid.join(cells).astype(np.float32), config, LossConfig()
    )
    assert float(parts.confidence_obj[0]) == pytest.approx(0)
    assert float(parts.confidence_noobj[0]) == pytest.approx(0.09)


@pytest.mark.parametrize("value", [0.0, -0.5, 3.0])
def test_gradients_are_finite(value, rng):
    config = GridConfig(S=4, B=2, C=3)
    y_true = random_targets(rng, config)
    y_pred = tf.Variable(np.full((3, grid.output_size(config)), value, np.float32))
    with tf.GradientTape() as tape:
        result = total(y_true, y_pred, config)
    assert np.isfinite(tape.gradient(result, y_pred).numpy()).all()


def test_no_gradient_flows_through_the_confidence_target():
    config = GridConfig(S=1, B=1, C=1)
    y_true = np.float32([[[[0.5, 0.5, 0.25, 0.25, 1, 1]]]])
    y_pred = tf.Variable([[1.0, 0.9, 0.4, 0.5, 0.5, 0.5]])  # class, confidence, box
    with tf.GradientTape() as tape:
        part = loss.terms(y_true, y_pred, config, LossConfig()).confidence_obj
    gradient = tape.gradient(part, y_pred).numpy()[0]
    assert gradient[1] != 0
    assert not gradient[2:].any()


def test_loss_of_a_perfect_prediction_is_zero_without_sqrt(rng):
    config = GridConfig(S=3, B=2, C=4, sqrt=False)
    y_true = random_targets(rng, config)
    cells = grid.split(perfect(y_true, config), config)
    boxes = cells.boxes.copy()
    boxes[..., 2:] = np.square(boxes[..., 2:])
    y_pred = grid.join(cells._replace(boxes=boxes)).astype(np.float32)
    assert float(total(y_true, y_pred, config)) == pytest.approx(0, abs=1e-6)


def test_softmax_has_darknets_gradient(rng):
    """Darknet passes p - t on, without the softmax's derivative."""
    config = GridConfig(S=2, B=1, C=3, softmax=True)
    y_true = random_targets(rng, config, n=1)
    y_pred = tf.constant(rng.normal(size=(1, grid.output_size(config))), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = total(y_true, y_pred, config)
    gradient = grid.split(tape.gradient(value, y_pred), config).class_probs
    probs = grid.predicted_class_probs(grid.split(y_pred, config), config)
    targets = grid.split_targets(y_true)
    expected = targets.object[..., None] * (probs - targets.class_probs)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    np.testing.assert_allclose(np.sum(probs, axis=-1), 1, rtol=1e-6)


def test_rmse_fallback_makes_the_nearest_box_responsible():
    config = GridConfig(S=1, B=2, C=1)
    y_true = np.float32([[[[0.1, 0.1, 0.04, 0.04, 1, 1]]]])
    boxes = np.float32([[[[[0.9, 0.9, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2]]]]])  # no overlap
    cells = grid.Cells(
        np.ones((1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 2), np.float32), boxes
    )
    for rmse_fallback, expected in ((False, 2 * 0.8**2), (True, 2 * 0.4**2)):
        loss_config = LossConfig(rmse_fallback=rmse_fallback)
        parts = loss.terms(y_true, grid.join(cells), config, loss_config)
        assert float(parts.coord_xy[0]) == pytest.approx(expected)


VARIANT = LossConfig(box_loss="ciou", score_loss="cross-entropy", rescore=False)


def test_cross_entropy_and_ciou_worked_by_hand():
    config = GridConfig(S=1, B=2, C=2)
    # One object of class 0 on the left half: xyxy 0, 0, 0.5, 0.5.
    y_true = np.float32([[[[0.25, 0.25, 0.5, 0.5, 1, 1, 0]]]])
    # Box 1 is shifted right by 0.25: IoU 1/3. Box 2 does not overlap.
    root = np.sqrt(0.5)
    boxes = np.float32([[[[[0.5, 0.25, root, root], [0.9, 0.9, 0.1, 0.1]]]]])
    cells = grid.Cells(
        np.float32([[[[0.8, 0.3]]]]), np.float32([[[[0.4, 0.1]]]]), boxes
    )
    parts = loss.terms(y_true, grid.join(cells), config, VARIANT)
    expected = {
        # centers 0.25 apart; enclosing box 0.75 x 0.5; the aspect ratios are equal
        "coord_iou": 1 - (1 / 3 - 0.0625 / (0.5625 + 0.25)),
        "confidence_obj": -np.log(0.4),
        "confidence_noobj": -np.log(0.9),
        "class_probs": -np.log(0.8) - np.log(0.7),
    }
    assert loss.term_names(VARIANT) == tuple(expected)
    for name, value in expected.items():
        assert float(getattr(parts, name)[0]) == pytest.approx(value, abs=1e-6), name
    weighted = loss.weighted(parts, VARIANT, S=1)
    weights = (2.5, 0.5, 0.25, 0.5)  # 5, 1, 0.5 and 1, halved
    for part, unweighted, weight in zip(weighted, parts, weights, strict=True):
        assert float(part[0]) == pytest.approx(weight * float(unweighted[0]))


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_gradients_of_the_variants_are_finite(value, rng):
    config = GridConfig(S=4, B=2, C=3)
    y_true = random_targets(rng, config)
    y_pred = tf.Variable(np.full((3, grid.output_size(config)), value, np.float32))
    with tf.GradientTape() as tape:
        parts = loss.terms(y_true, y_pred, config, VARIANT)
        result = ops.mean(sum(parts[1:], parts[0]))
    assert np.isfinite(result)
    assert np.isfinite(tape.gradient(result, y_pred).numpy()).all()


def test_the_gradient_of_cross_entropy_behind_a_sigmoid_is_p_minus_t():
    config = GridConfig(S=1, B=1, C=1)
    y_true = np.float32([[[[0.5, 0.5, 0.25, 0.25, 1, 1]]]])
    logits = tf.Variable([[-9.0, 12.0]])  # class, confidence
    box = tf.constant([[0.5, 0.5, 0.5, 0.5]])
    with tf.GradientTape() as tape:
        y_pred = tf.concat([tf.sigmoid(logits), box], axis=-1)
        parts = loss.terms(y_true, y_pred, config, VARIANT)
        result = parts.class_probs + parts.confidence_obj
    expected = tf.sigmoid(logits).numpy() - 1
    np.testing.assert_allclose(tape.gradient(result, logits), expected, atol=1e-7)


@pytest.mark.parametrize("neighbor_cells", [False, True])
def test_the_loss_of_objects_is_that_of_their_targets(rng, neighbor_cells):
    config = GridConfig(S=4, B=2, C=3)
    loss_config = LossConfig(neighbor_cells=neighbor_cells, scale_noobj=True)
    boxes = np.float32([[[0.2, 0.4, 0.4, 0.5]], [[0.1, 0.1, 0.9, 0.8]]])
    class_ids = np.int32([[0], [2]])
    y_pred = rng.random((2, grid.output_size(config)), np.float32)
    y_true = grid.encode(boxes, class_ids, config, neighbor_cells=neighbor_cells)
    parts = loss.terms(y_true.astype(np.float32), y_pred, config, loss_config)
    expected = loss.weighted(parts, loss_config, config.S)
    found = loss.of_objects(boxes, class_ids, y_pred, config, loss_config)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from yolov1_fo import grid
from yolov1_fo.config import GridConfig

CONFIG = GridConfig(S=7, B=2, C=3)


def encode(*objects, config=CONFIG):
    boxes = np.array([box for box, _ in objects], np.float32)
    return grid.encode(boxes, np.array([i for _, i in objects], np.int32), config)


def test_split_uses_darknets_layout():
    y = np.arange(grid.output_size(CONFIG))
    cells = grid.split(y, CONFIG)
    # 49 cells x 3 classes, then 49 x 2 confidences, then 49 x 2 boxes of 4
    assert cells.class_probs[1, 0].tolist() == [21, 22, 23]  # row 1 is the 8th cell
    assert cells.confidence[0, 1].tolist() == [149, 150]
    assert cells.boxes[0, 0, 1].tolist() == [249, 250, 251, 252]


@given(
    S=st.integers(1, 9), B=st.integers(1, 4), C=st.integers(1, 21), n=st.integers(0, 3)
)
def test_split_and_join_are_inverse(S, B, C, n):
    config = GridConfig(S=S, B=B, C=C)
    y = np.random.default_rng(0).normal(size=(n, grid.output_size(config)))
    np.testing.assert_array_equal(grid.join(grid.split(y, config)), y)


def test_encode_places_an_object_in_the_cell_of_its_center():
    # center (0.5, 0.25): 3.5 and 1.75 cells, so row 1, column 3
    targets = grid.split_targets(encode(((0.4, 0.05, 0.6, 0.45), 2)))
    assert targets.object.sum() == 1
    np.testing.assert_allclose(targets.boxes[1, 3], [0.5, 0.75, 0.2, 0.4], atol=1e-6)
    assert targets.class_probs[1, 3].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        ((0.9, 0.9, 1.0, 1.0), (6, 6)),
        ((0.98, 0.98, 1.02, 1.02), (6, 6)),  # clipped to 0.98..1
        ((-0.5, 0.4, 0.1, 0.6), (3, 0)),  # clipped to 0..0.1, which moves the center
        ((0, 0, 1, 1), (3, 3)),
    ],
)
def test_encode_clips_to_the_image(box, cell):
    targets = grid.split_targets(encode((box, 0)))
    assert np.argwhere(targets.object).tolist() == [list(cell)]
    assert (targets.boxes[cell] >= 0).all()
    assert (targets.boxes[cell] <= 1).all()


@pytest.mark.parametrize(
    "box", [(0.5, 0.5, 0.5, 0.7), (0.6, 0.5, 0.4, 0.7), (1.1, 0.2, 1.3, 0.4)]
)
def test_encode_ignores_empty_boxes(box):
    assert not encode((box, 0)).any()


def test_encode_keeps_the_first_of_two_in_a_cell():
    y_true = encode(((0.4, 0.4, 0.6, 0.6), 1), ((0.45, 0.45, 0.55, 0.55), 2))
    assert grid.split_targets(y_true).class_probs[3, 3].tolist() == [0, 1, 0]


def test_empty_boxes_do_not_occupy_a_cell():
    y_true = encode(((0.5, 0.5, 0.5, 0.5), 1), ((0.45, 0.45, 0.55, 0.55), 2))
    assert grid.split_targets(y_true).class_probs[3, 3].tolist() == [0, 0, 1]


def test_encode_without_objects_is_zero():
    assert not encode(((0.2, 0.2, 0.8, 0.8), -1)).any()


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_encode_and_cell_boxes_to_xyxy_are_inverse(seed, S):
    rng = np.random.default_rng(seed)
    config = GridConfig(S=S, B=1, C=4)
    corners = np.sort(rng.uniform(0, 1, (6, 2, 2)), axis=1)
    boxes = corners.reshape(6, 4).astype(np.float32)
    targets = grid.split_targets(grid.encode(boxes, np.arange(6) % 4, config))
    found = grid.cell_boxes_to_xyxy(targets.boxes[..., None, :], config)
    found = found[targets.object > 0][:, 0]
    distance = np.abs(found[:, None] - boxes[None]).max(axis=-1)
    assert (distance.min(axis=1) < 1e-5).all()


@pytest.mark.slow
def test_encode_is_the_same_for_arrays_tensors_and_tf_data(rng):
    corners = np.sort(rng.uniform(0, 1, (2, 5, 2, 2)), axis=2)
    boxes = corners.reshape(2, 5, 4).astype(np.float32)
    class_ids = rng.integers(-1, 3, (2, 5)).astype(np.int32)
    expected = grid.encode(boxes, class_ids, CONFIG)
    tensors = ops.convert_to_tensor(boxes), ops.convert_to_tensor(class_ids)
    eager = grid.encode(*tensors, CONFIG)
    mapped = tf.data.Dataset.from_tensor_slices((boxes, class_ids)).map(
        lambda b, c: grid.encode(b, c, CONFIG)
    )
    np.testing.assert_allclose(ops.convert_to_numpy(eager), expected, atol=1e-6)
    np.testing.assert_allclose(np.stack(list(mapped)), expected, atol=1e-6)


def test_encode_needs_padded_boxes():
    with pytest.raises(ValueError, match="padded to at least one row"):
        grid.encode(np.zeros((0, 4)), np.zeros(0, int), CONFIG)


def test_neighbor_cells_are_responsible_too():
    config = GridConfig(S=4, C=2)
    # Centers (0.3, 0.45) in cell (row 1, column 1), and (0.95, 0.95) in the last cell.
    boxes = np.float32([[0.2, 0.4, 0.4, 0.5], [0.92, 0.92, 0.98, 0.98]])
    y_true = grid.encode(boxes, np.int32([0, 1]), config, neighbor_cells=True)
    targets = grid.split_targets(y_true)
    found = {(int(r), int(c)) for r, c in np.argwhere(targets.object)}
    # beside: x 0.2 in its cell is nearer to the left; y 0.8 is nearer to the cell below
    assert found == {(1, 1), (1, 0), (2, 1), (3, 3)}
    np.testing.assert_allclose(targets.boxes[1, 0, :2], [1.2, 0.8], atol=1e-6)
    np.testing.assert_allclose(targets.boxes[2, 1, :2], [0.2, -0.2], atol=1e-6)
    xyxy = grid.cell_boxes_to_xyxy(targets.boxes[..., None, :], config)
    for cell in ((1, 1), (1, 0), (2, 1)):
        np.testing.assert_allclose(xyxy[cell][0], boxes[0], atol=1e-6)
    assert not targets.class_probs[3, 3, 0]


def test_a_center_takes_its_cell_from_a_neighbor():
    config = GridConfig(S=4, C=2)
    # The cell beside the first center has a center of its own.
    boxes = np.float32([[0.3, 0.3, 0.4, 0.4], [0.1, 0.3, 0.2, 0.4]])
    y_true = grid.encode(boxes, np.int32([0, 1]), config, neighbor_cells=True)
    targets = grid.split_targets(y_true)
    assert targets.class_probs[1, 0].tolist() == [0, 1]
    assert targets.class_probs[1, 1].tolist() == [1, 0]


def test_neighbor_cells_run_on_the_device_too():
    config = GridConfig(S=5, C=3)
    boxes = np.float32([[[0.2, 0.4, 0.4, 0.5], [0.1, 0.1, 0.9, 0.9], [0, 0, 0, 0]]])
    class_ids = np.int32([[0, 2, -1]])
    host = grid.encode(boxes, class_ids, config, neighbor_cells=True)
    tensors = ops.convert_to_tensor(boxes), ops.convert_to_tensor(class_ids)
    device = grid.encode(*tensors, config, neighbor_cells=True)
    np.testing.assert_allclose(np.asarray(device), host, atol=1e-6)

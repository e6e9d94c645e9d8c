"""Detections inside an export: decoding as part of the network, NMS as ONNX nodes."""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from yolov1_fo import boxes as _boxes
from yolov1_fo import decode, grid
from yolov1_fo.config import GridConfig
from yolov1_fo.networks import formats

CANDIDATES, RAW = ("all_boxes", "all_scores"), "output"
"""Outputs of a decoded network, which NMS replaces."""


class Thresholds(NamedTuple):
    """What is kept, as in `decode.decode`.

    Attributes:
        confidence_thresh: detections with a lower score are dropped
        iou_thresh: NMS IoU threshold
        max_detections: rows of the output
    """

    confidence_thresh: float
    iou_thresh: float
    max_detections: int


def decoded(network: keras.Model, config: GridConfig) -> keras.Model:
    """Returns a network whose outputs are also `decode.boxes_and_scores` of its output.

    Args:
        network: from (N, H, W, 3) to the raw output
        config: S, B and C

    Returns:
        a model with the outputs `all_boxes` (N, S * S * B, 4) xyxy, `all_scores`
        (N, S * S * B, C) and `output`, the raw one
    """
    image = keras.Input(network.input_shape[1:], name="image")
    raw = network(image)
    cells = grid.split(raw, config)
    xyxy = _boxes.clip(grid.predicted_xyxy(cells, config))
    is_valid = ops.all(xyxy[..., 2:] > xyxy[..., :2], axis=-1, keepdims=True)
    confidence = ops.clip(cells.confidence[..., None], 0, 1)
    probs = ops.clip(grid.predicted_class_probs(cells, config)[..., None, :], 0, 1)
    scores = confidence * probs * ops.cast(is_valid, "float32")
    count = config.S**2 * config.B
    outputs = (
        ops.reshape(xyxy, (-1, count, 4)),
        ops.reshape(scores, (-1, count, config.C)),
        raw,
    )
    return keras.Model(image, dict(zip((*CANDIDATES, RAW), outputs, strict=True)))


def extract_raw(path: Path, raw_path: Path) -> None:
    """Writes the part of a decoded network's ONNX file that ends at the raw output.

    Args:
        path: of the ONNX file of `decoded`, before `add`
        raw_path: of the new file
    """
    from onnx import utils

    utils.extract_model(path, raw_path, [formats.INPUT], [RAW])


def add(path: Path, config: GridConfig, thresholds: Thresholds) -> None:
    """Adds NMS to the ONNX file of a decoded network.

    Its outputs then are `boxes` (N, K, 4), `scores` (N, K) and `class_ids` (N, K) of
    the K best detections of each image, by descending score; rows without a detection
    have a score of 0 and the class -1.

    Args:
        path: of the file, which is replaced
        config: S, B and C
        thresholds: what is kept; K is at most the number of boxes and classes
    """
    import onnx

    model = onnx.load(path)
    graph, helper = model.graph, onnx.helper
    candidates = config.S**2 * config.B
    rows = min(thresholds.max_detections, candidates * config.C)
    # ONNX keeps scores above the threshold, we keep those that reach it.
    lowest = max(thresholds.confidence_thresh, decode.MIN_SCORE)
    below = np.nextafter(np.float32(lowest), np.float32(0))
    constants = {
        "most": np.array([candidates], np.int64),
        "iou": np.array([thresholds.iou_thresh], np.float32),
        "below": np.array([below], np.float32),
        "order": np.array([0, 2, 1], np.int64),
        "flat_shape": np.array([-1, candidates * config.C], np.int64),
        "count": np.array([rows], np.int64),
        "classes": np.array(config.C, np.int64),
        "last": np.array([2], np.int64),
        "zero": np.array(0, np.float32),
        "none": np.array(-1, np.int64),
    }
    for name, value in constants.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, f"nms_{name}"))

    def node(kind: str, inputs: list[str], outputs: list[str], **more: Any) -> None:
        inputs = [f"nms_{name}" if name in constants else name for name in inputs]
        graph.node.append(helper.make_node(kind, inputs, outputs, **more))

    # 1. The kept scores, at the places of all scores: (N, K, C).
    node("Transpose", ["all_scores"], ["nms_by_class"], perm=[0, 2, 1])
    node(
        "NonMaxSuppression",
        ["all_boxes", "nms_by_class", "most", "iou", "below"],
        ["nms_kept"],  # (M, 3) image, class, box
    )
    node("GatherND", ["nms_by_class", "nms_kept"], ["nms_values"])
    node("Gather", ["nms_kept", "order"], ["nms_places"], axis=1)
    node("Shape", ["all_scores"], ["nms_shape"])
    node(
        "ConstantOfShape",
        ["nms_shape"],
        ["nms_nothing"],
        value=onnx.numpy_helper.from_array(np.zeros(1, np.float32)),
    )
    node("ScatterND", ["nms_nothing", "nms_places", "nms_values"], ["nms_scores"])
    # 2. The best of each image.
    node("Reshape", ["nms_scores", "flat_shape"], ["nms_flat"])
    node("TopK", ["nms_flat", "count"], ["scores", "nms_best"])
    node("Greater", ["scores", "zero"], ["nms_is_there"])
    node("Mod", ["nms_best", "classes"], ["nms_ids"])
    node("Where", ["nms_is_there", "nms_ids", "none"], ["class_ids"])
    node("Div", ["nms_best", "classes"], ["nms_row"])
    node("Unsqueeze", ["nms_row", "last"], ["nms_rows_of_boxes"])
    node("GatherND", ["all_boxes", "nms_rows_of_boxes"], ["nms_boxes"], batch_dims=1)
    node("Unsqueeze", ["nms_is_there", "last"], ["nms_mask"])
    node("Where", ["nms_mask", "nms_boxes", "zero"], ["boxes"])
    del graph.output[:]
    for name, kind, shape in (
        ("boxes", onnx.TensorProto.FLOAT, ["N", rows, 4]),
        ("scores", onnx.TensorProto.FLOAT, ["N", rows]),
        ("class_ids", onnx.TensorProto.INT64, ["N", rows]),
    ):
        graph.output.append(helper.make_tensor_value_info(name, kind, shape))
    onnx.checker.check_model(model)
    onnx.save(model, path)

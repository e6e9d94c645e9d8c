"""Invalid boxes are counted and reported, by the same rule everywhere."""

import logging
import math
import re

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo import grid
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import fiftyone_boxes, invalid_boxes
from yolov1_fo.datasets.invalid_boxes import (
    NO_AREA,
    NOT_FINITE,
    NOT_FOUR_NUMBERS,
    PIXELS,
    VALID,
)
from yolov1_fo.training import examples, validation

NAN, INF = math.nan, math.inf
SQUARE = [0.2, 0.2, 0.3, 0.3]

KNOWN = [
    (SQUARE, VALID),
    ([0, 0, 1, 1], VALID),
    ([-0.1, -0.1, 0.3, 0.3], VALID),
    (None, NOT_FOUR_NUMBERS),
    ([], NOT_FOUR_NUMBERS),
    ([0.1, 0.2, 0.3], NOT_FOUR_NUMBERS),
    ([0.1] * 5, NOT_FOUR_NUMBERS),
    ("0.1 0.1 0.2 0.2", NOT_FOUR_NUMBERS),
    (["0.1", "0.1", "0.2", "0.2"], NOT_FOUR_NUMBERS),
    ([[0.1, 0.1], [0.2, 0.2]], NOT_FOUR_NUMBERS),
    ([None, 0.1, 0.2, 0.2], NOT_FOUR_NUMBERS),
    ([True, False, True, True], NOT_FOUR_NUMBERS),
    ({"x": 0.1}, NOT_FOUR_NUMBERS),
    (7, NOT_FOUR_NUMBERS),
    ([NAN] * 4, NOT_FINITE),
    ([0.1, 0.1, INF, 0.2], NOT_FINITE),
    ([-INF, 0.1, 0.2, 0.2], NOT_FINITE),
    ([1e300, 0, 1e300, 1], NOT_FINITE),
    ([2**62, 0, 1, 1], NOT_FINITE),
    ([100, 120, 40, 40], PIXELS),
    ([0, 0, 32, 32], PIXELS),
    ([0.5, 0.5, -0.2, -0.2], NO_AREA),
    ([0.5, 0.5, 0, 0.2], NO_AREA),
    ([0.5, 0.5, 0, 0], NO_AREA),
    ([1.2, 0.2, 0.3, 0.3], NO_AREA),
    ([0.5, 0.5, 1e-9, 1e-9], NO_AREA),  # none in float32
]


def test_each_fault_is_recognized():
    read = fiftyone_boxes.read_boxes([[box for box, _ in KNOWN]])
    assert read.faults.tolist() == [fault for _, fault in KNOWN]
    assert np.isfinite(read.xyxy).all()
    assert fiftyone_boxes.read_boxes([]).xyxy.shape == (0, 4)
    assert fiftyone_boxes.read_boxes([[], [SQUARE]]).image.tolist() == [1]


def test_counts_add_up_with_the_first_example():
    def of(boxes, path):
        read = fiftyone_boxes.read_boxes([boxes])
        return invalid_boxes.InvalidBoxes.count(
            read.faults, read.image, [boxes], [path]
        )

    both = of([SQUARE, None], "a.png") + of([None, [9, 9, 9, 9]], "b.png")
    assert (both.total, both.left_out) == (4, 3)
    pixels, others = both.messages("truth", "dataset 'd'")
    assert pixels == (
        "1 of 4 boxes of 'truth' on dataset 'd' are in pixels, e.g. [9, 9, 9, 9] in "
        "'b.png'; FiftyOne expects coordinates relative to the image: divide by its "
        "width and height"
    )
    assert others == (
        "2 of 4 boxes of 'truth' on dataset 'd' are left out: 2 not four numbers; e.g. "
        "None in 'a.png'"
    )
    assert len(invalid_boxes.format_box("x" * 1000)) == invalid_boxes.MAX_LENGTH


def random_value(rng):
    """Returns a random value for a bounding box."""
    simple = [NAN, INF, -INF, 0, -1, 0.5, 1e-12, 1e300, 2**40, None, "x", "", True, {}]
    kind = rng.integers(5)
    if kind == 0:
        return simple[rng.integers(len(simple))]
    length = 4 if kind < 4 else int(rng.integers(0, 8))
    row = [float(x) for x in rng.uniform(-0.5, 1.2, length)]
    for _ in range(rng.integers(0, 3)):
        if row:
            value = simple[rng.integers(len(simple))]
            row[rng.integers(length)] = [value] if rng.random() < 0.2 else value
    if rng.random() < 0.1:
        row = [x * 500 if isinstance(x, float) else x for x in row]
    return row


@pytest.fixture
def odd_boxes(rng):
    """Two hundred random values as boxes, in ground truth and predictions."""
    dataset = fo.Dataset()
    good = fo.Detection(label="cat", bounding_box=SQUARE)
    found = fo.Detection(label="cat", bounding_box=SQUARE, confidence=0.04)
    dataset.add_samples(
        [
            fo.Sample(
                f"/missing/{number}.png",
                metadata=fo.ImageMetadata(width=100, height=80),
                ground_truth=fo.Detections(detections=[good.copy(), good.copy()]),
                found=fo.Detections(detections=[found.copy(), found.copy()]),
            )
            for number in range(100)
        ],
        progress=False,
    )
    # written to the database directly, as a merge or an older version may do
    for document in dataset._sample_collection.find({}, ["_id"]):
        odd = {
            f"{field}.detections.1.bounding_box": random_value(rng)
            for field in ("ground_truth", "found")
        }
        dataset._sample_collection.update_one(document, {"$set": odd})
    dataset.reload()
    yield dataset
    dataset.delete()


@pytest.mark.slow
@pytest.mark.parametrize("inclusive", [False, True])
def test_no_box_value_causes_a_crash(odd_boxes, caplog, inclusive):
    with caplog.at_level(logging.WARNING, logger="yolov1_fo"):
        report = yolov1_fo.evaluate(
            odd_boxes, "found", eval_key="k", inclusive_corners=inclusive
        )
    assert 0 < report.voc07 <= 1
    assert report.coco_map == pytest.approx(report.results.mAP())
    boxes = {
        field: odd_boxes.values(f"{field}.detections.bounding_box", _raw=True)
        for field in ("ground_truth", "found")
    }
    bad = {
        field: int((~fiftyone_boxes.read_boxes(rows).usable).sum())
        for field, rows in boxes.items()
    }
    assert min(bad.values()) > 50
    assert report.left_out == bad
    row = report.per_class["cat"]
    assert (row["objects"], row["detections"]) == (
        200 - bad["ground_truth"],
        200 - bad["found"],
    )
    marks = odd_boxes.count_values("found.detections.k")
    assert marks.get(None) == bad["found"]
    assert f"left out: {bad['found']} of 'found', {bad['ground_truth']} of" in str(
        report
    )
    messages = [record.getMessage() for record in caplog.records]
    assert all("\n" not in line for line in messages)
    assert re.search(
        r"\d+ of 200 boxes of 'found' on dataset .*/missing/\d+\.png", messages[0]
    )

    seen = yolov1_fo.inspect(odd_boxes, S=4)
    assert len(seen.findings["degenerate"]) == bad["ground_truth"]
    assert seen.objects == 200 - bad["ground_truth"]
    assert "boxes of 'ground_truth' on dataset" in str(seen)
    listing = examples.load(odd_boxes, "ground_truth", ["cat"])
    assert listing.dropped.degenerate == bad["ground_truth"]


def test_samples_that_fiftyone_cannot_load_are_reported_before_writing(odd_boxes):
    fields = set(odd_boxes.get_field_schema(flat=True))
    with pytest.raises(
        ValueError, match=r"FiftyOne can't load sample '.*leaves them out"
    ):
        odd_boxes.evaluate_detections(
            "found",
            gt_field="ground_truth",
            method=yolov1_fo.VOCEvaluationConfig,
            eval_key="k",
            progress=False,
        )
    assert odd_boxes.list_evaluations() == []
    assert set(odd_boxes.get_field_schema(flat=True)) == fields


@pytest.mark.slow
def test_fiftyones_call_ignores_invalid_boxes_that_it_can_load(odd_boxes):
    for field in ("ground_truth", "found"):
        path = f"{field}.detections.1.bounding_box"
        odd_boxes._sample_collection.update_many(
            {}, {"$set": {path: [NAN, 0.1, 0.5, -0.5]}}
        )
    results = odd_boxes.evaluate_detections(
        "found",
        gt_field="ground_truth",
        method=yolov1_fo.VOCEvaluationConfig,
        eval_key="k",
        progress=False,
    )
    assert results.voc07() == 1
    assert odd_boxes.count_values("found.detections.k") == {"tp": 100, None: 100}


def in_pixels(dataset, field="ground_truth"):
    path = f"{field}.detections.bounding_box"
    boxes = [[[640.0, 480.0, 64.0, 48.0] for _ in row] for row in dataset.values(path)]
    dataset.set_values(path, boxes)


def test_boxes_in_pixels_raise_the_same_error_everywhere(painted):
    painted.clone_sample_field("ground_truth", "found")
    confidences = [[0.04] * len(row) for row in painted.values("found.detections.id")]
    painted.set_values("found.detections.confidence", confidences)
    in_pixels(painted)
    line = (
        r"10 of 10 boxes of 'ground_truth' on dataset .* are in pixels, e\.g\. "
        r"\[640, 480, 64, 48\] in '.*png'; FiftyOne expects coordinates relative"
    )
    for call in (
        lambda: yolov1_fo.train(painted, epochs=1, batch_size=2),
        lambda: yolov1_fo.to_tf_dataset(painted),
        lambda: yolov1_fo.evaluate(painted, "found", eval_key="k"),
    ):
        with pytest.raises(ValueError, match=line):
            call()
    assert re.search(line, str(yolov1_fo.inspect(painted)))
    assert painted.list_evaluations() == []


class Perfect:
    """A network whose output equals the targets."""

    def __init__(self, listing, config):
        self.listing, self.config, self.row = listing, config, 0

    def predict_on_batch(self, pixels):
        rows = list(range(self.row, self.row + len(pixels)))
        self.row += len(pixels)
        objects = self.listing.objects
        padded = objects.padded(rows, max(objects.max_per_image(), 1))
        truth = grid.split_targets(grid.encode(*padded, self.config))
        roots = np.sqrt(truth.boxes[..., 2:])
        boxes = np.concatenate([truth.boxes[..., :2], roots], axis=-1)
        boxes = boxes[..., None, :].repeat(self.config.B, -2)
        confidence = truth.object[..., None].repeat(self.config.B, -1)
        output = grid.join(grid.Cells(truth.class_probs, confidence, boxes))
        return np.asarray(output, np.float32)


@pytest.mark.parametrize(
    "others",
    [
        [],
        [box for box, fault in KNOWN if fault != VALID],
        [[0.8, 0.8, 0.4, 0.4]],  # over the edge
        [[0.22, 0.2, 0.3, 0.3]],  # in the same cell
        [[0.21, 0.21, 0.02, 0.02], [0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0, 0]],
    ],
)
@pytest.mark.parametrize("mark", [{}, {"iscrowd": 1}, {"difficult": True}])
def test_validation_and_evaluate_return_the_same_map(painted, others, mark):
    from yolov1_fo import decode

    config = TrainConfig(network="fast-yolov1", image_size=32, S=4, C=1, batch_size=3)
    plain = {"label": "cat", "bounding_box": SQUARE}
    rows = [[plain, *({**plain, **mark} for _ in others)] for _ in range(len(painted))]
    truth = [
        fo.Detections(detections=[fo.Detection(**one) for one in row]) for row in rows
    ]
    painted.set_values("ground_truth", truth)
    for place, box in enumerate(others):
        painted._sample_collection.update_many(
            {}, {"$set": {f"ground_truth.detections.{place + 1}.bounding_box": box}}
        )
    listing = examples.load(painted, "ground_truth", ["cat"])
    measured = validation.Validator(listing, config)(Perfect(listing, config))
    found = decode.decode(
        Perfect(listing, config).predict_on_batch(np.zeros((8, 1))),
        config,
        confidence_thresh=config.confidence_thresh,
        iou_thresh=config.iou_thresh,
        max_detections=100,
    )
    predictions = {
        sample_id: fiftyone_boxes.to_detections(*one, ["cat"])
        for sample_id, one in zip(listing.ids, found, strict=True)
    }
    painted.set_values("found", predictions, key_field="id")
    report = yolov1_fo.evaluate(painted, "found", gt_field="ground_truth")
    assert measured["val_voc07"] == pytest.approx(report.voc07, abs=1e-6)
    objects = len(listing.objects.class_ids)
    assert report.per_class["cat"]["objects"] == objects

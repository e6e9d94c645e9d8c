"""yolov1-fo evaluate: measure predictions."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import (
    add_collection,
    add_gt_field,
    collection,
)


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "evaluate",
        _run,
        "Measure predictions against the truth. Prints VOC's and COCO's mAP by class.",
        example="yolov1-fo evaluate my-dataset yolov1 --tag val --eval-key yolov1_val",
    )
    add_collection(parser)
    parser.add_argument(
        "pred_field", metavar="PRED_FIELD", help="field of Detections that was applied"
    )
    add_gt_field(parser)
    parser.add_argument(
        "--eval-key", metavar="KEY", help="keep the evaluation under this name"
    )
    parser.add_argument(
        "--iou-thresh",
        type=float,
        metavar="X",
        default=0.5,
        help="least overlap of a match (%(default)s)",
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", help="measure only these"
    )
    parser.add_argument(
        "--inclusive-corners",
        action="store_true",
        help="measure VOC's overlaps in pixels, both corners included, as its kit does",
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    report = yolov1_fo.evaluate(
        collection(arguments, arguments.tag),
        arguments.pred_field,
        arguments.gt_field,
        arguments.eval_key,
        arguments.classes,
        iou_thresh=arguments.iou_thresh,
        inclusive_corners=arguments.inclusive_corners,
    )
    print(report)
    return 0

"""yolov1-fo evaluate: evaluate predictions."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import (
    add_collection,
    add_gt_field,
    collection,
)


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "evaluate",
        _run,
        "Evaluate predictions against ground truth. Prints the metrics of each class.",
        example="yolov1-fo evaluate my-dataset yolov1 --tag val --eval-key yolov1_val",
    )
    add_collection(parser)
    parser.add_argument(
        "pred_field", metavar="PRED_FIELD", help="predictions field of Detections"
    )
    add_gt_field(parser)
    parser.add_argument(
        "--eval-key", metavar="KEY", help="store the evaluation under this key"
    )
    parser.add_argument(
        "--iou-thresh",
        type=float,
        metavar="X",
        default=0.5,
        help="minimum IoU of a match (%(default)s)",
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", help="classes to evaluate (all)"
    )
    parser.add_argument(
        "--inclusive-corners",
        action="store_true",
        help="compute the IoU of VOC in pixels with inclusive corners, as in its "
        "development kit",
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

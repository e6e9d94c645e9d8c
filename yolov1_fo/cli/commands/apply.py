"""yolov1-fo apply: write predictions to a field."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import (
    add_collection,
    add_media_field,
    collection,
)
from yolov1_fo.networks.tensorflow_startup import load_tensorflow


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "apply",
        _run,
        "Write a model's predictions to a field. Unreadable files are listed.",
        example="yolov1-fo apply my-dataset my_run --label-field yolov1",
    )
    add_collection(parser)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="run of the dataset, folder of any run or checkpoint, or zoo model",
    )
    parser.add_argument(
        "--label-field",
        metavar="FIELD",
        default="predictions",
        help="field for the predictions (%(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=16,
        help="batch size (%(default)s)",
    )
    add_media_field(parser, "that of the training")
    parser.add_argument(
        "--engine",
        metavar="NAME",
        default="thread",
        help="where the network computes: thread (in this process), process (in other "
        "processes) or ray (in a Ray cluster) (%(default)s)",
    )
    parser.add_argument(
        "--num-workers",
        type=int,
        metavar="N",
        default=0,
        help="threads that decode images, or processes (0: one per CPU core or, in a "
        "Ray cluster with GPUs, one per GPU)",
    )
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip samples that have a value in the field",
    )
    parser.add_argument(
        "--store-logits",
        action="store_true",
        help="store the logits of all classes with each detection",
    )
    _add_model_options(parser)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--confidence-thresh",
        type=float,
        metavar="X",
        help="confidence threshold (0.01; a higher one lowers the mAP)",
    )
    parser.add_argument(
        "--iou-thresh",
        type=float,
        metavar="X",
        help="IoU threshold of non-maximum suppression (0.5)",
    )
    parser.add_argument(
        "--classes",
        dest="filter_classes",
        nargs="+",
        metavar="NAME",
        help="classes to detect (all)",
    )
    parser.add_argument(
        "--tiles",
        type=int,
        metavar="N",
        help="predict N x N overlapping parts of each image too, for small objects; 0 "
        "is none (as in training)",
    )
    parser.add_argument(
        "--darknet",
        action="store_true",
        default=None,
        help="resize, score and apply NMS as Darknet does",
    )
    parser.add_argument(
        "--precision",
        metavar="NAME",
        help="float32, bfloat16, float16, int8 (after a calibrated export), or auto: "
        "bfloat16 on devices that support it (as in training)",
    )
    parser.add_argument(
        "--runtime",
        metavar="NAME",
        help="what runs the network: keras, openvino, onnxruntime, or auto: on a CPU "
        "the fastest that is installed, on a GPU keras (auto)",
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    samples = collection(arguments, arguments.tag)
    load_tensorflow()
    from yolov1_fo.datasets import fiftyone_private
    from yolov1_fo.model.model_config import SETTINGS

    given = {
        name: getattr(arguments, name)
        for name in SETTINGS
        if getattr(arguments, name, None) is not None
    }
    model = yolov1_fo.load_model(
        arguments.model, fiftyone_private.root_dataset(samples), **given
    )
    faults = yolov1_fo.apply(
        samples,
        model,
        arguments.label_field,
        batch_size=arguments.batch_size,
        engine=arguments.engine,
        media_field=arguments.media_field,
        num_workers=arguments.num_workers,
        skip_existing=arguments.skip_existing,
        store_logits=arguments.store_logits,
    )
    print(
        f"wrote field '{arguments.label_field}' on {len(samples)} samples; "
        f"{len(faults) or 'no'} files are unreadable or truncated"
    )
    return 0

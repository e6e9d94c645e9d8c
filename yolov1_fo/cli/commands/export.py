"""yolov1-fo export: export a model to another format."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import load_dataset, tagged
from yolov1_fo.networks.tensorflow_startup import load_tensorflow

CALIBRATION = 100
"""Number of images that calibrate an export in 8 bits."""


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "export",
        _run,
        "Export a model as SavedModel, ONNX, OpenVINO or LiteRT. PATH.json holds the "
        "metadata for serving it.",
        example="yolov1-fo export my_run --dataset my-dataset --format onnx "
        "--to yolov1.onnx",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="checkpoint folder, folder or key of a run, or name of a zoo model",
    )
    parser.add_argument("--dataset", metavar="DATASET", help="dataset of the run")
    parser.add_argument(
        "--format",
        metavar="NAME",
        required=True,
        help="saved_model, onnx, openvino or litert",
    )
    parser.add_argument(
        "--nms", action="store_true", help="include decoding and NMS (onnx, openvino)"
    )
    parser.add_argument(
        "--calibration",
        metavar="TAG",
        help="compute in 8 bits (INT8), calibrated with a hundred samples of the "
        "dataset that have this tag (onnx, openvino)",
    )
    parser.add_argument(
        "--confidence-thresh",
        type=float,
        metavar="X",
        help="confidence threshold of --nms (0.01)",
    )
    parser.add_argument(
        "--to", metavar="PATH", required=True, help="path to write; must not exist"
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    name, tag = arguments.dataset, arguments.calibration
    if tag is not None and name is None:
        raise ValueError("--calibration needs --dataset")
    dataset = None if name is None else load_dataset(name)
    calibration = None
    if tag is not None:
        calibration = tagged(dataset, tag).take(CALIBRATION, seed=0)
    load_tensorflow()
    thresh = arguments.confidence_thresh
    source = arguments.source  # which `export` loads, after its checks
    if thresh is not None:
        source = yolov1_fo.load_model(source, dataset, confidence_thresh=thresh)
    path = yolov1_fo.export(
        source,
        arguments.to,
        arguments.format,
        dataset,
        nms=arguments.nms,
        calibration=calibration,
    )
    print(f"wrote '{path}' and '{path}.json'")
    return 0

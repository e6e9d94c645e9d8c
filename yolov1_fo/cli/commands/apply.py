"""yolov1-fo apply: write predictions."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import add_collection, collection
from yolov1_fo.networks.loading import load_tensorflow


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "apply",
        _run,
        "Write what a model finds into a field. Files that can't be read are listed.",
        example="yolov1-fo apply my-dataset my_run --label-field yolov1",
    )
    add_collection(parser)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a run of the dataset, a checkpoint's folder, or a model of the zoo",
    )
    parser.add_argument(
        "--label-field",
        metavar="FIELD",
        default="predictions",
        help="field that is written (%(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=16,
        help="images a forward pass (%(default)s)",
    )
    parser.add_argument(
        "--confidence-thresh",
        type=float,
        metavar="X",
        help="lowest score that is kept (0.01; higher ones falsify mAP)",
    )
    parser.add_argument(
        "--iou-thresh",
        type=float,
        metavar="X",
        help="boxes that overlap more are one object (0.5)",
    )
    parser.add_argument(
        "--classes",
        dest="filter_classes",
        nargs="+",
        metavar="NAME",
        help="keep only these",
    )
    parser.add_argument(
        "--darknet",
        action="store_true",
        default=None,
        help="resize, score and suppress as Darknet does",
    )
    parser.add_argument(
        "--precision",
        metavar="NAME",
        help="float32, bfloat16, float16, or auto: bfloat16 where the device has units "
        "for it (what the model was trained in)",
    )
    parser.add_argument(
        "--skip-existing", action="store_true", help="leave alone what has the field"
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    samples = collection(arguments, arguments.tag)
    load_tensorflow()
    from yolov1_fo.model.settings import SETTINGS

    given = {
        name: getattr(arguments, name)
        for name in SETTINGS
        if getattr(arguments, name, None) is not None
    }
    model = yolov1_fo.load_model(arguments.model, samples._root_dataset, **given)
    faults = yolov1_fo.apply(
        samples,
        model,
        arguments.label_field,
        batch_size=arguments.batch_size,
        skip_existing=arguments.skip_existing,
    )
    print(
        f"wrote '{arguments.label_field}' of {len(samples)} samples; "
        f"{len(faults)} files are bad"
    )
    return 0

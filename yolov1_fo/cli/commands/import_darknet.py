"""yolov1-fo import-darknet: Darknet's weights as a checkpoint."""

import argparse
from pathlib import Path
from typing import Any

from yolov1_fo import files
from yolov1_fo.architectures import tables
from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.setting_options import add_setting
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks.loading import load_tensorflow
from yolov1_fo.runs import run_json

SETTINGS = ("image_size", "S", "B", "batch_norm", "sqrt", "softmax")


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "import-darknet",
        _run,
        "Turn a .weights file of Darknet's into a checkpoint. apply, publish and "
        "load_model then take its folder.",
        example="yolov1-fo import-darknet yolov1.weights --network darknet-yolov1 "
        "--out yolov1-voc",
    )
    parser.add_argument("file", metavar="FILE", help="the .weights file")
    parser.add_argument(
        "--network",
        metavar="NAME",
        required=True,
        help=f"one of {', '.join(tables())}",
    )
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--classes", nargs="+", metavar="NAME", help="in Darknet's order (VOC's 20)"
    )
    classes.add_argument(
        "--names", metavar="FILE", help="Darknet's .names file: one class a line"
    )
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="the checkpoint; must not exist"
    )
    group = parser.add_argument_group("what the cfg file says, where it differs")
    said = NetworkConfig.describe()
    for name in SETTINGS:
        add_setting(group, name, said[name])


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    given = vars(arguments)
    settings = {name: given[name] for name in SETTINGS if name in given}
    classes = arguments.classes
    if arguments.names:
        if not files.is_file(arguments.names):
            raise FileNotFoundError(f"names file '{arguments.names}' does not exist")
        text = run_json.read_text(Path(arguments.names), run_json.LONGEST)
        classes = [line.strip() for line in text.split("\n") if line.strip()]
        if not classes:
            raise ValueError(f"names file '{arguments.names}' names no class")
    if classes:
        settings["classes"] = classes
    load_tensorflow()
    model = yolov1_fo.load_model(arguments.file, network=arguments.network, **settings)
    folder = model.save(arguments.out)
    print(f"wrote '{folder}': {arguments.network} for {len(model.classes)} classes")
    return 0

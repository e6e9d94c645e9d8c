"""yolov1-fo import-darknet: convert Darknet weights to a checkpoint."""

import argparse
from pathlib import Path
from typing import Any

from yolov1_fo import files
from yolov1_fo.architectures import layer_table_networks
from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.setting_options import add_setting
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks.tensorflow_startup import load_tensorflow
from yolov1_fo.runs import run_json

SETTINGS = ("image_size", "S", "B", "batch_norm", "sqrt", "softmax")


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "import-darknet",
        _run,
        "Convert a Darknet .weights file to a checkpoint. Pass its folder to apply, "
        "publish or load_model.",
        example="yolov1-fo import-darknet yolov1.weights --network darknet-yolov1 "
        "--out yolov1-voc",
    )
    parser.add_argument("file", metavar="FILE", help=".weights file")
    parser.add_argument(
        "--network",
        metavar="NAME",
        required=True,
        help=f"one of {', '.join(layer_table_networks())}",
    )
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="class names in Darknet's order (VOC's 20)",
    )
    classes.add_argument(
        "--names", metavar="FILE", help="Darknet .names file: one class per line"
    )
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder to write; must not exist"
    )
    group = parser.add_argument_group("settings of the cfg file, where they differ")
    descriptions = NetworkConfig.describe()
    for name in SETTINGS:
        add_setting(group, name, descriptions[name])


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    given = vars(arguments)
    settings = {name: given[name] for name in SETTINGS if name in given}
    classes = arguments.classes
    if arguments.names:
        if not files.is_file(arguments.names):
            raise FileNotFoundError(f"names file '{arguments.names}' does not exist")
        text = run_json.read_text(Path(arguments.names), run_json.MAX_BYTES)
        classes = [line.strip() for line in text.split("\n") if line.strip()]
        if not classes:
            raise ValueError(f"names file '{arguments.names}' has no class")
    if classes:
        settings["classes"] = classes
    load_tensorflow()
    model = yolov1_fo.load_model(arguments.file, network=arguments.network, **settings)
    folder = model.save(arguments.out)
    print(f"wrote '{folder}': {arguments.network} for {len(model.classes)} classes")
    return 0

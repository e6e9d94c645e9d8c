"""yolov1-fo report: write the report of a run again."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import load_dataset


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "report",
        _run,
        "Write the report of a run again: report.html in its folder. A training writes "
        "it when it ends.",
        example="yolov1-fo report my_run --dataset my-dataset",
    )
    parser.add_argument("source", metavar="RUN", help="folder or key of a run")
    parser.add_argument("--dataset", metavar="DATASET", help="dataset of the run")


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    name = arguments.dataset
    dataset = None if name is None else load_dataset(name)
    print(f"wrote '{yolov1_fo.write_report(arguments.source, dataset)}'")
    return 0

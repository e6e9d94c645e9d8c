"""yolov1-fo runs: the trainings of a dataset, listed, shown and deleted."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import collection


def add(commands: Any) -> None:
    """Adds the commands `runs list`, `runs show` and `runs delete`."""
    parser = command(
        commands,
        "runs",
        None,
        "List, show and delete the trainings of a dataset.",
        example="yolov1-fo runs list my-dataset",
    )
    of_runs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, run, text in (
        ("list", _list, "List the trainings of a dataset, the newest first."),
        ("show", _show, "Show the settings, curves and files of a run."),
        (
            "delete",
            _delete,
            "Delete a run with its checkpoints. Files that are not its own stay, such "
            "as those of the run that a clone of the dataset has copied.",
        ),
    ):
        example = f"yolov1-fo runs {name} my-dataset"
        example += "" if name == "list" else " my_run"
        one = command(of_runs, name, run, text, example=example)
        one.add_argument(
            "dataset", metavar="DATASET", help="name of a FiftyOne dataset"
        )
        one.set_defaults(view=None)
        if name != "list":
            one.add_argument("run_key", metavar="KEY", help="name of the run")


def _list(arguments: argparse.Namespace) -> int:
    from tabulate import tabulate

    from yolov1_fo.jobs import status

    dataset = collection(arguments)
    rows = status.rows(dataset)
    if not rows:
        print(f"dataset '{dataset.name}' has no training runs")
        return 0
    print(
        tabulate([_cells(row) for row in rows], headers="keys", disable_numparse=True)
    )
    return 0


def _cells(row: Any) -> dict[str, str]:
    return {
        "run": row.run_key,
        "status": row.status,
        "network": row.network,
        "epochs": f"{row.epoch} of {row.epochs}" if row.epochs else "",
        "best": "" if row.best is None else f"{row.best:.3f}",
        "begun": f"{row.begun:%Y-%m-%d %H:%M}" if row.begun else "",
        "folder": row.folder,
    }


def _show(arguments: argparse.Namespace) -> int:
    from tabulate import tabulate

    from yolov1_fo.jobs import status
    from yolov1_fo.runs import registry

    dataset = collection(arguments)
    run_key = registry.find(dataset, arguments.run_key)
    [row] = [row for row in status.rows(dataset) if row.run_key == run_key]
    size = status.size(row.folder) if registry.is_own(dataset, run_key) else ""
    said = {**_cells(row), "says": row.says, "files": size}
    print(tabulate([(name, value) for name, value in said.items() if value]))
    settings = getattr(registry.info(dataset, run_key), "settings", {})
    print("\nsettings")
    print(tabulate([(name, str(value)) for name, value in settings.items()]))
    curves = status.curves(row)
    if curves:
        print("\ncurves")
        print(tabulate(curves, headers="keys", floatfmt=".4f"))
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    from yolov1_fo.runs import registry

    print(registry.delete(collection(arguments), arguments.run_key))
    return 0

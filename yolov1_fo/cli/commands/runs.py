"""yolov1-fo runs: list, show and delete the training runs of a dataset."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import load_dataset


def add(commands: Any) -> None:
    """Adds the commands `runs list`, `runs show` and `runs delete`."""
    parser = add_command(
        commands,
        "runs",
        None,
        "List, show and delete the training runs of a dataset.",
        example="yolov1-fo runs list my-dataset",
    )
    of_runs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, run, text in (
        ("list", _list, "List the training runs of a dataset, newest first."),
        ("show", _show, "Show the settings, curves and files of a run."),
        (
            "delete",
            _delete,
            "Delete a run and its checkpoints. Files that belong to another run are "
            "kept, such as those of the original of a cloned dataset.",
        ),
    ):
        example = f"yolov1-fo runs {name} my-dataset"
        example += "" if name == "list" else " my_run"
        one = add_command(of_runs, name, run, text, example=example)
        one.add_argument(
            "dataset", metavar="DATASET", help="name of a FiftyOne dataset"
        )
        if name != "list":
            one.add_argument("run_key", metavar="KEY", help="name of the run")


def _list(arguments: argparse.Namespace) -> int:
    from tabulate import tabulate

    from yolov1_fo.jobs import runs_table

    dataset = load_dataset(arguments.dataset)
    rows = runs_table.rows(dataset)
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
        "epochs": row.epochs_text,
        "best": row.best_text,
        "started": f"{row.started:%Y-%m-%d %H:%M}" if row.started else "",
        "folder": row.folder,
    }


def _show(arguments: argparse.Namespace) -> int:
    from tabulate import tabulate

    from yolov1_fo.jobs import runs_table
    from yolov1_fo.runs import records, registry

    dataset = load_dataset(arguments.dataset)
    run_key = registry.find(dataset, arguments.run_key)
    [row] = [row for row in runs_table.rows(dataset) if row.run_key == run_key]
    size = (
        runs_table.folder_size(row.folder) if registry.is_own(dataset, run_key) else ""
    )
    cells = {
        **_cells(row),
        "threshold": row.thresh_text,
        "started from": row.parent,
        "message": row.message,
        "size": size,
    }
    print(tabulate([(name, value) for name, value in cells.items() if value]))
    settings = getattr(records.info(dataset, run_key), "settings", {})
    print("\nsettings")
    print(tabulate([(name, str(value)) for name, value in settings.items()]))
    curves = runs_table.summarize_curves(row)
    if curves:
        print("\ncurves")
        print(tabulate(curves, headers="keys", floatfmt=".4f"))
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    from yolov1_fo.runs import deletion

    print(deletion.delete_run(load_dataset(arguments.dataset), arguments.run_key))
    return 0

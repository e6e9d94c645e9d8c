"""yolov1-fo doctor: what is missing here."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "doctor",
        _run,
        "Look at what YOLOv1 needs here, and say what to do. Exit code 1 if something "
        "is missing.",
    )
    parser.add_argument(
        "--clean",
        action="store_true",
        help="delete the decoded images that trainings keep for the next one, and what "
        "processes that were killed have left",
    )


def _run(arguments: argparse.Namespace) -> int:
    from yolov1_fo.cli import doctor

    if arguments.clean:
        from yolov1_fo.cli import leftovers

        for line in leftovers.clean():
            print(line)
    checks = doctor.examine()
    for check in checks:
        print(check)
    return 0 if all(check.state != doctor.BAD for check in checks) else 1

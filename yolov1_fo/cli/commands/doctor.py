"""yolov1-fo doctor: check the installation."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "doctor",
        _run,
        "Check this machine and suggest remedies. The exit code is 1 if something "
        "required is missing.",
    )
    parser.add_argument(
        "--clean",
        action="store_true",
        help="delete the cache of decoded images, and unfinished files of processes "
        "that were killed",
    )


def _run(arguments: argparse.Namespace) -> int:
    from yolov1_fo.cli import doctor

    if arguments.clean:
        from yolov1_fo.cli import leftovers

        for line in leftovers.clean():
            print(line)
    checks = doctor.run_checks()
    print(doctor.table(checks))
    return 1 if any(check.state == doctor.ERROR for check in checks) else 0

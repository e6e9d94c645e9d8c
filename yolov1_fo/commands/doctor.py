"""yolov1-fo doctor: what is missing here."""

import argparse
from typing import Any

from yolov1_fo.commands import command


def add(commands: Any) -> None:
    """Adds the command."""
    command(
        commands,
        "doctor",
        _run,
        "Look at what YOLOv1 needs here, and say what to do. Exit code 1 if something "
        "is missing.",
    )


def _run(arguments: argparse.Namespace) -> int:
    from yolov1_fo import doctor

    checks = doctor.examine()
    for check in checks:
        print(check)
    return 0 if all(check.state != doctor.BAD for check in checks) else 1

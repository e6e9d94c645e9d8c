"""Measures speed and memory, compared with other libraries, and prints a table.

    python -m benchmarks --photographs FOLDER --json benchmarks/results/speed.json

Each part runs in a process of its own. Calls that are compared alternate; figures are
medians, with half the interquartile range.
"""

import argparse
import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import measuring
from benchmarks.measuring import Figure

PARTS = (
    *("reading", "stepping", "torch_steps", "forwarding", "transfer_forwarding"),
    *("applying", "tutorial", "sharing", "many", "evaluating", "halving"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--quick", action="store_true", help="small inputs, to try the benchmark"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        measure(arguments.part, arguments.photographs, arguments.quick, arguments.json)
        return
    parts = {part: run(part, arguments) for part in arguments.only}
    if arguments.json and arguments.json.exists():  # keeps parts of an earlier run
        parts = json.loads(arguments.json.read_text()).get("parts", {}) | parts
    measuring.write(arguments.json, {"parts": parts})
    missed = [one for rows in parts.values() for one in rows if one["holds"] is False]
    for one in missed:
        print(f"missed: {Figure(**{k: v for k, v in one.items() if k != 'holds'})}")
    sys.exit(bool(missed) and not arguments.quick)


def run(part: str, arguments: argparse.Namespace) -> list[dict]:
    """Returns the figures of a part, measured in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path, plugins = Path(folder) / "figures.json", Path(folder) / "plugins"
        plugins.mkdir()
        (plugins / "yolov1").symlink_to(Path(__file__).parent.parent)
        environment = {**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins)}
        command = [sys.executable, "-m", "benchmarks", "--part", part, "--json", path]
        command += ["--photographs", arguments.photographs]
        command += ["--quick"] * arguments.quick
        subprocess.run(command, check=True, env=environment)
        rows: list[dict] = json.loads(path.read_text())
    return rows


def measure(part: str, photographs: Path, quick: bool, path: Path) -> None:
    """Prints and writes the figures of a part."""
    print(f"== {part}", flush=True)
    rows = []
    module = importlib.import_module(f"benchmarks.{part}")
    for one in module.figures(photographs, quick):
        print(one, flush=True)
        value = None if math.isnan(one.value) else one.value
        rows.append({**one._asdict(), "value": value, "holds": one.holds})
    path.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()

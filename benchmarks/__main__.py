"""Measures speed and memory, beside others, and prints a table.

    python -m benchmarks --photographs FOLDER --json benchmarks/results/speed.json

Each part is a process of its own. Whoever is compared takes turns in one run; figures
are medians, with half the interquartile range.
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
    *("reading", "stepping", "forwarding", "applying", "tutorial", "sharing"),
    *("many", "evaluating", "halving"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="small, to see it run")
    parser.add_argument("--json", type=Path, help="where figures are written")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        measure(arguments.part, arguments.photographs, arguments.quick, arguments.json)
        return
    said = {part: run(part, arguments) for part in arguments.only}
    if arguments.json and arguments.json.exists():  # parts of an earlier run
        said = json.loads(arguments.json.read_text()).get("parts", {}) | said
    measuring.write(arguments.json, {"parts": said})
    missed = [one for rows in said.values() for one in rows if one["holds"] is False]
    for one in missed:
        print(f"missed: {Figure(**{k: v for k, v in one.items() if k != 'holds'})}")
    sys.exit(bool(missed) and not arguments.quick)


def run(part: str, arguments: argparse.Namespace) -> list[dict]:
    """Returns the figures of a part, measured in a process of its own."""
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

"""Thousands of bad inputs, each of which must end in success or one clear error line.

    python -m benchmarks.fuzz --json benchmarks/results/fuzz.json

Each input is made from its kind, its number and a seed, so that one alone can be made
again: --only names --numbers 123.
"""

import argparse
import collections
import faulthandler
import logging
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import (
    bad_arguments,
    bad_files,
    bad_labels,
    bad_models,
    measuring,
    sandbox,
)
from benchmarks.attempts import FAULTS, PACKAGE, SECONDS, Verdict, attempt

SEED = 16
SHOWN = 5
"""So many faults of a kind are printed, each from another place."""
MADE = {
    "weights files": bad_files.weights,
    "network files": bad_files.networks,
    "run folders": bad_models.run_folders,
    "published models": bad_models.manifests,
    "model configs": bad_models.model_configs,
    "images": bad_files.pictures,
    "names": bad_arguments.names,
    "settings": bad_arguments.settings,
    "class lists": bad_arguments.class_lists,
}
COUNTS = {
    "weights files": 2000,
    "network files": 500,
    "run folders": 1000,
    "published models": 800,
    "model configs": 800,
    "images": 2500,
    "names": 1000,
    "settings": 1500,
    "class lists": 600,
    **dict.fromkeys(bad_labels.CALLS, 500),
}
"""How many inputs there are of each kind."""


HOMES = {
    # What `find_bad` says of a file is no error yet; the bench makes it one.
    "images": (PACKAGE, Path(bad_files.__file__).parent),
}
"""Whose checks may refuse, where it is not ours alone."""


def verdicts(kind: str, numbers: list[int]) -> Iterator[Verdict]:
    """Yields how each of the inputs ended.

    Args:
        kind: a key of `COUNTS`
        numbers: of the inputs
    """
    seed = SEED + zlib.crc32(kind.encode())
    if kind in bad_labels.CALLS:
        yield from bad_labels.verdicts(kind, numbers, seed)
        return
    homes = HOMES.get(kind, (PACKAGE,))
    with MADE[kind]() as bad:
        for number in numbers:
            faulthandler.dump_traceback_later(10 * SECONDS, exit=True)
            call = bad(np.random.default_rng([seed, number]))
            yield attempt(call, homes)
    faulthandler.cancel_dump_traceback_later()


def count(kind: str, numbers: list[int]) -> dict[str, Any]:
    """Returns how many inputs of a kind ended how, and the faults among them."""
    start = time.monotonic()
    outcomes: collections.Counter[str] = collections.Counter()
    faults = []
    for number, one in zip(numbers, verdicts(kind, numbers), strict=True):
        outcomes[one.outcome] += 1
        if one.outcome in FAULTS:
            faults.append({"number": number, **one._asdict()})
    return {
        "inputs": len(numbers),
        "outcomes": dict(sorted(outcomes.items())),
        "faults": faults,
        "seconds": round(time.monotonic() - start, 1),
    }


def line(kind: str, counted: dict[str, Any]) -> str:
    """Returns what became of a kind of inputs, in one line."""
    said = ", ".join(f"{n} {outcome}" for outcome, n in counted["outcomes"].items())
    return f"{kind}: {counted['inputs']} inputs, {said}; {counted['seconds']:.0f} s"


def show(faults: list[dict[str, Any]]) -> None:
    """Prints the first fault of each place."""
    places = {one["said"].partition(": ")[0]: one for one in reversed(faults)}
    for one in list(places.values())[::-1][:SHOWN]:
        print(f"    {one['outcome']}, number {one['number']}: {one['said']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=COUNTS, default=list(COUNTS))
    parser.add_argument("--numbers", nargs="+", type=int, help="only these inputs")
    parser.add_argument("--part", type=float, default=1.0, help="a part of all inputs")
    parser.add_argument("--json", type=Path, help="where the counts are written")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)
    sandbox.register_network()
    counted = {}
    for kind in arguments.only:
        every = list(range(max(1, round(COUNTS[kind] * arguments.part))))
        counted[kind] = count(kind, arguments.numbers or every)
        print(line(kind, counted[kind]), flush=True)
        show(counted[kind]["faults"])
    inputs = sum(one["inputs"] for one in counted.values())
    faults = sum(len(one["faults"]) for one in counted.values())
    print(f"{inputs} inputs, {faults} faults")
    total = {"seed": SEED, "inputs": inputs, "faults": faults}
    measuring.write(arguments.json, {**total, "kinds": counted})
    return int(faults > 0)


if __name__ == "__main__":
    sandbox.enter(main)

"""Tries thousands of bad inputs; each must end in success or a one-line error.

    python -m benchmarks.fuzz --json benchmarks/results/fuzz.json

Each input depends on its kind, its number and a seed, so that it can be repeated alone:
--only names --numbers 123.
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
from benchmarks.attempts import FAULTS, MAX_SECONDS, PACKAGE, Verdict, attempt

SEED = 16
MAX_SHOWN = 5
"""Faults that are printed of each kind, from different places."""
MAKERS = {
    "weights files": bad_files.weights,
    "network files": bad_files.networks,
    "run folders": bad_models.run_folders,
    "published models": bad_models.manifests,
    "model configs": bad_models.model_configs,
    "images": bad_files.image_files,
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
"""Number of inputs of each kind."""


HOMES = {
    # The benchmark raises the faults that `find_unreadable` returns.
    "images": (PACKAGE, Path(bad_files.__file__).parent),
}
"""Packages that may refuse, if other than the library."""


def verdicts(kind: str, numbers: list[int]) -> Iterator[Verdict]:
    """Yields how each of the inputs ended.

    Args:
        kind: a key of `COUNTS`
        numbers: numbers of the inputs
    """
    seed = SEED + zlib.crc32(kind.encode())
    if kind in bad_labels.CALLS:
        yield from bad_labels.verdicts(kind, numbers, seed)
        return
    homes = HOMES.get(kind, (PACKAGE,))
    with MAKERS[kind]() as bad:
        for number in numbers:
            faulthandler.dump_traceback_later(10 * MAX_SECONDS, exit=True)
            call = bad(np.random.default_rng([seed, number]))
            yield attempt(call, homes)
    faulthandler.cancel_dump_traceback_later()


def count(kind: str, numbers: list[int]) -> dict[str, Any]:
    """Returns the number of inputs by outcome, and the faults."""
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
    """Returns the outcomes of a kind of input in one line."""
    outcomes = ", ".join(f"{n} {outcome}" for outcome, n in counted["outcomes"].items())
    return f"{kind}: {counted['inputs']} inputs, {outcomes}; {counted['seconds']:.0f} s"


def show(faults: list[dict[str, Any]]) -> None:
    """Prints the first fault from each place."""
    places = {one["message"].partition(": ")[0]: one for one in reversed(faults)}
    for one in list(places.values())[::-1][:MAX_SHOWN]:
        print(f"    {one['outcome']}, number {one['number']}: {one['message']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=COUNTS, default=list(COUNTS))
    parser.add_argument("--numbers", nargs="+", type=int, help="only these inputs")
    parser.add_argument(
        "--part", type=float, default=1.0, help="fraction of the inputs"
    )
    parser.add_argument("--json", type=Path, help="file for the counts")
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

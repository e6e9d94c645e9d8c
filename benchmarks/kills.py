"""Interrupts calls, and checks what they leave behind.

    python -m benchmarks.kills --json benchmarks/results/kills.json

Trainings, predictions, evaluations and publishing are interrupted at moments spread
over their writes and their time. No data of the user may be lost or incomplete, the
next call must work, and a resumed training must be bit-identical to an undisturbed one.
"""

import argparse
import collections
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import fiftyone as fo
from tabulate import tabulate

from benchmarks import kill_checks, killing, measuring, sandbox
from benchmarks.attempts import FAULTS
from benchmarks.kill_checks import fingerprint
from benchmarks.kill_scenes import SCENES, Scene
from benchmarks.killing import Ended, Moment, fork

DATABASE, DISK = "MongoDB killed", "disk full"
DISK_BYTES, FREE_BYTES = 64e6, 50_000
"""Size of the disk; free space when it is full, too little for a network."""
SIGNALS = {"train, host": 2, "apply, new field": 1, "evaluate": 1, "publish": 1}
ACTIONS: dict[str, tuple[Callable[[], None], dict[str, int]]] = {
    "SIGKILL": (
        killing.send(signal.SIGKILL),
        {name: scene.kills for name, scene in SCENES.items()},
    ),
    "SIGTERM": (killing.send(signal.SIGTERM), SIGNALS),
    "SIGINT": (killing.send(signal.SIGINT), SIGNALS),
    DATABASE: (
        killing.kill_database,
        {"train, host": 2, "resume": 1, "apply, new field": 1, "evaluate": 1},
    ),
    DISK: (
        lambda: killing.fill(disk(), FREE_BYTES),
        {"train, host": 4, "resume": 2, "publish": 2},
    ),
}
"""Actions that interrupt a process, and how many times for which scene.

A call can end before its moment; therefore there are more trials than needed.
"""


class Trial(NamedTuple):
    """An interruption, and the faults that were found after it.

    Attributes:
        call: name of the scene
        deed: name of the action
        moment: when
        ended: how the process ended
        faults: what was lost or incomplete, or did not work afterwards
    """

    call: str
    deed: str
    moment: str
    ended: str
    faults: list[str]


def find_faults(scene: Scene, before: dict[str, str]) -> list[str]:
    """Returns the faults after a trial, found in a new process."""

    def found() -> list[str]:
        now = fingerprint()
        faults = [f"{name} is lost" for name in before if name not in now]
        faults += [
            f"{name} has changed"
            for name in before
            if now.get(name, "") != before[name]
        ]
        faults += list(scene.after())
        if fingerprint() != before:
            faults.append("the next call has changed other data")
        return faults

    ended = fork(found)
    if ended.how != "finished":
        return [f"the next call ended with: {ended.how}"]
    faults: list[str] = ended.value
    return faults


def moments(rehearsed: Ended, count: int, action: Callable[[], None]) -> list[Moment]:
    """Returns moments spread over the writes and over the time of a call.

    Args:
        rehearsed: the undisturbed call
        count: number of moments
        action: interrupts the process
    """
    writes, found = len(rehearsed.events), []
    for number in range(count):
        part = (number + 0.5) / count
        by_time = number % 3 == 2
        event = None if by_time else min(int(part * writes), writes - 1)
        found.append(Moment(event, part * rehearsed.seconds, action))
    return found


def run_trial(name: str, deed: str, moment: Moment, before: dict[str, str]) -> Trial:
    """Interrupts a scene once.

    Args:
        name: name of the scene
        deed: name of the action
        moment: when it happens
        before: fingerprint of the user's data
    """
    scene = SCENES[name]
    if scene.before:
        fork(scene.before)
    ended = fork(scene.call, moment)
    if deed == DATABASE:
        sandbox.stop_database(sandbox.home())  # in case its moment did not come
        sandbox.start_database(sandbox.home())
    (disk() / killing.BALLAST).unlink(missing_ok=True)
    faults = find_faults(scene, before)
    if ended.outcome in FAULTS or ended.how == killing.HANGS:
        faults.insert(0, f"it ended with {ended.outcome or 'a timeout'}")
    how = ended.how.replace(str(sandbox.home()), "")
    return Trial(name, deed, str(moment), how, faults)


def rehearse(names: list[str], before: dict[str, str]) -> dict[str, Ended]:
    """Runs each scene without interruption, to count its writes and its time.

    Raises:
        RuntimeError: if there are faults even so
    """
    found = {}
    for name in names:
        scene = SCENES[name]
        if scene.before:
            fork(scene.before)
        found[name] = fork(scene.call)
        faults = find_faults(scene, before)
        if faults or found[name].how != "finished":
            raise RuntimeError(f"{name}, undisturbed: {found[name].how}, {faults}")
    return found


def trials(names: list[str], wanted: list[str], part: float) -> Iterator[Trial]:
    """Yields all trials.

    Args:
        names: names of the scenes
        wanted: names of the actions
        part: fraction of all trials; at least one of each kind
    """
    ended = fork(lambda: kill_checks.prepare(names))
    if ended.how != "finished":
        raise RuntimeError(f"the trials can't start: {ended.how}")
    before = fork(fingerprint).value
    rehearsed = rehearse(names, before)
    for deed in wanted:
        action, counts = ACTIONS[deed]
        for name in [one for one in names if one in counts]:
            some = max(1, round(counts[name] * part))
            for moment in moments(rehearsed[name], some, action):
                trial = run_trial(name, deed, moment, before)
                yield trial
                if trial.faults:
                    fork(kill_checks.clean)
                    before = fork(fingerprint).value


def disk() -> Path:
    """Returns the small disk for runs and published models."""
    return sandbox.home() / "disk"


def table(done: list[Trial]) -> str:
    """Returns the number of trials and faults of each scene and action, as a table."""
    counts = collections.Counter((one.deed, one.call) for one in done)
    bad = collections.Counter((one.deed, one.call) for one in done if one.faults)
    rows = [(*key, count, bad[key]) for key, count in counts.items()]
    rows.append(("all", "", len(done), bad.total()))
    return tabulate(rows, ("action", "scene", "trials", "with faults"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--deeds", nargs="+", choices=ACTIONS, default=list(ACTIONS))
    parser.add_argument(
        "--part", type=float, default=1.0, help="fraction of the trials"
    )
    parser.add_argument("--json", type=Path, help="file for the trials")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)
    sandbox.register_network()
    done = []
    with killing.small_disk(disk(), int(DISK_BYTES)) as is_small:
        fo.config.default_dataset_dir = str(disk() / "datasets")
        fo.config.model_zoo_dir = str(disk() / "models")
        for one in trials(arguments.only, arguments.deeds, arguments.part):
            done.append(one)
            print(f"{one.call}, {one.deed} {one.moment}: {one.ended[:200]}", flush=True)
            for fault in one.faults:
                print(f"    {fault}", flush=True)
    print(table(done))
    faults = sum(bool(one.faults) for one in done)
    how = "a small tmpfs" if is_small else "a limit on the size of files"
    killed = sum(one.ended == "killed by SIGKILL" for one in done)
    print(f"{killed} processes killed by SIGKILL; the disk was {how}")
    figures = {"faults": faults, "killed": killed, "disk": how}
    rows = [one._asdict() for one in done]
    measuring.write(arguments.json, {**figures, "trials": rows})
    return int(faults > 0)


if __name__ == "__main__":
    sandbox.enter(main)

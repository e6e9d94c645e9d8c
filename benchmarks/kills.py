"""Ends processes in the middle of their work, and looks at what is left.

    python -m benchmarks.kills --json benchmarks/results/kills.json

Trainings, predictions, evaluations and publishing are killed at moments that are spread
over what they write and over their time. Then nothing of the user's may be lost or half
there, the next call must work, and a resumed training must end with the same bits.
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
DISK_BYTES, LEFT = 64e6, 50_000
"""Size of the disk, and what is left of it when it is full: no network fits."""
SIGNALS = {"train, host": 2, "apply, new field": 1, "evaluate": 1, "publish": 1}
DEEDS: dict[str, tuple[Callable[[], None], dict[str, int]]] = {
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
        lambda: killing.fill(disk(), LEFT),
        {"train, host": 4, "resume": 2, "publish": 2},
    ),
}
"""What is done to a process, and how often in the middle of which call.

A moment by the clock may come when the call has ended; there are some to spare.
"""


class Trial(NamedTuple):
    """What was done to a process, and what was found then.

    Attributes:
        call: that it was in the middle of
        deed: what happened to it
        moment: when
        ended: how it ended
        faults: what was lost, half there, or did not work afterwards
    """

    call: str
    deed: str
    moment: str
    ended: str
    faults: list[str]


def look(scene: Scene, before: dict[str, str]) -> list[str]:
    """Returns what is wrong after a trial, found in a process of its own."""

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
            faults.append("the next call has changed what it should not")
        return faults

    ended = fork(found)
    if ended.how != "finished":
        return [f"the next call ended so: {ended.how}"]
    faults: list[str] = ended.value
    return faults


def moments(rehearsed: Ended, count: int, deed: Callable[[], None]) -> list[Moment]:
    """Returns moments spread over what a call writes and over its time, in turns.

    Args:
        rehearsed: the call, undisturbed
        count: of the moments
        deed: what is done then
    """
    writes, found = len(rehearsed.events), []
    for number in range(count):
        part = (number + 0.5) / count
        by_time = number % 3 == 2
        event = None if by_time else min(int(part * writes), writes - 1)
        found.append(Moment(event, part * rehearsed.seconds, deed))
    return found


def disturbed(name: str, deed: str, moment: Moment, before: dict[str, str]) -> Trial:
    """Returns what became of a scene that was disturbed.

    Args:
        name: of the scene
        deed: what is done to it
        moment: when
        before: the fingerprint
    """
    scene = SCENES[name]
    if scene.before:
        fork(scene.before)
    ended = fork(scene.call, moment)
    if deed == DATABASE:
        sandbox.stop_database(sandbox.home())  # where its moment never came
        sandbox.start_database(sandbox.home())
    (disk() / killing.BALLAST).unlink(missing_ok=True)
    faults = look(scene, before)
    if ended.outcome in FAULTS or ended.how == killing.HANGS:
        faults.insert(0, f"it ended with {ended.outcome or 'nothing'}")
    how = ended.how.replace(str(sandbox.home()), "")
    return Trial(name, deed, str(moment), how, faults)


def rehearse(names: list[str], before: dict[str, str]) -> dict[str, Ended]:
    """Returns what each scene writes in peace, and how long it takes.

    Raises:
        RuntimeError: if something is wrong even so
    """
    found = {}
    for name in names:
        scene = SCENES[name]
        if scene.before:
            fork(scene.before)
        found[name] = fork(scene.call)
        faults = look(scene, before)
        if faults or found[name].how != "finished":
            raise RuntimeError(f"{name}, in peace: {found[name].how}, {faults}")
    return found


def trials(names: list[str], wanted: list[str], part: float) -> Iterator[Trial]:
    """Yields what became of each trial.

    Args:
        names: of the scenes
        wanted: what is done to them
        part: of all trials; at least one of each kind
    """
    ended = fork(lambda: kill_checks.prepare(names))
    if ended.how != "finished":
        raise RuntimeError(f"the trials can't begin: {ended.how}")
    before = fork(fingerprint).value
    rehearsed = rehearse(names, before)
    for deed in wanted:
        act, counts = DEEDS[deed]
        for name in [one for one in names if one in counts]:
            some = max(1, round(counts[name] * part))
            for moment in moments(rehearsed[name], some, act):
                trial = disturbed(name, deed, moment, before)
                yield trial
                if trial.faults:
                    fork(kill_checks.clean)
                    before = fork(fingerprint).value


def disk() -> Path:
    """Returns the small disk that runs and published models stand on."""
    return sandbox.home() / "disk"


def table(done: list[Trial]) -> str:
    """Returns how many trials there were of each scene and deed, and their faults."""
    counts = collections.Counter((one.deed, one.call) for one in done)
    bad = collections.Counter((one.deed, one.call) for one in done if one.faults)
    rows = [(*key, count, bad[key]) for key, count in counts.items()]
    rows.append(("all", "", len(done), bad.total()))
    return tabulate(rows, ("what is done", "to", "times", "with faults"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--deeds", nargs="+", choices=DEEDS, default=list(DEEDS))
    parser.add_argument("--part", type=float, default=1.0, help="a part of all trials")
    parser.add_argument("--json", type=Path, help="where the trials are written")
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

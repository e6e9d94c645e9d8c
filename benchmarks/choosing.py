"""Trains on images chosen by next_to_label, and on as many chosen at random.

    python -m benchmarks.choosing --photographs FOLDER --json FILE

Of the 240 fruit photographs for training, 40 chosen at random are labeled first. A
model trained on them chooses the next 60, the model trained on those 100 the next 100;
beside it the same numbers are chosen at random. Each training starts from the network's
own weights and has the same time limit. mAP is that of the 60 test photographs.

The figures are written after each training, with the images that it has chosen. A file
that lacks some is completed: `--trainings 2` does two and stops.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import yolov1_fo
from benchmarks import measuring, photographs
from yolov1_fo.datasets import fiftyone_private

SIZES = (40, 100, 200)
SEEDS = (0, 1)
MAX_MINUTES = 4.0
ACTIVE, RANDOM = "active", "random"
KNOWN = "known"
"""Field with the labels that are known so far."""

Row = dict[str, Any]


class Trial(NamedTuple):
    """A training.

    Attributes:
        seed: of the first images, the random ones, and the training
        choice: how its images were chosen, `ACTIVE` or `RANDOM`; the first images are
            those of both, and count as random
        size: number of labeled images
    """

    seed: int
    choice: str
    size: int


def trials(seeds: Sequence[int], sizes: Sequence[int]) -> list[Trial]:
    """Returns the trainings in their order; each needs only those before it."""
    found = []
    for seed in seeds:
        found.append(Trial(seed, RANDOM, sizes[0]))
        found += [
            Trial(seed, choice, size)
            for size in sizes[1:]
            for choice in (ACTIVE, RANDOM)
        ]
    return found


class Photographs(NamedTuple):
    """What is trained and tested on.

    Attributes:
        train: candidates, with all their labels
        test: the test split
    """

    train: Any
    test: Any

    def names(self) -> dict[str, str]:
        """Returns the name of each candidate's file, with its folder, and its id."""
        ids, paths = self.train.values(["id", "filepath"])
        names = ["/".join(Path(path).parts[-2:]) for path in paths]
        return dict(sorted(zip(names, ids, strict=True)))

    def shuffled(self, seed: int) -> list[str]:
        """Returns the names in a random order."""
        return np.random.default_rng(seed).permutation([*self.names()]).tolist()

    def select(self, names: Sequence[str]) -> Any:
        """Returns the view of some names."""
        ids = self.names()
        return self.train.select([ids[name] for name in names])

    def choose(self, model: Any, known: Sequence[str], count: int) -> list[str]:
        """Returns the names that `next_to_label` chooses, given those with labels."""
        dataset = fiftyone_private.root_dataset(self.train)
        if dataset.has_field(KNOWN):
            dataset.delete_sample_field(KNOWN)
        view = self.select(known)
        ids, labels = view.values(["id", "ground_truth"])
        dataset.set_values(KNOWN, dict(zip(ids, labels, strict=True)), key_field="id")
        chosen = yolov1_fo.next_to_label(
            self.train, model, count, KNOWN, progress=False
        ).values("id")
        of_id = {one: name for name, one in self.names().items()}
        return [of_id[one] for one in chosen]


def images(data: Photographs, trial: Trial, rows: Sequence[Row]) -> list[str]:
    """Returns the names of the images that a training has the labels of.

    Raises:
        LookupError: if the training that has chosen them is not among the rows
    """
    if trial.choice == RANDOM:
        return data.shuffled(trial.seed)[: trial.size]
    for row in rows:
        names = [*row["images"], *row["next"]]
        if row["seed"] == trial.seed and row["next"] and len(names) == trial.size:
            return names
    raise LookupError(f"no training has chosen the images of {trial}")


def run(
    data: Photographs,
    trial: Trial,
    rows: Sequence[Row],
    sizes: Sequence[int],
    **settings: Any,
) -> Row:
    """Trains once; returns the figures, and the images to label next.

    Args:
        data: the photographs
        trial: what to train
        rows: of the trainings before
        sizes: numbers of labeled images
        **settings: arguments of `train`
    """
    names, start = images(data, trial, rows), time.monotonic()
    with tempfile.TemporaryDirectory() as runs_dir:
        result = yolov1_fo.train(
            data.select(names),
            runs_dir=runs_dir,
            **{"progress": False, "seed": trial.seed, **settings},
        )
        minutes = (time.monotonic() - start) / 60
        model = yolov1_fo.load_model(result.checkpoint_dir)
        yolov1_fo.apply(data.test, model, "yolov1", progress=False)
        report = yolov1_fo.evaluate(data.test, "yolov1", progress=False)
        larger = [size for size in sizes if size > trial.size]
        is_start = trial.size == sizes[0]
        chosen: list[str] = []
        if larger and (is_start or trial.choice == ACTIVE):
            chosen = data.choose(model, names, larger[0] - trial.size)
    return {
        **trial._asdict(),
        "settings": settings,
        **{name: getattr(report, name) for name in ("voc07", "ap50", "coco_map")},
        "epochs": len(result.history["loss"]),
        "minutes": minutes,
        "objects": data.select(names).count("ground_truth.detections"),
        "images": names,
        "next": chosen,
    }


def missing(
    wanted: Sequence[Trial], rows: Sequence[Row], settings: dict[str, Any]
) -> list[Trial]:
    """Returns the trainings that are not among the rows.

    Raises:
        ValueError: if the rows were measured with other settings
    """
    for row in rows:
        if row["settings"] != settings:
            raise ValueError(
                f"the file was measured with {row['settings']}, not with {settings}; "
                "choose another"
            )
    done = {Trial(row["seed"], row["choice"], row["size"]) for row in rows}
    return [trial for trial in wanted if trial not in done]


def measure(
    data: Photographs,
    wanted: Sequence[Trial],
    rows: Sequence[Row],
    train: Callable[[Trial, Sequence[Row]], Row],
) -> Iterator[list[Row]]:
    """Yields all rows after each training."""
    found = [*rows]
    for trial in wanted:
        found.append(train(trial, found))
        yield found


def printed(rows: Sequence[Row]) -> str:
    """Returns the mean VOC07 by number of images and choice, and each seed's."""
    lines = [f"{'images':>6}  {'random':>8}  {'active':>8}  difference by seed"]
    for size in sorted({row["size"] for row in rows}):
        by_choice = {
            choice: {
                row["seed"]: row["voc07"]
                for row in rows
                if (row["size"], row["choice"]) == (size, choice)
            }
            for choice in (RANDOM, ACTIVE)
        }
        means = [
            f"{np.mean([*some.values()]):8.3f}" if some else f"{'':>8}"
            for some in by_choice.values()
        ]
        both = sorted(by_choice[RANDOM].keys() & by_choice[ACTIVE].keys())
        differences = [
            f"{by_choice[ACTIVE][seed] - by_choice[RANDOM][seed]:+.3f}" for seed in both
        ]
        lines.append(f"{size:>6}  {'  '.join(means)}  {' '.join(differences)}".rstrip())
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--max-minutes", type=float, default=MAX_MINUTES)
    parser.add_argument("--trainings", type=int, help="only so many, then stop")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    data = Photographs(*photographs.load("fruit", arguments.photographs))
    settings = {"max_minutes": arguments.max_minutes}
    rows = measuring.read(arguments.json).get("runs", [])
    wanted = missing(trials(arguments.seeds, arguments.sizes), rows, settings)
    every = measure(
        data,
        wanted[: arguments.trainings],
        rows,
        lambda trial, before: run(data, trial, before, arguments.sizes, **settings),
    )
    for rows in every:
        last = rows[-1]
        print(
            f"seed {last['seed']}, {last['size']} images, {last['choice']}: VOC07 "
            f"{last['voc07']:.3f}, {last['epochs']} epochs, {last['minutes']:.1f} min",
            flush=True,
        )
        measuring.write(arguments.json, {"runs": rows})
    print(printed(rows))


if __name__ == "__main__":
    main()

"""Trains with the default recipe on several datasets, and reports mAP on test splits.

Each training is the line `yolov1_fo.train(train, val_samples=val, max_minutes=...)`.
The checkpoint is chosen on a tenth of the training split; the test split is evaluated
once per training. The figures are written after each training; a file that lacks some
is completed.
"""

import argparse
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring, photographs
from benchmarks.learning import PAPER_LOSS

MINUTES = {"quickstart": 5, "fruit": 12, "one-object": 8, "highway": 45, "bccd": 25}
SEEDS = {"fruit": (0, 1, 2), "one-object": (0, 1, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument(
        "--datasets", nargs="*", choices=photographs.NAMES, default=photographs.NAMES
    )
    parser.add_argument("--seeds", type=int, nargs="*")
    parser.add_argument("--max-minutes", type=float, help="of each training")
    parser.add_argument("--image-size", type=int, help="instead of the automatic one")
    parser.add_argument(
        "--paper-loss", action="store_true", help="with squared errors, to compare"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").addHandler(logging.StreamHandler())
    compared = PAPER_LOSS if arguments.paper_loss else {}
    if arguments.image_size:
        compared = {**compared, "image_size": arguments.image_size}
    wanted = [
        {
            "dataset": name,
            "seed": seed,
            "settings": {
                "max_minutes": arguments.max_minutes or MINUTES[name],
                "seed": seed,
                **compared,
            },
        }
        for name in arguments.datasets
        for seed in arguments.seeds or SEEDS.get(name, (0,))
    ]
    rows = measuring.read(arguments.json).get("runs", [])
    for one in measuring.missing(wanted, rows):
        rows.append(run(**one, folder=arguments.photographs))
        print(measuring.line(rows[-1]), flush=True)
        measuring.write(arguments.json, {"runs": rows})
    print(accuracy_table(rows))
    print()
    print(reliability_table(rows))


def accuracy_table(rows: Iterable[dict[str, Any]]) -> str:
    """Returns the figures of each dataset as a Markdown table.

    Several seeds are their mean, with the smallest and the largest VOC07 mAP.

    Args:
        rows: from `run`
    """
    lines = []
    for name, some in _by_dataset(rows).items():
        means = {
            metric: np.mean([row[metric] for row in some])
            for metric in ("voc07", "ap50", "coco_map", "recommended_thresh", "minutes")
        }
        spread = sorted(row["voc07"] for row in some)
        lines.append(
            {
                "dataset": name,
                "minutes": f"{means['minutes']:.0f}",
                "seeds": len(some),
                "VOC07 mAP@0.5": _with_spread(means["voc07"], spread),
                "AP@0.5": f"{means['ap50']:.3f}",
                "mAP@[.5:.95]": f"{means['coco_map']:.3f}",
                "recommended threshold": f"{means['recommended_thresh']:.2f}",
                "highest score": f"{max(row['highest_score'] for row in some):.2f}",
            }
        )
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


def _with_spread(mean: float, values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({values[0]:.3f} to {values[-1]:.3f})"


def reliability_table(rows: Iterable[dict[str, Any]]) -> str:
    """Returns the share of detections that are right, by confidence, as Markdown.

    Args:
        rows: from `run`
    """
    lines = []
    for name, some in _by_dataset(rows).items():
        line: dict[str, str] = {"dataset": name}
        for low in range(0, 10, 2):
            bins = [one for row in some for one in row["reliability"][low : low + 2]]
            total = sum(count for count, _ in bins)
            right = sum(count * share for count, share in bins)
            text = f"{100 * right / total:.0f} % of {total}" if total else "none"
            line[f"{low / 10:.1f} to {(low + 2) / 10:.1f}"] = text
        lines.append(line)
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


def _by_dataset(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of each dataset, in the order of `photographs.NAMES`."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in photographs.NAMES}
    for row in rows:
        found[row["dataset"]].append(row)
    return {name: some for name, some in found.items() if some}


def run(
    dataset: str, seed: int, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Trains once on a dataset."""
    samples, test = photographs.load(dataset, folder)
    train, val = samples, test
    if dataset != "quickstart":
        train, val = yolov1_fo.split(samples)
    row = {"dataset": dataset, "seed": seed, "settings": settings}
    return row | measuring.train(train, val, test, **settings)


if __name__ == "__main__":
    main()

"""Finds labels that were broken on purpose, and reports how many of the first are.

    python -m benchmarks.mistakes --photographs FOLDER --json FILE

Of the fruit photographs, 5 % of the objects are broken, a third each removed, given
another class or moved by 40 % of their size, and 2 % are invented. `find_mistakes`
trains on the broken labels, each time anew. Of the first suggestions, as many as there
are broken labels, a share is broken.

The figures are written after each seed; a file that lacks some seeds is completed.
"""

import argparse
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np

import yolov1_fo
from benchmarks import measuring, photographs
from yolov1_fo import boxes
from yolov1_fo.curation import breaking
from yolov1_fo.curation.mistake_kinds import KINDS, MISSING, SPURIOUS
from yolov1_fo.datasets import annotations, fiftyone_boxes
from yolov1_fo.evaluation.average_precision import GroundTruth

BROKEN, INVENTED = 0.05, 0.02
"""Shares of the objects."""
MIN_IOU = 0.5
"""A suggested object that overlaps a removed one by this is the removed one."""
TARGET = 0.7


class BrokenField(NamedTuple):
    """A field of broken labels.

    Attributes:
        field: its name
        kinds: kind of each broken label, by its id
        removed: boxes (R, 4) of removed objects by sample id
    """

    field: str
    kinds: dict[str, str]
    removed: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """Number of broken labels of each kind."""
        kinds = [*self.kinds.values()]
        removed = sum(map(len, self.removed.values()))
        return {**{kind: kinds.count(kind) for kind in KINDS}, MISSING: removed}


def break_field(dataset: fo.Dataset, seed: int, field: str = "broken") -> BrokenField:
    """Writes a copy of the ground truth of which some labels are broken."""
    records = annotations.read(dataset, "ground_truth")
    names = sorted({name for row in records.labels for name in row})
    objects = [
        GroundTruth(
            fiftyone_boxes.to_xyxy(some).astype(float),
            np.array([names.index(name) for name in row], int),
            np.array(ignored, bool),
        )
        for some, row, ignored in zip(
            records.bounding_boxes, records.labels, records.ignored, strict=True
        )
    ]
    count = sum(map(len, records.labels))
    third = round(BROKEN * count / 3)
    counts = {**dict.fromkeys(KINDS, third), SPURIOUS: round(INVENTED * count)}
    rng = np.random.default_rng(seed)
    made = breaking.break_labels(objects, len(names), counts, rng)
    kinds, values = {}, []
    for one, some in zip(made.objects, made.kinds, strict=True):
        sizes = one.boxes[:, 2:] - one.boxes[:, :2]
        labels = [
            fo.Detection(label=names[class_id], bounding_box=box, difficult=bool(hard))
            for class_id, box, hard in zip(
                one.class_ids,
                np.concatenate([one.boxes[:, :2], sizes], axis=1).tolist(),
                one.difficult,
                strict=True,
            )
        ]
        kinds |= {x.id: KINDS[k] for x, k in zip(labels, some, strict=True) if k >= 0}
        values.append(fo.Detections(detections=labels))
    dataset.set_values(field, values)
    return BrokenField(field, kinds, dict(zip(records.ids, made.removed, strict=True)))


def judge(
    dataset: fo.Dataset, report: yolov1_fo.MistakeReport, broken: BrokenField
) -> list[str | None]:
    """Returns which kind of broken label each suggestion has found; None for none.

    A broken label is found whichever kind of mistake is suggested, but only once.
    """
    field = report.fields.pred_field
    ids, found = (
        dataset.values(f"{field}.detections.{name}", unwind=True)
        for name in ("id", "bounding_box")
    )
    predicted = dict(zip(ids, fiftyone_boxes.to_xyxy(found), strict=True))
    left = {key: list(some) for key, some in broken.removed.items()}
    judged: list[str | None] = []
    for one in report.mistakes:
        if one.kind != MISSING:
            judged.append(broken.kinds.get(one.label_id or ""))
            continue
        some = left[one.sample_id]
        box = predicted[one.prediction_id][None]
        overlaps = boxes.evaluation_iou(box, np.reshape(some, (-1, 4)))[0]
        is_removed = overlaps.max(initial=0) >= MIN_IOU
        judged.append(MISSING if is_removed else None)
        if is_removed:
            del some[int(overlaps.argmax())]
    return judged


def table(
    report: yolov1_fo.MistakeReport, judged: list[str | None], broken: BrokenField
) -> dict[str, dict[str, int]]:
    """Returns figures of the first suggestions, as many as there are broken labels.

    Returns:
        by kind, the number of broken labels; of those that were found; of suggestions;
        and of suggestions that are broken labels
    """
    count = sum(broken.counts.values())
    suggested = [one.kind for one in report.mistakes[:count]]
    right = [
        kind
        for kind, found in zip(suggested, judged[:count], strict=True)
        if found is not None
    ]
    return {
        kind: {
            "broken": broken.counts[kind],
            "found": judged[:count].count(kind),
            "suggested": suggested.count(kind),
            "right": right.count(kind),
        }
        for kind in KINDS
    }


def run(dataset: fo.Dataset, seed: int, folds: int, **settings: Any) -> dict[str, Any]:
    """Breaks labels, searches them, and returns the figures."""
    before = _labels(dataset)
    broken = break_field(dataset, seed)
    start = time.monotonic()
    report = yolov1_fo.find_mistakes(
        dataset, gt_field=broken.field, folds=folds, min_score=0, **settings
    )
    minutes = (time.monotonic() - start) / 60
    row = figures(dataset, report, broken)
    of_model = yolov1_fo.evaluate(dataset, "out_of_fold", progress=False)
    is_same = _labels(dataset) == before
    yolov1_fo.clear_mistakes(dataset)
    dataset.delete_sample_fields([broken.field, "out_of_fold"])
    about = {
        "seed": seed,
        "folds": folds,
        "settings": settings,
        "images": len(dataset),
        "minutes": minutes,
    }
    return {**about, **row, "voc07": of_model.voc07, "ground_truth_is_same": is_same}


def _labels(dataset: fo.Dataset) -> list[Any]:
    """Returns ids, classes and boxes of the ground truth."""
    names = ("id", "label", "bounding_box")
    return dataset.values([f"ground_truth.detections.{name}" for name in names])


def figures(
    dataset: fo.Dataset, report: yolov1_fo.MistakeReport, broken: BrokenField
) -> dict[str, Any]:
    """Returns the share of the first suggestions that are broken, and a table."""
    by_kind = table(report, judge(dataset, report, broken), broken)
    count = sum(broken.counts.values())
    right = sum(row["right"] for row in by_kind.values())
    return {"broken": count, "precision": right / max(count, 1), "by_kind": by_kind}


def printed(rows: list[dict[str, Any]]) -> str:
    """Returns the mean of all breakings, and their sum by kind, as a table."""
    names = ("broken", "found", "suggested", "right")
    lines = [f"{'':<18}" + "".join(f"{name:>11}" for name in names)]
    for kind in KINDS:
        sums = [sum(row["by_kind"][kind][name] for row in rows) for name in names]
        lines.append(f"{kind:<18}" + "".join(f"{one:>11}" for one in sums))
    shares = [row["precision"] for row in rows]
    lines.append(
        f"of the first suggestions are broken: {np.mean(shares):.3f}, "
        f"from {min(shares):.3f} to {max(shares):.3f}; at least {TARGET} is the target"
    )
    return "\n".join(lines)


def missing(
    seeds: Iterable[int], rows: list[dict[str, Any]], about: dict[str, Any]
) -> list[int]:
    """Returns the seeds that are not among the rows.

    Args:
        seeds: all
        rows: from `run`
        about: what their trainings have in common

    Raises:
        ValueError: if a row was measured in another way
    """
    for row in rows:
        for name, wanted in about.items():
            if row.get(name, wanted) != wanted:
                raise ValueError(
                    f"the file was measured with {name} {row[name]}, not {wanted}; "
                    "choose another"
                )
    done = {row["seed"] for row in rows}
    return [seed for seed in seeds if seed not in done]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=range(5))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--max-minutes", type=float, help="of each training")
    parser.add_argument("--epochs", type=int, help="of each training")
    parser.add_argument("--images", type=int, help="only so many, to try it")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    dataset = photographs.fruit(arguments.photographs / "fruit")
    if arguments.images:
        dataset = dataset.shuffle(seed=0).limit(arguments.images).clone()
    named = {"max_minutes": arguments.max_minutes, "epochs": arguments.epochs}
    settings = {name: value for name, value in named.items() if value is not None}
    about = {"folds": arguments.folds, "settings": settings, "images": len(dataset)}
    rows = measuring.read(arguments.json).get("runs", [])
    for seed in missing(arguments.seeds, rows, about):
        rows.append(run(dataset, seed, arguments.folds, **settings))
        print(
            f"seed {seed}: {rows[-1]['precision']:.3f} of {rows[-1]['broken']}, out of "
            f"fold VOC07 {rows[-1]['voc07']:.3f}, {rows[-1]['minutes']:.1f} min",
            flush=True,
        )
        measuring.write(arguments.json, {"runs": rows})
    print(printed(rows))


if __name__ == "__main__":
    main()

"""Measures what tiles find: recall by the size of the objects, and the time.

    python -m benchmarks.tiles --photographs FOLDER --minutes 15 --json FILE

Sheets of 2 x 2 photographs of the test split of `highway` are images in which all
objects have half their size. One detector is that of the package, whose training
photographs show them twice as large. Two others are trained on sheets of the training
photographs, for the same time: on whole sheets, and on 2 x 2 tiles.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import fiftyone as fo
import numpy as np
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring, photographs
from yolov1_fo import images

MODEL, SHEETS = "yolov1-highway", "trained on sheets"
SIDE = 448
"""Of a photograph on a sheet, in pixels."""
TILES, TRAINED_TILES = (0, 2, 3), (0, 2)
SIZES = (0, 16, 32, 64, 10_000)
"""Limits of the size of objects, the root of their area in pixels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="of each training (none)"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    fo.config.show_progress_bars = False
    train, test = photographs.load("highway", arguments.photographs)
    with tempfile.TemporaryDirectory() as folder:
        dataset = sheets(test, Path(folder) / "test")
        model = yolov1_fo.load_model(MODEL, runtime="keras")
        rows = [measured(dataset, model, MODEL, tiles) for tiles in TILES]
        if arguments.minutes:
            learned = sheets(train, Path(folder) / "train")
            for tiles in TRAINED_TILES:
                settings = {"max_minutes": arguments.minutes, "tiles": tiles}
                run = yolov1_fo.train(
                    learned, runs_dir=folder, progress=False, **settings
                )
                name = f"trained on {tiles} x {tiles} tiles" if tiles else SHEETS
                model = yolov1_fo.load_model(run, runtime="keras")
                for used in dict.fromkeys((tiles, *TILES)):
                    rows.append(measured(dataset, model, name, used))
                    rows[-1] |= {"epochs": run.config.epochs, "S": run.config.S}
                measuring.write(arguments.json, {"model": MODEL, "runs": rows})
    measuring.write(arguments.json, {"model": MODEL, "runs": rows})
    print(table(rows))


def sheets(samples: Any, folder: Path) -> fo.Dataset:
    """Returns a dataset of sheets of four photographs each, with their objects."""
    folder.mkdir()
    dataset = fo.Dataset()
    dataset.add_samples(list(_sheets(samples, folder)), progress=False)
    return dataset


def _sheets(samples: Any, folder: Path) -> Iterator[fo.Sample]:
    found = list(samples.sort_by("filepath").iter_samples())
    for start in range(0, len(found) - 3, 4):
        sheet = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
        detections = []
        for number, sample in enumerate(found[start : start + 4]):
            x, y = number % 2, number // 2
            pixels = images.read(sample.filepath, SIDE)
            sheet[y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE] = pixels
            objects = sample.ground_truth.detections if sample.ground_truth else ()
            for one in objects:
                left, top, width, height = one.bounding_box
                box = [(x + left) / 2, (y + top) / 2, width / 2, height / 2]
                detections.append(fo.Detection(label=one.label, bounding_box=box))
        path = folder / f"{start:04d}.png"
        cv2.imwrite(str(path), sheet[..., ::-1])
        ground_truth = fo.Detections(detections=detections)
        yield fo.Sample(filepath=str(path), ground_truth=ground_truth)


def measured(dataset: fo.Dataset, model: Any, name: str, tiles: int) -> dict[str, Any]:
    """Returns recall by size at the recommended threshold, mAP, and the time."""
    field, key = f"tiles_{tiles}", f"eval_{tiles}"
    yolov1_fo.apply(dataset.limit(2), model, "warm_up", tiles=tiles, progress=False)
    start = time.monotonic()
    yolov1_fo.apply(dataset, model, field, tiles=tiles, progress=False)
    seconds = time.monotonic() - start
    dataset.delete_sample_field("warm_up")
    thresh = model.recommended_thresh
    report = yolov1_fo.evaluate(
        dataset, field, eval_key=key, confidence_thresh=thresh, progress=False
    )
    rows = dataset.values("ground_truth.detections.bounding_box")
    boxes = itertools.chain.from_iterable(rows)
    kinds = np.array(dataset.values(f"ground_truth.detections.{key}", unwind=True))
    size = 2 * SIDE * np.sqrt([width * height for _, _, width, height in boxes])
    recall = {}
    for low, high in itertools.pairwise(SIZES):
        of_size = (size >= low) & (size < high)
        found = float((kinds[of_size] == "tp").mean()) if of_size.any() else None
        recall[f"{low} to {high}"] = {"objects": int(of_size.sum()), "recall": found}
    point = report.at(thresh)
    dataset.delete_evaluation(key)
    dataset.delete_sample_field(field)
    return {
        "detector": name,
        "tiles": tiles,
        "recall_by_size": recall,
        "recall": point.recall,
        "precision": point.precision,
        "voc07": report.voc07,
        "ms_per_image": 1000 * seconds / len(dataset),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the figures as Markdown."""
    lines = []
    for row in rows:
        line = {"detector": row["detector"], "tiles": str(row["tiles"] or "none")}
        for limits, one in row["recall_by_size"].items():
            share = "" if one["recall"] is None else f"{one['recall']:.3f}"
            name = f"{limits} px".replace(f"to {SIZES[-1]} px", "px and more")
            line[f"{name} ({one['objects']})"] = share
        line["precision"] = f"{row['precision']:.3f}"
        line["VOC07 mAP@0.5"] = f"{row['voc07']:.3f}"
        each = row["ms_per_image"]
        line["ms per image"] = "" if each is None else f"{each:.0f}"
        lines.append(line)
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    main()

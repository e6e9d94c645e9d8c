"""Measures exports in 8 bits: mAP, size and speed beside those in float32.

    python -m benchmarks.int8 --photographs FOLDER --json FILE

The detector is that of the package for highways; a hundred of its training photographs
calibrate it, and the figures are of the test split.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring, photographs
from yolov1_fo import images
from yolov1_fo.networks import formats

MODEL = "yolov1-highway"
CALIBRATION = 100
BATCH = 8
ROUNDS = 15
FORMATS = ("onnx", "openvino")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    fo.config.show_progress_bars = False
    train, test = photographs.load("highway", arguments.photographs)
    model = yolov1_fo.load_model(MODEL)
    calibration = train.take(CALIBRATION, seed=0)
    paths = test.values("filepath")
    pixels = np.stack([images.read(path, model.image_size) for path in paths])
    with tempfile.TemporaryDirectory() as folder:
        runs, sizes = {}, {}
        for format in FORMATS:
            for name, given in (("float32", None), ("int8", calibration)):
                path = Path(folder) / f"{format}_{name}"
                yolov1_fo.export(model, path, format, calibration=given)
                runs[format, name] = formats.FORMATS[format].load(path)
                sizes[format, name] = size_of(path)
        rows = [
            {
                "format": format,
                "precision": name,
                "megabytes": sizes[format, name] / 1e6,
                **accuracy(test, model, run, pixels),
            }
            for (format, name), run in runs.items()
        ]
        batch = pixels[:BATCH] / np.float32(255)
        calls = {key: lambda run=run: run(batch) for key, run in runs.items()}
        times = measuring.alternate(calls, ROUNDS, warm_up=3)
    for row in rows:
        seconds = times[row["format"], row["precision"]]
        row["images_per_second"] = BATCH / float(np.median(seconds))
    measuring.write(arguments.json, {"model": MODEL, "batch": BATCH, "runs": rows})
    print(table(rows))


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of the files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def accuracy(test: Any, model: Any, run: formats.Run, pixels: Any) -> dict[str, float]:
    """Returns the mAP of an export on the test split."""
    labels = []
    for start in range(0, len(pixels), BATCH):
        batch = pixels[start : start + BATCH] / np.float32(255)
        labels += model.labels_of(run(batch)[0])
    test.set_values("export", labels)
    report = yolov1_fo.evaluate(test, "export", progress=False)
    names = ("voc07", "ap50", "coco_map")
    return {name: getattr(report, name) for name in names}


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the figures as Markdown."""
    lines = [
        {
            "format": f"`{row['format']}`",
            "precision": row["precision"].replace("int8", "INT8"),
            "VOC07 mAP@0.5": f"{row['voc07']:.3f}",
            "mAP@[.5:.95]": f"{row['coco_map']:.3f}",
            "MB": f"{row['megabytes']:.1f}",
            "images/s": f"{row['images_per_second']:.0f}",
        }
        for row in rows
    ]
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    main()

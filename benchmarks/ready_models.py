"""Trains the detectors that come with the package, in `yolov1_fo/pretrained`.

    make models PHOTOGRAPHS=FOLDER

Epochs and seeds are fixed, and TensorFlow computes in one thread: with several, sums
are rounded differently each time. The same machine with the same versions therefore
trains the same weights again; `--check` compares their digests with those of the
package. Figures are of images that are neither trained on nor used to choose the
checkpoint.
"""

import argparse
import hashlib
import json
import logging
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import fiftyone as fo
import numpy as np
import tensorflow as tf
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring, photographs
from yolov1_fo import files, images, pretrained, zoo
from yolov1_fo.publishing import model_card
from yolov1_fo.runs import checkpoint, run_json
from yolov1_fo.visualize import grid_views, sheets

PINNED_DATE = (2026, 11, 27, 0, 0, 0)
"""Of the files inside `network.keras`."""
DOCS = Path(__file__).parent.parent / "docs"
PHOTOGRAPH, PICTURE = DOCS / "highway.jpg", DOCS / "highway_detections.jpg"
"""The photograph of the README, of the test split, and its picture with detections."""
PICTURE_SIDE = 672
"""In pixels."""
LEFT_OUT = ("folder", "weights", "parent", "samples_digest", "val_digest")
"""Parts of `run.json` that are other ones in each training."""


class Ready(NamedTuple):
    """A detector of the package.

    Attributes:
        dataset: name in `photographs`
        settings: of `yolov1_fo.train`
        data: where the images come from, in Markdown
        tested: what the figures are of
    """

    dataset: str
    settings: dict[str, Any]
    data: str
    tested: str


MODELS = {
    "yolov1-highway": Ready(
        "highway",
        {"image_size": 384, "S": 24, "epochs": 20, "batch_size": 8},
        "Photographs: [Highway Object Detection](https://universe.roboflow.com/"
        "universitas-tidar/highway-object-detection), Universitas Tidar, CC BY 4.0.",
        "the validation photographs of the dataset",
    ),
    "yolov1-quickstart": Ready(
        "quickstart",
        {"epochs": 20, "batch_size": 8},
        "Scenes: `yolov1_fo.load_quickstart()`, handwritten digits (E. Alpaydin and C. "
        "Kaynak, Optical Recognition of Handwritten Digits, UCI, CC BY 4.0) on two "
        "photographs of scikit-learn (CC BY 2.0).",
        "the scenes tagged `val`",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=[*MODELS])
    parser.add_argument(
        "--check", action="store_true", help="keep the package's; compare digests"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").addHandler(logging.StreamHandler())
    fo.config.show_progress_bars = False
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rows = []
    for name in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            made = make(name, arguments.photographs, Path(folder) / name)
            row = {"model": name, **test_figures(made), "digests": digests(made)}
            if arguments.check:
                kept = digests(pretrained.ROOT / name)
                row["same as in the package"] = row["digests"] == kept
            else:
                replace(made, pretrained.ROOT / name)
                if name == "yolov1-highway":
                    draw()
        rows.append(row)
        print(tabulate([shown(row)], headers="keys"), flush=True)
    if arguments.json:
        old = measuring.read(arguments.json).get("models", [])
        kept = [row for row in old if row["model"] not in arguments.models]
        measuring.write(arguments.json, {"models": [*kept, *rows]})


def make(name: str, folder: Path, target: Path) -> Path:
    """Trains a detector and writes its checkpoint with a model card.

    Args:
        name: in `MODELS`
        folder: of the photographs
        target: folder to write
    """
    ready = MODELS[name]
    samples, test = photographs.load(ready.dataset, folder)
    train, val = split(samples)
    with tempfile.TemporaryDirectory() as runs_dir:
        result = yolov1_fo.train(
            train,
            val_samples=val,
            runs_dir=runs_dir,
            run_key=name.replace("-", "_"),
            progress=False,
            **settings(name),
        )
        model = yolov1_fo.load_model(result.checkpoint_dir)
    for variable in model.network.variables:
        values = variable.numpy()
        if values.dtype == np.float32:
            variable.assign(values.astype(np.float16))
    figures = measuring.evaluate(test, model)
    metadata = about(model.metadata, ready, figures, len(test))
    checkpoint.create(target, model.network, metadata)
    pack(target / checkpoint.NETWORK)
    files.write_text(target / "README.md", card(name, metadata))
    return target


def settings(name: str) -> dict[str, Any]:
    """Returns the settings of a detector's training that are not the recipe's."""
    return {"data": "host", "seed": 0, **MODELS[name].settings}


def card(name: str, metadata: dict[str, Any]) -> str:
    """Returns the model card: that of a published model, and the test split."""
    text = model_card.text(name, metadata)
    for zoos, ours in (
        ("import fiftyone.zoo as foz", "import yolov1_fo"),
        ("foz.load_zoo_model(", "yolov1_fo.load_model("),
    ):
        text = text.replace(zoos, ours)
    return f"{text}\n{test_section(MODELS[name], metadata)}"


def split(samples: fo.DatasetView) -> tuple[fo.DatasetView, fo.DatasetView]:
    """Returns the samples without every tenth by file name, and those."""
    ids, paths = samples.values(["id", "filepath"])
    names = (Path(path).name for path in paths)
    val = [one for _, one in sorted(zip(names, ids, strict=True))][::10]
    return samples.exclude(val), samples.select(val)


def about(
    metadata: dict[str, Any], ready: Ready, figures: dict[str, Any], images: int
) -> dict[str, Any]:
    """Returns the content of `run.json`, without what differs in each training."""
    kept = {name: part for name, part in metadata.items() if name not in LEFT_OUT}
    metrics = {k: v for k, v in metadata["metrics"].items() if k != "seconds"}
    names = ("voc07", "ap50", "coco_map", "per_class")
    test = {"images": images, **{name: figures[name] for name in names}}
    return {**kept, "dataset": ready.dataset, "metrics": metrics, "test": test}


def pack(path: Path) -> None:
    """Compresses a `.keras` file; its bytes depend on its content only."""
    with zipfile.ZipFile(path) as source:
        parts = {info.filename: source.read(info) for info in source.infolist()}
    about = json.loads(parts["metadata.json"])
    about["date_saved"] = "{}-{:02}-{:02}@{:02}:{:02}:{:02}".format(*PINNED_DATE)
    parts["metadata.json"] = json.dumps(about).encode()
    with files.atomic_file(path) as unfinished, zipfile.ZipFile(unfinished, "w") as it:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, PINNED_DATE)
            it.writestr(info, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def test_section(ready: Ready, metadata: dict[str, Any]) -> str:
    """Returns the part of the card about the test split and the data, as Markdown."""
    test = metadata["test"]
    rows = [
        ("VOC07 mAP@0.5", test["voc07"]),
        ("AP@0.5", test["ap50"]),
        ("mAP@[.5:.95]", test["coco_map"]),
        *(
            (f"VOC07 AP@0.5 of {model_card.plain(name)}", value)
            for name, value in test["per_class"].items()
        ),
    ]
    table = tabulate(
        [(name, f"{value:.3f}") for name, value in rows],
        headers=("metric", "value"),
        tablefmt="github",
        disable_numparse=True,
    )
    return (
        "## Metrics on other images\n\n"
        f"Of {test['images']} images that are neither in the training nor in the "
        f"validation split: {ready.tested}.\n\n{table}\n\n"
        f"## Sources\n\n{ready.data} The weights: Apache-2.0.\n"
    )


def test_figures(folder: Path) -> dict[str, Any]:
    """Returns the figures of a model on images it was not trained on."""
    metadata = run_json.read_json(folder / checkpoint.METADATA)
    thresh = metadata["operating_point"]["thresh"]
    size = (folder / checkpoint.NETWORK).stat().st_size
    return {**metadata["test"], "recommended_thresh": thresh, "size_bytes": size}


def digests(folder: Path) -> dict[str, str]:
    """Returns the sha256 of each file of a model."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def replace(source: Path, target: Path) -> None:
    """Puts a model into the package, and its size into the zoo's manifest."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    manifest = json.loads(zoo.MANIFEST.read_text())
    for entry in manifest["models"]:
        if entry["base_name"] == target.name:
            entry["size_bytes"] = (target / checkpoint.NETWORK).stat().st_size
    files.write_text(zoo.MANIFEST, json.dumps(manifest, indent=2) + "\n")


def draw() -> None:
    """Draws what the highway model detects in the photograph of the README."""
    model = yolov1_fo.load_model("yolov1-highway")
    model.config.confidence_thresh = model.recommended_thresh
    image = images.read(PHOTOGRAPH)
    [found] = model.detected(model.forward(model.prepared([image])))
    size = (PICTURE_SIDE, PICTURE_SIDE)
    picture = grid_views.detections(cv2.resize(image, size), *found, model.classes)
    PICTURE.write_bytes(sheets.to_jpeg(picture))


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of a model that are printed."""
    left_out = ("per_class", "digests")
    digest = row["digests"][checkpoint.NETWORK][:12]
    return {k: v for k, v in row.items() if k not in left_out} | {"sha256": digest}


if __name__ == "__main__":
    main()

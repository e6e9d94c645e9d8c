"""Makes such an archive with today's code: `python -m tests.stored.make ARCHIVE`."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sandbox
from tests import micro, painting
from tests.stored import DATASET, HOME, NETWORKS, TEXTS

SETTINGS = {**micro.SETTINGS, "network": "stored"}


def main() -> int:
    """Fills the sandbox, and packs it into the archive."""
    home = sandbox.home()
    (home / "images").mkdir()
    _fill(home)
    (home / "database.json").write_text(_dumped())
    _pack(home, Path(sys.argv[1]))
    return 0


def _fill(home: Path) -> None:
    """Trains, stops, predicts, evaluates and publishes, as a user would."""
    import fiftyone as fo

    import yolov1_fo
    from yolov1_fo import architectures
    from yolov1_fo.config import NetworkConfig
    from yolov1_fo.jobs import launch, monitor
    from yolov1_fo.networks import build

    architectures.NETWORKS.update(NETWORKS)
    dataset = fo.Dataset(DATASET, persistent=True)
    painting.add(dataset, painting.paint(home / "images"))
    for sample in dataset:
        objects = sample.ground_truth.detections
        sample["color"] = fo.Classification(
            label=objects[0].label if objects else "red"
        )
        sample.save()
    train, val = dataset.match_tags("train"), dataset.match_tags("val")

    # 1. A classifier, a finished run and a stopped run.
    yolov1_fo.pretrain(
        train,
        label_field="color",
        val_samples=val,
        run_key="classifier",
        epochs=1,
        **SETTINGS,
    )
    run = yolov1_fo.train(
        train, val_samples=val, run_key="finished", epochs=2, **SETTINGS
    )

    def stop(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    try:
        yolov1_fo.train(
            train,
            val_samples=val,
            run_key="stopped",
            epochs=4,
            on_epoch=stop,
            **SETTINGS,
        )
    except KeyboardInterrupt:
        print("stopped after epoch 2 of 4")

    # 2. Predictions: shifted ground truth, so that the evaluation is not trivial.
    for sample in dataset:
        found = [
            fo.Detection(
                label=one.label,
                confidence=0.9 - 0.1 * number,
                bounding_box=[one.bounding_box[0] + 0.02, *one.bounding_box[1:]],
            )
            for number, one in enumerate(sample.ground_truth.detections)
        ]
        sample["predictions"] = fo.Detections(detections=found)
        sample.save()

    # 3. An evaluation with each of our methods, and one by a job.
    yolov1_fo.evaluate(val, "predictions", eval_key="ours")
    dataset.evaluate_detections(
        "predictions",
        gt_field="ground_truth",
        eval_key="voc",
        method=yolov1_fo.VOCEvaluationConfig,
        progress=False,
    )
    job = launch.evaluate(val, "predictions", "ground_truth", "by_job")
    *_, job = monitor.updates(job, 0.1)
    if job.progress.state != "finished":
        raise RuntimeError(job.log())

    # 4. A published model with its detections; a network of our registered layers.
    yolov1_fo.publish(run.checkpoint_dir, "stored-model")
    model = yolov1_fo.load_model("stored-model")
    yolov1_fo.apply(dataset, model, label_field="found", progress=False)
    net = build.detector(NetworkConfig(network="stored-local", image_size=64, S=3, C=2))
    net.save(home / "layers.keras")
    pixels = np.random.default_rng(5).random((1, 64, 64, 3), np.float32)
    np.savez_compressed(home / "layers.npz", pixels=pixels, output=net(pixels))


def _dumped() -> str:
    """Returns the documents in FiftyOne's database as JSON."""
    import fiftyone.core.odm as foo
    from bson import json_util

    database = foo.get_db_conn()
    held: dict[str, Any] = {
        name: list(database[name].find())
        for name in sorted(database.list_collection_names())
        if name != "config"
    }
    filled = {name: documents for name, documents in held.items() if documents}
    return json_util.dumps(filled, json_options=json_util.CANONICAL_JSON_OPTIONS)


def _pack(home: Path, archive: Path) -> None:
    """Packs all but what can be made again, with the folder's name replaced."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(home.rglob("*")):
            name = path.relative_to(home)
            left_out = {"db", "pid", "port", "images", "pixels"} & set(name.parts)
            if path.is_dir() or left_out:
                continue
            data = path.read_bytes()
            if path.suffix in TEXTS:
                data = data.replace(str(home).encode(), HOME.encode())
            packed.writestr(str(name), data)


if __name__ == "__main__":
    sandbox.enter(main)

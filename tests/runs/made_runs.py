"""Runs as a training leaves them, made without training."""

import json
from dataclasses import asdict

from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import checkpoint, folders, ownership, records, registry


def make_run(
    dataset,
    run_key="one",
    status="finished",
    folder=None,
    classes=(),
    settings=None,
    **changes,
):
    """Makes a run with a checkpoint, which no network can be loaded from.

    Args:
        dataset: that it belongs to
        run_key ("one"): its name
        status ("finished"): of the run
        folder (None): of its files, FiftyOne's by default
        classes (none): of the checkpoint
        settings (None): of the checkpoint
        **changes: parts of the run's record

    Returns:
        its folder
    """
    folder = folder or folders.run_folder(dataset, run_key)
    parts = {
        "folder": str(folder),
        "settings": asdict(TrainConfig(epochs=3)),
        "data": "host",
        "val_images": 0,
    }
    registry.register(dataset, run_key, **parts)
    with checkpoint.writing(folder, 1, best=True) as unfinished:
        (unfinished / checkpoint.NETWORK).write_bytes(b"weights")
        metadata = {
            "format": 1,
            "run_key": run_key,
            "classes": list(classes),
            "settings": settings or {},
        }
        (unfinished / checkpoint.METADATA).write_text(json.dumps(metadata))
    records.update(dataset, run_key, status=status, epoch=1, **changes)
    return folder


def make_old_run(dataset, run_key="one"):
    """The same as an older version made it, which wrote no owner into the folder."""
    folder = make_run(dataset, run_key)
    (folder / ownership.OWNER).unlink()
    (folder / ".lock").touch()
    record = dataset._doc.runs[run_key]
    record.config = {k: v for k, v in record.config.items() if k != "run_key"}
    record.save()
    dataset.reload()
    return folder


def paths_in(folder):
    """Returns all files and folders in a folder."""
    return sorted(folder.rglob("*"))

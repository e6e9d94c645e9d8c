"""A disk that is full: one line, nothing half-written, and it goes on afterwards.

The system's limit on a file's size stands for the disk: whoever writes beyond it gets
an error of the same kind.
"""

import contextlib
import csv
import errno
import logging

import numpy as np
import pytest

import yolov1_fo
from yolov1_fo import files
from yolov1_fo.datasets import error_lines
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.pipeline import image_cache
from yolov1_fo.runs import folders, history, records

resource = pytest.importorskip("resource", reason="Windows has no such limit")


@contextlib.contextmanager
def full(size):
    """Lets no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class FullCsv:
    """Takes the place of `csv` on a full disk."""

    @staticmethod
    def writer(_):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.slow
def test_a_training_whose_disk_is_full_goes_on_when_there_is_room(
    painted, micro, monkeypatch
):
    folder = folders.run_folder(painted, "one")
    stack = contextlib.ExitStack()

    def fill(epoch, _):
        if epoch == 1:
            stack.enter_context(full(10_000))

    # 1. The second checkpoint does not fit.
    line = r"epoch_0002' can't be written: "
    with stack, pytest.raises(OSError, match=line):
        yolov1_fo.train(painted, run_key="one", epochs=3, on_epoch=fill, **micro)
    assert records.info(painted, "one").status == "failed"
    assert "epoch_0002" in records.info(painted, "one").error
    assert [one.name for one in folder.glob("epoch_*")] == ["epoch_0001"]
    assert files.find_unfinished(folder) == []

    # 2. It does, but the curves don't.
    monkeypatch.setattr(history, "csv", FullCsv)
    with pytest.raises(OSError, match=r"log.csv' can't be written: .*No space left"):
        yolov1_fo.train(painted, resume="one", progress=False)
    assert records.info(painted, "one").status == "failed"
    monkeypatch.setattr(history, "csv", csv)

    # 3. There is room.
    result = yolov1_fo.train(painted, resume="one", progress=False)
    assert records.info(painted, "one").status == "finished"
    assert len(result.history["loss"]) == 3
    with (folder / "log.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_decoded_images_stay_in_memory_when_the_disk_is_full(
    painted_files, tmp_path, caplog
):
    paths = [str(one["path"]) for one in painted_files]
    with full(10_000), caplog.at_level(logging.WARNING):
        kept, bad, _ = image_cache.load(paths, 32, tmp_path, limit=1e9)
    assert (kept.shape, bad) == ((8, 32, 32, 3), {})
    assert "images stay in memory" in caplog.text
    assert DiskCache(tmp_path, 1e9).disk_usage() == 0
    again = image_cache.load(paths, 32, tmp_path, limit=1e9).pixels
    np.testing.assert_array_equal(kept, again)


def test_a_model_published_on_a_full_disk_leaves_what_was_there(
    checkpoint_dir, zoo_dir
):
    yolov1_fo.publish(checkpoint_dir, "first")
    before = sorted(path for path in zoo_dir.rglob("*") if path.is_file())
    with full(10_000), pytest.raises(OSError, match="can't be written"):
        yolov1_fo.publish(checkpoint_dir, "second")
    after = sorted(path for path in zoo_dir.rglob("*") if path.is_file())
    assert [one for one in after if one.suffix != ".lock"] == [
        one for one in before if one.suffix != ".lock"
    ]
    assert yolov1_fo.load_model("first").classes == ["blue", "red"]


def test_a_full_disk_is_no_small_memory():
    error = type("ResourceExhaustedError", (Exception,), {})(
        "x; No space left on device"
    )
    assert not error_lines.is_out_of_memory(error)

"""Losing the database connection: a one-line error, and finished work is kept."""

import atexit
import json
import os
import subprocess
import sys

import fiftyone.core.odm.database as odm
import pymongo.errors
import pytest

from tests import mongod
from yolov1_fo.datasets import connection
from yolov1_fo.runs import folders, records
from yolov1_fo.training import detector


def lost():
    """Returns a new error each time, because an error keeps its traceback."""
    return pymongo.errors.AutoReconnect("connection closed")


def raises(error, times=1000):
    """Returns a function that fails some times, then returns its argument."""
    left = iter(range(times))

    def ask(value=None):
        if next(left, None) is not None:
            raise error
        return value

    return ask


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (lost(), "does not answer; start it"),
        (pymongo.errors.ServerSelectionTimeoutError("none"), "does not answer"),
        (ConnectionError("Could not connect to `mongod`"), "does not answer"),
        (pymongo.errors.OperationFailure("disk is full"), "failed: disk is full"),
    ],
)
def test_a_database_error_becomes_one_line(error, line):
    with pytest.raises(OSError, match=line) as caught, connection.one_line_errors():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [BrokenPipeError("pipe"), ValueError("no"), KeyError])
def test_other_errors_are_not_changed(error):
    with pytest.raises(error if isinstance(error, type) else type(error)):
        connection.one_line_errors()(raises(error))()


def test_a_query_is_retried_once():
    assert connection.retry_once(raises(lost(), 1))(7) == 7
    with pytest.raises(pymongo.errors.AutoReconnect):
        connection.retry_once(raises(lost(), 2))(7)
    with pytest.raises(ValueError, match="no"):
        connection.retry_once(raises(ValueError("no"), 1))(7)


def test_a_process_does_not_wait_at_exit_for_an_unreachable_database(monkeypatch):
    unregistered = []
    monkeypatch.setattr(connection, "SHORT_TIMEOUT", 0.2)
    monkeypatch.setattr(atexit, "unregister", unregistered.append)
    connection.avoid_exit_delay()
    assert unregistered == []
    unreachable = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"
    with pymongo.MongoClient(unreachable) as client:
        monkeypatch.setattr(odm, "_client", client)
        connection.avoid_exit_delay()
    assert unregistered == [odm._delete_non_persistent_datasets_if_allowed]


@pytest.mark.slow
def test_a_run_reports_its_error_when_its_status_cannot_be_written(
    painted, micro, monkeypatch, caplog
):
    def save(dataset, run_key, history):
        monkeypatch.setattr(records, "update", lambda *_, **__: raises(lost())())
        raise lost()

    monkeypatch.setattr(records, "save_curves", save)
    with pytest.raises(OSError, match="does not answer") as caught:
        detector.train(painted, run_key="cut", epochs=2, **micro)
    assert isinstance(caught.value.__cause__, pymongo.errors.AutoReconnect)
    assert "the status of run 'cut' can't be updated" in caplog.text
    folder = folders.run_folder(painted, "cut")
    assert (folder / "last").read_text() == "epoch_0001\n"
    assert (folder / "epoch_0001" / "state").is_dir()


DIES = """
import contextlib, io, json, sys
from pathlib import Path

import fiftyone as fo
from tests import mongod
from tests.micro import MICRO
from yolov1_fo import architectures
from yolov1_fo.training.run_writer import RunWriter
from yolov1_fo.cli import main
from yolov1_fo.datasets import connection
from yolov1_fo.evaluation import evaluator
from yolov1_fo.datasets import bulk_writer, output_fields
from yolov1_fo.runs import folders, records

folder, port = Path(sys.argv[1]), int(sys.argv[2])
server = [mongod.start(folder, port)]
architectures.NETWORKS["micro"] = MICRO
bulk_writer.WRITE_EVERY, connection.SHORT_TIMEOUT = 1, 0.5
dataset = fo.Dataset("data", persistent=True)
box = fo.Detection(label="thing", bounding_box=[0.2, 0.2, 0.5, 0.5])
for file in sys.argv[3:]:
    truth = fo.Detections(detections=[box.copy()])
    dataset.add_sample(fo.Sample(file, ground_truth=truth))
SETTINGS = "--network micro --image-size 32 --S 2 --batch-size 2 --epochs 2"


def dying(owner, name, before=False):
    # Stops the database when a function is first called; it is restarted later.
    real = getattr(owner, name)

    def dies(*args, **kwargs):
        setattr(owner, name, real)
        value = None if before else real(*args, **kwargs)
        server[0].terminate()
        server[0].wait()
        return real(*args, **kwargs) if before else value

    setattr(owner, name, dies)


def called(line):
    # Returns the exit code and the text on stderr; the database runs again.
    output = io.StringIO()
    with contextlib.redirect_stderr(output):
        code = main.main(line.split())
    if server[0].poll() is not None:
        server[0] = mongod.start(folder, port)
    return code, output.getvalue()


dying(RunWriter, "save")
trained = called(f"train data --all --no-val --run-key one {SETTINGS}")
last = (folders.run_folder(dataset, "one") / "last").read_text()
resumed = called("train data --all --no-val --resume one")
status = records.info(dataset, "one").status
dying(output_fields.OutputField, "flush")
applied = called("apply data one --batch-size 1")
dataset.reload()
count = len(dataset.exists("predictions"))
again = called("apply data one")
dying(evaluator.Evaluation, "write", before=True)
evaluated = called("evaluate data predictions --eval-key one")
once_more = called("evaluate data predictions --eval-key one")
server[0].kill()
print(json.dumps([trained, last, resumed, status, applied, count, again, evaluated]))
print(json.dumps(once_more))
"""


@pytest.mark.slow
def test_each_command_survives_a_lost_database(painted_files, tmp_path):
    port = mongod.free_port()
    address = f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=1000"
    files = [str(one["path"]) for one in painted_files]
    own = {"FIFTYONE_DATABASE_URI": address, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "log").open("w+") as log:
        done = subprocess.run(
            [sys.executable, "-c", DIES, tmp_path / "db", str(port), *files],
            env=os.environ | own,
            stdout=log,
            stderr=log,
            check=False,
        )
        log.seek(0)
        output = log.read()
    assert done.returncode == 0, output
    parts, last = (json.loads(line) for line in output.splitlines()[-2:])
    trained, at, resumed, status, applied, count, again, evaluated = parts
    line = (
        f"yolov1-fo: FiftyOne's MongoDB server '127.0.0.1:{port}' does not answer; "
        "start it, or unset FIFTYONE_DATABASE_URI\n"
    )
    assert trained == applied == evaluated == [2, line]
    assert at == "epoch_0001\n"
    assert [resumed, again, last] == [[0, ""]] * 3
    assert status == "finished"
    assert count == 1  # written before the failure
    assert "Traceback" not in output

"""A database that goes away: one line, and what was done stays."""

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
from yolov1_fo.runs import registry
from yolov1_fo.training import detector


def gone():
    """Returns a new one each time: an error keeps the frames that it came through."""
    return pymongo.errors.AutoReconnect("connection closed")


def raises(error, times=1000):
    """Returns a function that fails so often, then says what it was given."""
    left = iter(range(times))

    def ask(value=None):
        if next(left, None) is not None:
            raise error
        return value

    return ask


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (gone(), "does not answer; start it"),
        (pymongo.errors.ServerSelectionTimeoutError("none"), "does not answer"),
        (ConnectionError("Could not connect to `mongod`"), "does not answer"),
        (pymongo.errors.OperationFailure("disk is full"), "failed: disk is full"),
    ],
)
def test_an_error_of_the_database_becomes_one_line(error, line):
    with pytest.raises(OSError, match=line) as caught, connection.answering():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [BrokenPipeError("pipe"), ValueError("no"), KeyError])
def test_errors_of_others_stay_what_they_are(error):
    with pytest.raises(error if isinstance(error, type) else type(error)):
        connection.answering()(raises(error))()


def test_what_may_be_repeated_is_asked_again_once():
    assert connection.patient(raises(gone(), 1))(7) == 7
    with pytest.raises(pymongo.errors.AutoReconnect):
        connection.patient(raises(gone(), 2))(7)
    with pytest.raises(ValueError, match="no"):
        connection.patient(raises(ValueError("no"), 1))(7)


def test_the_end_of_a_process_does_not_wait_for_a_database_that_is_away(monkeypatch):
    let_go = []
    monkeypatch.setattr(connection, "BRIEF", 0.2)
    monkeypatch.setattr(atexit, "unregister", let_go.append)
    connection.let_go()
    assert let_go == []
    away = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"
    with pymongo.MongoClient(away) as client:
        monkeypatch.setattr(odm, "_client", client)
        connection.let_go()
    assert let_go == [odm._delete_non_persistent_datasets_if_allowed]


def test_a_run_whose_end_can_t_be_written_says_why_it_ended(
    painted, micro, monkeypatch, caplog
):
    def save(dataset, run_key, history):
        monkeypatch.setattr(registry, "update", lambda *_, **__: raises(gone())())
        raise gone()

    monkeypatch.setattr(registry, "save_curves", save)
    with pytest.raises(OSError, match="does not answer") as caught:
        detector.train(painted, run_key="cut", epochs=2, **micro)
    assert isinstance(caught.value.__cause__, pymongo.errors.AutoReconnect)
    assert "run 'cut' can't be marked as it ended" in caplog.text
    folder = registry.folder(painted, "cut")
    assert (folder / "last").read_text() == "epoch_0001\n"
    assert (folder / "epoch_0001" / "state").is_dir()


DIES = """
import contextlib, io, json, sys
from pathlib import Path

import fiftyone as fo
from tests import mongod
from tests.micro import MICRO
from yolov1_fo import architectures
from yolov1_fo.training import callbacks
from yolov1_fo.cli import main
from yolov1_fo.datasets import connection
from yolov1_fo.evaluation import evaluator
from yolov1_fo.datasets import output_fields
from yolov1_fo.runs import registry

folder, port = Path(sys.argv[1]), int(sys.argv[2])
server = [mongod.start(folder, port)]
architectures.NETWORKS["micro"] = MICRO
output_fields.WRITE_EVERY, connection.BRIEF = 1, 0.5
dataset = fo.Dataset("data", persistent=True)
box = fo.Detection(label="thing", bounding_box=[0.2, 0.2, 0.5, 0.5])
for file in sys.argv[3:]:
    truth = fo.Detections(detections=[box.copy()])
    dataset.add_sample(fo.Sample(file, ground_truth=truth))
SETTINGS = "--network micro --image-size 32 --S 2 --batch-size 2 --epochs 2"


def dying(owner, name, before=False):
    # The database dies when a function is called first; another takes its place later.
    real = getattr(owner, name)

    def dies(*args, **kwargs):
        setattr(owner, name, real)
        value = None if before else real(*args, **kwargs)
        server[0].terminate()
        server[0].wait()
        return real(*args, **kwargs) if before else value

    setattr(owner, name, dies)


def called(line):
    # Returns the exit code, and what stood on stderr; the database is there again.
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main.main(line.split())
    if server[0].poll() is not None:
        server[0] = mongod.start(folder, port)
    return code, said.getvalue()


dying(callbacks.EndOfEpoch, "_save")
trained = called(f"train data --all --no-val --run-key one {SETTINGS}")
last = (registry.folder(dataset, "one") / "last").read_text()
resumed = called("train data --all --no-val --resume one")
status = registry.info(dataset, "one").status
dying(output_fields.Output, "flush")
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
def test_each_command_outlives_a_database_that_dies_meanwhile(painted_files, tmp_path):
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
        said = log.read()
    assert done.returncode == 0, said
    parts, last = (json.loads(line) for line in said.splitlines()[-2:])
    trained, at, resumed, status, applied, count, again, evaluated = parts
    line = (
        f"yolov1-fo: FiftyOne's MongoDB server '127.0.0.1:{port}' does not answer; "
        "start it, or unset FIFTYONE_DATABASE_URI\n"
    )
    assert trained == applied == evaluated == [2, line]
    assert at == "epoch_0001\n"
    assert [resumed, again, last] == [[0, ""]] * 3
    assert status == "finished"
    assert count == 1  # what was written before
    assert "Traceback" not in said

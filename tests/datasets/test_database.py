"""A database that goes away while a job runs, and comes back; in processes apart."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests import mongod
from yolov1_fo.jobs import control

pytestmark = pytest.mark.slow

SETTINGS = {
    "network": "yolov1-efficientnet-lite0",
    "pretrained": False,
    "image_size": 32,
    "S": 2,
    "head_filters": 8,
    "batch_size": 2,
    "optimizer": "adam",
    "schedule": "constant",
    "learning_rate": 1e-3,
}

BEGIN = """
import sys, json
import fiftyone as fo
from yolov1_fo.jobs import launch

files, settings = json.loads(sys.argv[1])
dataset = fo.Dataset("lasting", persistent=True)
box = fo.Detection(label="thing", bounding_box=[0.2, 0.2, 0.5, 0.5])
dataset.add_samples(
    [fo.Sample(filepath=f, ground_truth=fo.Detections(detections=[box])) for f in files]
)
job = launch.train(dataset, "ground_truth", None, "one", settings)
print(job.folder)
"""

RESUME = """
import fiftyone as fo
from yolov1_fo.jobs import control, launch
from yolov1_fo.runs import registry

dataset = fo.load_dataset("lasting")
began = registry.info(dataset, "one").epoch
for job in control.follow(launch.resume(dataset, "one"), 0.1):
    if job.progress.label.startswith(f"epoch {began + 2} "):
        break
if not job.progress.is_active:
    raise SystemExit(job.log(50))
control.stop(job)
*_, job = control.follow(job, 0.1)
print(began, job.progress.state)
"""


class Server:
    """A database that can be stopped and started."""

    def __init__(self, folder):
        self.folder, self.port = folder, mongod.free_port()
        patience = "serverSelectionTimeoutMS=12000"  # FiftyOne's clients wait for 30 s
        self.address = f"mongodb://127.0.0.1:{self.port}/?{patience}"
        self.start()

    def start(self):
        self.process = mongod.start(self.folder, self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "db")
    yield server
    server.stop()


def run(variables, script, *arguments):
    """Runs a script in another environment; returns what it printed last."""
    environment = {**os.environ, **variables}
    with tempfile.TemporaryFile("w+") as said:  # a pipe would wait for servers, too
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env={k: v for k, v in environment.items() if v is not None},
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said.seek(0)
        lines = said.read().splitlines()
    assert done.returncode == 0, lines
    return lines[-1]


def reached(folder, label, within=120):
    """Waits until a job says so; returns it."""
    deadline = time.monotonic() + within
    while not (now := control.find(folder)).progress.label.startswith(label):
        assert time.monotonic() < deadline, now
        assert now.progress.is_active, now.log(50)
        time.sleep(0.1)
    return now


def test_a_job_outlives_a_database_that_comes_back(server, painted_files):
    files = [str(one["path"]) for one in painted_files]
    told = json.dumps([files, {**SETTINGS, "epochs": 2000}])
    own = {"FIFTYONE_DATABASE_URI": server.address}
    folder = Path(run(own, BEGIN, told))

    # 1. It is away for a moment: the training waits, and goes on.
    reached(folder, "epoch 3 ")
    server.stop()
    time.sleep(3)
    server.start()
    now = control.find(folder)
    epoch = int(now.progress.label.split()[1])
    reached(folder, f"epoch {epoch + 2} ")

    # 2. It stays away: the training fails with one line, and keeps its checkpoint.
    server.stop()
    deadline = time.monotonic() + 240
    while (now := control.find(folder)).progress.is_active:
        assert time.monotonic() < deadline, now
        time.sleep(0.5)
    assert now.progress.state == "failed"
    assert now.progress.label == (
        f"FiftyOne's MongoDB server '127.0.0.1:{server.port}' does not answer; start "
        "it, or unset FIFTYONE_DATABASE_URI"
    )

    # 3. It is back: the training goes on from there.
    server.start()
    began, state = run(own, RESUME).split()
    assert int(began) >= epoch
    assert state == "stopped"


EMBEDDED = """
import fiftyone as fo
import fiftyone.core.odm as foo

client = foo.get_db_conn().client
print(client.admin.command("getCmdLineOpts")["parsed"]["storage"]["dbPath"])
"""


def test_the_embedded_database_lives_as_long_as_the_job(painted_files, tmp_path):
    """The process that starts the job, and with it FiftyOne's server, is long gone."""
    own = {"FIFTYONE_DATABASE_URI": None, "FIFTYONE_DATABASE_DIR": str(tmp_path / "db")}
    there = run(own, EMBEDDED)
    if there != str(tmp_path / "db"):
        pytest.skip(f"another embedded database runs on this machine, in {there}")
    files = [str(one["path"]) for one in painted_files]
    told = json.dumps([files, {**SETTINGS, "epochs": 20}])
    folder = Path(run(own, BEGIN, told))
    assert control.find(folder).progress.state == "running"
    reached(folder, "finished", within=180)
    ask = "import fiftyone as fo; d = fo.load_dataset('lasting'); "
    asked = (
        "from yolov1_fo.runs import records; "
        "print(records.info(d, 'one').status); d.delete()"
    )
    assert run(own, ask + asked) == "finished"

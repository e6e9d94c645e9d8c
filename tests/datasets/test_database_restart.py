"""Jobs, in separate processes, while the database is stopped and restarted."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests import mongod
from yolov1_fo.jobs import monitor

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
from yolov1_fo.jobs import launch, monitor
from yolov1_fo.runs import records

dataset = fo.load_dataset("lasting")
began = records.info(dataset, "one").epoch
for job in monitor.updates(launch.resume(dataset, "one"), 0.1):
    if job.progress.label.startswith(f"epoch {began + 2} "):
        break
if not job.progress.is_active:
    raise SystemExit(job.log(50))
monitor.stop(job)
*_, job = monitor.updates(job, 0.1)
print(began, job.progress.state)
"""


class Server:
    """A database that can be stopped and started."""

    def __init__(self, folder):
        self.folder, self.port = folder, mongod.free_port()
        timeout = "serverSelectionTimeoutMS=12000"  # FiftyOne's clients wait for 30 s
        self.address = f"mongodb://127.0.0.1:{self.port}/?{timeout}"
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
    """Runs a script in another environment; returns the last line it printed."""
    environment = {**os.environ, **variables}
    with tempfile.TemporaryFile("w+") as output:  # a pipe would wait for servers, too
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env={k: v for k, v in environment.items() if v is not None},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        lines = output.read().splitlines()
    assert done.returncode == 0, lines
    return lines[-1]


def reached(folder, label, within=120):
    """Waits until a job's label starts with a text; returns the job."""
    deadline = time.monotonic() + within
    while not (now := monitor.find(folder)).progress.label.startswith(label):
        assert time.monotonic() < deadline, now
        assert now.progress.is_active, now.log(50)
        time.sleep(0.1)
    return now


def test_a_job_survives_a_restart_of_the_database(server, painted_files):
    files = [str(one["path"]) for one in painted_files]
    settings = json.dumps([files, {**SETTINGS, "epochs": 2000}])
    own = {"FIFTYONE_DATABASE_URI": server.address}
    folder = Path(run(own, BEGIN, settings))

    # 1. After a short interruption, the training continues.
    reached(folder, "epoch 3 ")
    server.stop()
    time.sleep(3)
    server.start()
    now = monitor.find(folder)
    epoch = int(now.progress.label.split()[1])
    reached(folder, f"epoch {epoch + 2} ")

    # 2. If it is not restarted, the training fails with one line and a checkpoint.
    server.stop()
    deadline = time.monotonic() + 240
    while (now := monitor.find(folder)).progress.is_active:
        assert time.monotonic() < deadline, now
        time.sleep(0.5)
    assert now.progress.state == "failed"
    assert now.progress.label == (
        f"FiftyOne's MongoDB server '127.0.0.1:{server.port}' does not answer; start "
        "it, or unset FIFTYONE_DATABASE_URI"
    )

    # 3. After a restart, the training resumes from there.
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


def test_the_embedded_database_runs_as_long_as_the_job(painted_files, tmp_path):
    """The process that started the job, and FiftyOne's server with it, has ended."""
    own = {"FIFTYONE_DATABASE_URI": None, "FIFTYONE_DATABASE_DIR": str(tmp_path / "db")}
    there = run(own, EMBEDDED)
    if there != str(tmp_path / "db"):
        pytest.skip(f"another embedded database runs on this machine, in {there}")
    files = [str(one["path"]) for one in painted_files]
    settings = json.dumps([files, {**SETTINGS, "epochs": 20}])
    folder = Path(run(own, BEGIN, settings))
    assert monitor.find(folder).progress.is_active
    reached(folder, "finished", within=180)
    ask = "import fiftyone as fo; d = fo.load_dataset('lasting'); "
    asked = (
        "from yolov1_fo.runs import records; "
        "print(records.info(d, 'one').status); d.delete()"
    )
    assert run(own, ask + asked) == "finished"

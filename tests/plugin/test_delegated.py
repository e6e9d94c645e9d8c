"""Delegated operations: scheduled with the App's API, executed by another process."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import fiftyone as fo
import psutil
import pytest
from bson import ObjectId
from fiftyone.operators.delegated import DelegatedOperationService

from tests.plugin.conftest import NAME, SETTINGS
from yolov1_fo.jobs import monitor
from yolov1_fo.runs import records, registry

pytestmark = pytest.mark.slow


@pytest.fixture
def schedule(dataset, monkeypatch):
    """Returns a function that schedules an operator as the App does."""
    monkeypatch.setattr(fo.config, "allow_legacy_orchestrators", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of these libraries
        from fiftyone.server.app import app
        from starlette.testclient import TestClient

        client = TestClient(app)

    def ask(name, **params):
        answer = client.post(
            "/operators/execute",
            json={
                "operator_uri": f"{NAME}/{name}",
                "dataset_name": dataset.name,
                "dataset_id": str(dataset._doc.id),
                "view": [],
                "params": params,
                "request_delegation": True,
            },
        ).json()
        assert answer.get("delegated"), answer
        return answer["result"]["id"]["$oid"]

    return ask


@pytest.fixture
def orchestrator(request):
    """`fiftyone delegated launch` in another process."""
    fiftyone = Path(sys.executable).with_name("fiftyone")
    process = subprocess.Popen(
        [
            fiftyone,
            "delegated",
            "launch",
            "-t",
            "local",
            *getattr(request, "param", ()),
        ],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS": "true"},
    )
    yield process
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        one.kill()
    process.wait()


def operation(operation_id):
    return DelegatedOperationService().get(ObjectId(operation_id))


def wait_for(condition, timeout=120):
    """Waits until a condition is true; returns its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.2)
    return value


def test_delegated_train_and_apply(dataset, schedule, orchestrator):
    given = {"gt_field": "ground_truth", "split": "none", "run_key": "one"}
    training = schedule("train_model", **given, **SETTINGS, epochs=30)
    seen = wait_for(lambda: (now := operation(training).status) and now.progress)
    assert 0 <= seen <= 1
    wait_for(lambda: operation(training).run_state in ("completed", "failed"))
    done = operation(training)
    assert done.run_state == "completed", done.result
    assert done.status.label == "finished"
    dataset.reload()
    assert records.info(dataset, "one").status == "finished"
    applying = schedule("apply_model", model="one", label_field="found", batch_size=4)
    wait_for(lambda: operation(applying).run_state in ("completed", "failed"))
    assert operation(applying).run_state == "completed"
    dataset.reload()
    assert len(dataset.exists("found")) == 8


@pytest.mark.parametrize(
    "orchestrator", [(), ("--monitor",)], indirect=True, ids=["launch", "monitor"]
)
def test_marking_as_failed_stops_the_job_and_keeps_the_last_epoch(
    dataset, schedule, orchestrator
):
    given = {"gt_field": "ground_truth", "split": "none", "run_key": "one"}
    training = schedule("train_model", **given, **SETTINGS, epochs=2000)
    wait_for(
        lambda: [j for j in monitor.list_jobs(dataset) if "epoch 3" in j.progress.label]
    )
    [job] = monitor.list_jobs(dataset)
    fiftyone = Path(sys.executable).with_name("fiftyone")
    subprocess.run(
        [fiftyone, "delegated", "fail", str(training)], check=True, capture_output=True
    )
    wait_for(lambda: not monitor.find(job.folder).progress.is_active)
    assert monitor.find(job.folder).progress.state == "stopped"
    wait_for(lambda: not psutil.pid_exists(job.pid))
    dataset.reload()
    run = records.info(dataset, "one")
    assert run.status == "stopped"
    assert run.epoch >= 2
    assert Path(registry.existing_folder(dataset, "one"), "last").exists()
    assert operation(training).run_state == "failed"

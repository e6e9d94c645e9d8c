"""Runs on the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.made_runs import make_run
from yolov1_fo.cli import fiftyone_checks, main
from yolov1_fo.runs import folders, ownership, registry


def test_runs_are_listed_shown_and_deleted(painted, clone, capsys):
    def output(*words, code=0):
        assert main.main(["runs", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return out if code == 0 else err

    assert output("list", painted.name) == (
        f"dataset '{painted.name}' has no training runs\n"
    )
    folder = make_run(painted, "one", status="running")  # its process was killed
    (folder / "log.csv").write_text("epoch,loss,val_voc07\n1,2.5,\n2,1.5,0.25\n")
    make_run(painted, "two")
    lines = output("list", painted.name).splitlines()
    assert lines[0].split() == [
        *("run", "status", "network", "epochs", "best", "started", "folder")
    ]
    assert lines[2].split()[:3] == ["two", "finished", "yolov1"]
    assert lines[3].split()[:2] == ["one", "failed"]
    assert lines[3].endswith(str(folder))
    shown = output("show", painted.name, "one")
    for part in (
        registry.INTERRUPTED,
        "learning_rate",
        "val_voc07",
        "1.5000",
        str(folder),
    ):
        assert part in shown

    copy = clone()
    assert "its files remain" in output("delete", copy.name, "one")
    assert f"with its folder '{folder}'" in output("delete", painted.name, "one")
    assert painted.reload() is None
    assert painted.list_runs() == ["two"]
    assert "run 'one' is not on dataset" in output(
        "delete", painted.name, "one", code=2
    )
    assert "run 'one' is not on dataset" in output("show", painted.name, "one", code=2)
    assert "dataset 'nowhere' does not exist" in output("list", "nowhere", code=2)


CHILD = """
import os, signal, sys
from tests.micro import MICRO
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.cli import main
from yolov1_fo.training import callbacks

def interrupt(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)

NETWORKS["micro"] = MICRO
callbacks.EndOfEpoch.on_epoch_end = interrupt
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_an_interrupted_training_prints_how_to_resume(painted):
    painted.persistent = True
    settings = "--network micro --image-size 32 --S 2 --batch-size 2"
    words = ["train", painted.name, "--run-key", "one", *settings.split()]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 143, done.stderr
    assert (
        "yolov1-fo: run 'one' was stopped after epoch 0 of 135; resume it with "
        "yolov1_fo.train(samples, resume='one'), or yolov1-fo train "
    ) in done.stderr
    painted.reload()
    assert registry.status(painted, "one") == "stopped"


def test_doctor_lists_orphaned_runs(painted):
    folder = make_run(painted)
    assert str(folder) not in str(list(fiftyone_checks.check_runs()))
    painted.delete_run("one")
    assert folder in ownership.orphans(folders.top_folder())
    [check] = fiftyone_checks.check_runs()
    assert str(folder.parent.parent) in str(check)

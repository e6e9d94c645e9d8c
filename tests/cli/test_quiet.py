"""Commands print only their own output, not the messages of other libraries."""

import os
import re
import subprocess
import sys

import pytest

COMMANDS = """
import sys
from tests.micro import MICRO
from yolov1_fo import architectures
from yolov1_fo.cli import main

architectures.NETWORKS["micro"] = MICRO
name, folder = sys.argv[1:]
small = "--network micro --image-size 32 --S 2 --batch-size 2 --epochs 1 --run-key one"
for line in (
    f"inspect {name} --S 2 --decode",
    f"train {name} {small}",
    f"apply {name} one",
    f"evaluate {name} predictions --eval-key one",
    f"export one --dataset {name} --format saved_model --to {folder}/saved",
    f"publish one quiet --dataset {name}",
):
    print("$", line, flush=True)
    if main.main(line.split()):
        sys.exit(1)
"""
NOISE = "WARN|Warning|INFO|DEBUG|deprecat|oneDNN|absl|XNNPACK|tensorflow/|Traceback"


@pytest.mark.slow
def test_commands_hide_other_libraries_and_need_no_docstrings(painted, tmp_path):
    painted.persistent = True
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    own = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "FIFTYONE_MODEL_ZOO_DIR": str(tmp_path / "models"),
    }
    done = subprocess.run(
        [sys.executable, "-OO", "-c", COMMANDS, painted.name, tmp_path],
        env=inherited | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not re.search(NOISE, done.stdout)
    assert len(re.findall(r"^\$ ", done.stdout, re.M)) == 6

"""The plugin in every place where FiftyOne finds it, with and without the package."""

import json
import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import NAME, ROOT, SETTINGS, download
from tests.serving import archive, serving

pytestmark = pytest.mark.slow

SCRIPT = """
import json, sys
import fiftyone as fo
import fiftyone.operators as foo

dataset = fo.load_dataset(sys.argv[1])
started = foo.execute_operator(
    "{name}/train_model",
    ctx={{"dataset": dataset}},
    params={params},
)
import yolov1_fo
from yolov1_fo.jobs import monitor

[job] = monitor.list_jobs(dataset)
for job in monitor.updates(job, 0.1):
    pass
print(json.dumps([job.progress.state, job.progress.label, yolov1_fo.__file__]))
""".format(
    name=NAME,
    params={
        "gt_field": "ground_truth",
        "split": "none",
        "run_key": "one",
        **SETTINGS,
        "epochs": 1,
    },
)


@pytest.fixture
def linked():
    """No link: each test installs the plugin itself."""


@pytest.fixture(params=["installed", "not installed"])
def python(request, tmp_path):
    """The path of a Python interpreter in which the package is installed or not."""
    if request.param == "installed":
        return sys.executable
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    [theirs] = home.glob("lib/*/site-packages")
    for path in site.getsitepackages():
        for one in Path(path).iterdir():
            if "yolov1_fo" not in one.name and one.suffix != ".pth":
                (theirs / one.name).symlink_to(one)
    return str(home / "bin" / "python")


@pytest.fixture
def zipped(tmp_path):
    """The URL of a ZIP archive of this checkout, as a code host creates it."""
    path = archive(tmp_path / "served" / "yolov1.zip")
    with serving(path.parent) as url:
        yield f"{url}{path.name}"


def trained(python, dataset, plugins, cwd):
    """Trains with the operator, in a process that finds the code only by the plugin."""
    environment = {**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins)}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "-c", SCRIPT, dataset.name],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    state, label, file = json.loads(done.stdout.splitlines()[-1])
    assert state == "finished", label
    return Path(file)


def test_through_a_link(dataset, python, tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "anything").symlink_to(ROOT)
    file = trained(python, dataset, plugins, tmp_path)
    assert file == ROOT / "yolov1_fo" / "__init__.py"


def test_as_the_plugins_folder_itself(dataset, tmp_path):
    file = trained(sys.executable, dataset, ROOT, tmp_path)
    assert file == ROOT / "yolov1_fo" / "__init__.py"


def test_downloaded_as_an_archive(dataset, python, zipped, tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    download(zipped, plugins, python)
    file = trained(python, dataset, plugins, tmp_path)
    ours = (ROOT if python == sys.executable else plugins / NAME) / "yolov1_fo"
    assert file == ours / "__init__.py"

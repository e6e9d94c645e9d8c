"""Our models and VOC's evaluation, by name in FiftyOne's own functions."""

import json
import os
import subprocess
import sys

import fiftyone as fo
import fiftyone.zoo as foz
import pytest

import yolov1_fo
from yolov1_fo import zoo
from yolov1_fo.cli import main
from yolov1_fo.publishing import registering

FRESH = """
import json
import fiftyone as fo
import fiftyone.zoo as foz
known = "darknet-yolov1-voc" in foz.list_zoo_models()
print(json.dumps([known, fo.evaluation_config.detection_backends.get("voc")]))
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """FiftyOne's configuration files, which hold settings of the user."""
    paths = tmp_path / "new" / "evaluation_config.json", tmp_path / "config.json"
    names = "FIFTYONE_EVALUATION_CONFIG_PATH", "FIFTYONE_CONFIG_PATH"
    for name, path in zip(names, paths, strict=True):
        monkeypatch.setenv(name, str(path))
    paths[1].write_text('{"show_progress_bars": false}')
    monkeypatch.setitem(fo.evaluation_config.detection_backends, "voc", {})
    return paths


def in_a_new_process():
    """Returns whether it knows our models, and VOC's evaluation."""
    shell = {**os.environ}
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        check=True,
        capture_output=True,
        text=True,
        env=shell,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_methods_and_models_have_names(painted, files):
    painted.clone_sample_field("ground_truth", "found")
    path = "found.detections.confidence"
    counts = painted.values("found.detections.label")
    painted.set_values(path, [[0.5] * len(one) for one in counts])
    yolov1_fo.register()
    yolov1_fo.register()
    assert "darknet-yolov1-voc" in foz.list_zoo_models()
    results = [
        painted.evaluate_detections("found", method=method, progress=False)
        for method in ("voc", yolov1_fo.VOCEvaluationConfig)
    ]
    assert results[0].mAP() == results[1].mAP()
    assert type(results[0]) is type(results[1])
    assert not files[0].exists()
    assert json.loads(files[1].read_text()) == {"show_progress_bars": False}


@pytest.mark.slow
def test_new_processes_know_them_too(files, capsys):
    assert main.main(["register"]) == 0
    assert "registered the models" in capsys.readouterr().out
    yolov1_fo.register(persistent=True)
    assert in_a_new_process() == [True, {"config_cls": registering.CONFIG_CLS}]
    config = json.loads(files[1].read_text())
    assert config["show_progress_bars"] is False
    assert len(config["model_zoo_manifest_paths"]) == 1


def test_links_and_permissions_are_kept_and_it_can_be_undone(
    files, tmp_path, monkeypatch, caplog
):
    evaluation, config = files
    secret = tmp_path / "dotfiles" / "config.json"
    secret.parent.mkdir()
    config.rename(secret)
    secret.chmod(0o600)
    config.symlink_to(secret)
    before = secret.read_text()
    others = ["/elsewhere/lib/yolov1_fo/zoo/manifest.json", "/mine/manifest.json"]
    secret.write_text(json.dumps({"model_zoo_manifest_paths": others}))
    monkeypatch.setenv("FIFTYONE_DETECTION_BACKENDS", "*")
    yolov1_fo.register(persistent=True)
    yolov1_fo.register(persistent=True)
    assert "FIFTYONE_DETECTION_BACKENDS replaces what is in" in caplog.text
    assert config.is_symlink()
    assert secret.stat().st_mode & 0o777 == 0o600
    paths = json.loads(secret.read_text())["model_zoo_manifest_paths"]
    assert paths == ["/mine/manifest.json", str(zoo.MANIFEST)]

    secret.write_text(before)
    assert main.main(["register"]) == 0
    assert main.main(["register", "--undo"]) == 0
    assert json.loads(secret.read_text()) == json.loads(before)
    assert json.loads(evaluation.read_text()) == {"detection_backends": {}}


def test_what_is_there_is_kept(files):
    for path in files:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{damaged")
    with pytest.raises(ValueError, match=r"evaluation_config.json' can't be read"):
        yolov1_fo.register(persistent=True)
    files[0].write_text("[]")
    with pytest.raises(ValueError, match=r"must be a JSON object, got '\[\]'"):
        yolov1_fo.register(persistent=True)
    theirs = {"detection_backends": {"voc": {"config_cls": "a.B"}}}
    files[0].write_text(json.dumps(theirs))
    with pytest.raises(ValueError, match=r"'voc' is a\.B in '.*evaluation_config"):
        yolov1_fo.register(persistent=True)
    assert json.loads(files[0].read_text()) == theirs
    assert files[1].read_text() == "{damaged"

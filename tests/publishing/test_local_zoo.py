import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fiftyone as fo
import fiftyone.core.models as fom
import fiftyone.zoo as foz
import fiftyone.zoo.models as fozm
import pytest

import yolov1_fo
from tests.same import assert_same
from yolov1_fo import files
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import registry


@pytest.mark.slow
def test_a_published_model_is_like_any_of_the_zoo(zoo_dir, checkpoint_dir, painted):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    assert "squares" in foz.list_zoo_models(tags="yolov1")
    model = foz.load_zoo_model("squares", confidence_thresh=0.2, cache=False)
    assert model.classes == ["blue", "red"]
    assert model.config.confidence_thresh == 0.2
    painted.apply_model(model, label_field="zoo")
    checkpoint = yolov1_fo.load_model(checkpoint_dir, confidence_thresh=0.2)
    painted.apply_model(checkpoint, label_field="checkpoint")
    for sample in painted:
        assert_same(sample.zoo, sample.checkpoint, 0.2)
    assert yolov1_fo.load_model("squares").network.count_params()
    card = (folder / "README.md").read_text()
    assert card.startswith("# squares\n\nyolov1 for 2 classes, 32 px, 3 x 3 cells")
    assert "classes: blue, red" in card

    yolov1_fo.unpublish("squares")
    assert "squares" not in foz.list_zoo_models()
    assert not list(zoo_dir.rglob("*"))


@pytest.mark.slow
def test_config_of_a_model_loads_it_again(zoo_dir, checkpoint_dir):
    yolov1_fo.publish(checkpoint_dir, "squares")
    for source in (
        {"checkpoint_dir": str(checkpoint_dir)},
        {"model_name": "squares", "iou_thresh": 0.3},
    ):
        described = {"type": "yolov1_fo.model.YOLOv1Model", "config": source}
        model = fom.load_model(described)
        again = fom.load_model(
            {"type": described["type"], "config": model.config.serialize()}
        )
        assert again.classes == model.classes == ["blue", "red"]
        assert again.config.iou_thresh == source.get("iou_thresh", 0.5)
    with pytest.raises(ValueError, match="needs checkpoint_dir, model_name, model_pa"):
        fom.load_model({"type": "yolov1_fo.model.YOLOv1Model", "config": {}})


@pytest.mark.slow
def test_any_process_finds_a_published_model(zoo_dir, checkpoint_dir):
    yolov1_fo.publish(checkpoint_dir, "squares")
    environment = {**os.environ, "FIFTYONE_MODEL_ZOO_DIR": str(zoo_dir)}
    code = "import fiftyone.zoo as foz; print(foz.load_zoo_model('squares').classes)"
    listed, loaded = (
        subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout
        for command in (
            [Path(sys.executable).with_name("fiftyone"), "zoo", "models", "list", "-n"],
            [sys.executable, "-c", code],
        )
    )
    assert "squares" in listed.split()
    assert loaded.strip() == "['blue', 'red']"


def test_what_can_not_be_published_is_an_error_of_one_line(
    zoo_dir, checkpoint_dir, tmp_path
):
    yolov1_fo.publish(checkpoint_dir, "squares")
    for name, line in (
        ("squares", "'squares' is published already"),
        ("yolov1", "'yolov1' is the name of another model"),
        ("clip-vit-base32-torch", "is the name of another model"),
        ("yolov1-untrained", "is the name of another model"),
        ("a/b", "name must be letters, digits, dots, dashes and underscores"),
        ("", "name must be letters"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.publish(checkpoint_dir, name)
    with pytest.raises(FileNotFoundError, match="nowhere' does not exist"):
        yolov1_fo.publish(tmp_path / "nowhere", "other")
    for name in ("other", "", ".", "..", "../squares"):
        with pytest.raises(ValueError, match="is not published; there are: squares"):
            yolov1_fo.unpublish(name)
    assert sorted(path.name for path in local_zoo.root().iterdir()) == [
        ".lock",
        "squares",
    ]


def test_a_failed_write_leaves_nothing(zoo_dir, checkpoint_dir, monkeypatch):
    def fail(source, target):
        Path(target).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(OSError, match="squares' can't be written: No space left"):
        yolov1_fo.publish(checkpoint_dir, "squares")
    assert not local_zoo.root().exists()


def test_a_damaged_manifest_affects_only_its_model(zoo_dir, checkpoint_dir, caplog):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    yolov1_fo.publish(checkpoint_dir, "others")
    (folder / "manifest.json").write_text("{ this is not JSON")
    assert set(foz.list_zoo_models()) & {"squares", "others"} == {"others"}
    assert yolov1_fo.load_model("squares").classes == ["blue", "red"]
    metadata = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**metadata, "format": 3}))
    with pytest.raises(ValueError, match="must have a format of at most 2, got 3"):
        yolov1_fo.load_model("squares")
    yolov1_fo.unpublish("squares")
    assert not folder.exists()


def test_missing_weights_of_a_published_model_are_an_error(zoo_dir, checkpoint_dir):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    (folder / "network.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"'squares' is damaged: .* publish it"):
        foz.load_zoo_model("squares", cache=False)


def test_a_published_model_keeps_its_classes(zoo_dir, checkpoint_dir):
    yolov1_fo.publish(checkpoint_dir, "squares")
    with pytest.raises(ValueError, match=r"classes of checkpoint .* are blue, red; to"):
        foz.load_zoo_model("squares", classes=["green", "red"], cache=False)


CLASSES = ("new", "newer")


@pytest.fixture
def other(checkpoint_dir, tmp_path):
    """Another checkpoint of the same network."""
    folder = tmp_path / "other"
    shutil.copytree(checkpoint_dir, folder)
    metadata = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**metadata, "classes": CLASSES}))
    return folder


@pytest.mark.slow
def test_the_zoo_returns_the_model_that_is_published_now(
    zoo_dir, checkpoint_dir, other
):
    yolov1_fo.publish(checkpoint_dir, "again")
    yolov1_fo.publish(checkpoint_dir, "again-and-more")
    held = [
        foz.load_zoo_model("again"),
        foz.load_zoo_model("again", iou_thresh=0.3),
        foz.load_zoo_model("again-and-more"),
    ]
    assert foz.load_zoo_model("again") is held[0]
    yolov1_fo.unpublish("again")
    with pytest.raises(ValueError, match="'again' not found"):
        foz.load_zoo_model("again")
    yolov1_fo.publish(other, "again")
    assert foz.load_zoo_model("again").classes == list(CLASSES)
    assert foz.load_zoo_model("again", iou_thresh=0.3).classes == list(CLASSES)
    assert foz.load_zoo_model("again-and-more") is held[2]
    assert held[0].classes == ["blue", "red"]


def test_a_cached_zoo_includes_new_models(zoo_dir, checkpoint_dir, monkeypatch):
    monkeypatch.setattr(fo.config, "model_zoo_manifest_cache_enabled", True)
    assert "squares" not in foz.list_zoo_models()
    yolov1_fo.publish(checkpoint_dir, "squares")
    assert "squares" in foz.list_zoo_models()
    yolov1_fo.unpublish("squares")
    assert "squares" not in foz.list_zoo_models()
    fozm._invalidate_zoo_models_manifest()


RACE = """
import sys
import fiftyone as fo
import yolov1_fo
sys.stdin.readline()
try:
    print(yolov1_fo.publish(sys.argv[1], "raced"))
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
def test_of_two_publishers_of_one_name_one_succeeds(zoo_dir, checkpoint_dir):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, checkpoint_dir],
            env={**os.environ, "FIFTYONE_MODEL_ZOO_DIR": str(zoo_dir)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    lines = sorted(racer.communicate()[0].splitlines()[-1] for racer in racers)
    assert lines == [
        "'raced' is published already, and published models have no versions; choose "
        "another name, or unpublish it",
        str(local_zoo.root() / "raced"),
    ]
    assert local_zoo.damaged() == {}
    assert yolov1_fo.load_model("raced").classes == ["blue", "red"]


def test_a_model_published_while_waiting_for_the_lock_is_kept(
    zoo_dir, checkpoint_dir, other, monkeypatch
):
    locked = local_zoo._locked

    @contextlib.contextmanager
    def publish_first():
        monkeypatch.setattr(local_zoo, "_locked", locked)
        yolov1_fo.publish(other, "squares")
        with locked():
            yield

    monkeypatch.setattr(local_zoo, "_locked", publish_first)
    with pytest.raises(ValueError, match="'squares' is published already"):
        yolov1_fo.publish(checkpoint_dir, "squares")
    assert yolov1_fo.load_model("squares").classes == list(CLASSES)


def test_a_model_published_during_the_check_of_the_name_is_an_error(
    zoo_dir, checkpoint_dir, other, monkeypatch
):
    zoo_names = local_zoo._zoo_names

    def publish_first():
        monkeypatch.setattr(local_zoo, "_zoo_names", zoo_names)
        yolov1_fo.publish(other, "squares")
        return zoo_names()

    monkeypatch.setattr(local_zoo, "_zoo_names", publish_first)
    with pytest.raises(ValueError, match="'squares' is published already"):
        yolov1_fo.publish(checkpoint_dir, "squares")


def test_a_process_that_publishes_for_long_is_an_error(
    zoo_dir, checkpoint_dir, monkeypatch
):
    monkeypatch.setattr(local_zoo, "LOCK_TIMEOUT", 0)
    yolov1_fo.publish(checkpoint_dir, "squares")
    with files.locked(local_zoo.root() / local_zoo.LOCK):
        with pytest.raises(OSError, match=r"another process publishes into '.*'; try"):
            yolov1_fo.publish(checkpoint_dir, "other")
        with pytest.raises(OSError, match="another process publishes into"):
            yolov1_fo.unpublish("squares")
    assert local_zoo.names() == ["squares"]


@pytest.mark.slow
def test_what_a_killed_publisher_left_is_ignored_and_removed(zoo_dir, checkpoint_dir):
    kill = (
        "import os, shutil, sys, yolov1_fo; "
        "shutil.copyfile = lambda *_: os._exit(9); "
        "yolov1_fo.publish(sys.argv[1], 'squares')"
    )
    environment = {**os.environ, "FIFTYONE_MODEL_ZOO_DIR": str(zoo_dir)}
    killed = subprocess.run(
        [sys.executable, "-c", kill, checkpoint_dir], env=environment, check=False
    )
    assert killed.returncode == 9
    assert len(local_zoo.leftovers()) == 1
    assert local_zoo.names() == []
    assert "squares" not in foz.list_zoo_models()
    assert local_zoo.clean() == 1
    assert local_zoo.clean() == 0
    leftover = local_zoo.root() / ".squares.0123.unfinished"
    others = [
        local_zoo.root() / ".-x.0123.unfinished",
        local_zoo.root() / ".a b.01.unfinished",
    ]
    for path in (leftover, *others):
        path.mkdir(parents=True)
    yolov1_fo.publish(checkpoint_dir, "squares")
    assert not leftover.exists()
    assert all(path.exists() for path in others)  # no names of models: not ours
    assert local_zoo.clean() == 0


def test_links_in_the_zoo_are_not_followed(zoo_dir, checkpoint_dir, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    local_zoo.root().mkdir(parents=True)
    (local_zoo.root() / ".squares.0123.unfinished").symlink_to(precious)
    (local_zoo.root() / "nowhere").symlink_to(tmp_path / "nothing")
    with pytest.raises(ValueError, match="nowhere' exists; remove it, or choose"):
        yolov1_fo.publish(checkpoint_dir, "nowhere")
    (local_zoo.root() / "mine").symlink_to(precious)
    yolov1_fo.unpublish("mine")
    yolov1_fo.publish(checkpoint_dir, "squares")
    assert [path.name for path in precious.iterdir()] == ["file"]
    assert local_zoo.leftovers() == []
    assert (local_zoo.root() / "nowhere").is_symlink()


def test_a_run_key_is_published_like_its_checkpoint(
    zoo_dir, checkpoint_dir, painted, monkeypatch
):
    runs = {"one": str(checkpoint_dir)}
    monkeypatch.setattr(registry, "exists", lambda dataset, key: key in runs)
    monkeypatch.setattr(registry, "existing_folder", lambda dataset, key: runs[key])
    folder = yolov1_fo.publish("one", "by-key", dataset=painted)
    assert (folder / "run.json").read_text() == (
        (checkpoint_dir / "run.json").read_text()
    )
    yolov1_fo.publish(checkpoint_dir, "by-folder", dataset=painted)
    with pytest.raises(FileNotFoundError, match=r"'one' does not exist; .* dataset="):
        yolov1_fo.publish("one", "other")


def test_an_unknown_run_key_is_an_error_of_one_line(zoo_dir, painted):
    with pytest.raises(ValueError, match="run 'none' is not on dataset"):
        yolov1_fo.publish("none", "other", dataset=painted)


@pytest.mark.parametrize("part", ["base_name", "base_filename", "tags", "models"])
def test_damaged_models_are_listed_and_can_be_unpublished(
    zoo_dir, checkpoint_dir, part
):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    content = json.loads((folder / "manifest.json").read_text())
    (content if part == "models" else content["models"][0])[part] = 7
    (folder / "manifest.json").write_text(json.dumps(content))
    assert local_zoo.damaged() == {"squares": "its manifest.json was changed"}
    if part == "base_filename":  # FiftyOne itself can list no model then
        with pytest.raises(ValueError, match=r"model zoo can't be read: .* model '"):
            yolov1_fo.publish(checkpoint_dir, "other")
    else:
        yolov1_fo.publish(checkpoint_dir, "other")
    yolov1_fo.unpublish("squares")
    assert local_zoo.damaged() == {}


def test_models_that_earlier_versions_published_still_load(zoo_dir, checkpoint_dir):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    content = json.loads((folder / "manifest.json").read_text())
    [model] = content["models"]
    for part in ("version", "source", "author", "license"):
        del model[part]
    model["tags"] = ["detection", "tensorflow", "yolov1", "published"]
    packages = ["yolov1-fo", "keras>=3.15", "tensorflow|tensorflow-cpu"]
    support = {"support": True}
    model["requirements"] = {"packages": packages, "cpu": support, "gpu": support}
    (folder / "manifest.json").write_text(json.dumps(content))
    assert local_zoo.damaged() == {}
    assert "squares" in foz.list_zoo_models(tags="yolov1")
    assert foz.load_zoo_model("squares", cache=False).classes == ["blue", "red"]


def test_a_pipe_in_place_of_a_manifest_blocks_nobody(zoo_dir, checkpoint_dir):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(
        ValueError, match=r"'squares' is damaged: .* is not a file; unpub"
    ):
        yolov1_fo.publish(checkpoint_dir, "other")
    yolov1_fo.unpublish("squares")
    yolov1_fo.publish(checkpoint_dir, "other")

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fiftyone.core.models as fom
import fiftyone.zoo as foz
import pytest

import yolov1_fo
from tests.same import assert_same
from yolov1_fo import publishing


def test_published_model_is_like_any_of_the_zoo(zoo_dir, checkpoint_dir, painted):
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


def test_what_cannot_be_published_is_one_clear_line(zoo_dir, checkpoint_dir, tmp_path):
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
    assert [path.name for path in (zoo_dir / publishing.PUBLISHED).iterdir()] == [
        "squares"
    ]


def test_a_write_that_fails_leaves_nothing(zoo_dir, checkpoint_dir, monkeypatch):
    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="squares' can't be written: No space left"):
        yolov1_fo.publish(checkpoint_dir, "squares")
    assert not (zoo_dir / publishing.PUBLISHED).exists()


def test_a_manifest_edited_by_hand_spoils_only_itself(zoo_dir, checkpoint_dir, caplog):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    yolov1_fo.publish(checkpoint_dir, "others")
    (folder / "manifest.json").write_text("{ this is no JSON")
    assert set(foz.list_zoo_models()) & {"squares", "others"} == {"others"}
    assert yolov1_fo.load_model("squares").classes == ["blue", "red"]
    card = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**card, "format": 2}))
    with pytest.raises(ValueError, match="must have format 1, got 2"):
        yolov1_fo.load_model("squares")
    yolov1_fo.unpublish("squares")
    assert not folder.exists()


def test_a_published_model_that_lost_its_weights_says_so(zoo_dir, checkpoint_dir):
    folder = yolov1_fo.publish(checkpoint_dir, "squares")
    (folder / "network.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"'squares' is damaged: .* publish it"):
        foz.load_zoo_model("squares", cache=False)


def test_a_published_model_keeps_its_classes(zoo_dir, checkpoint_dir):
    yolov1_fo.publish(checkpoint_dir, "squares")
    with pytest.raises(ValueError, match=r"classes of checkpoint .* are blue, red; to"):
        foz.load_zoo_model("squares", classes=["green", "red"], cache=False)

"""Damaged and hostile metadata, zoo entries and names.

Each of a thousand bad inputs, always the same ones, is accepted or is an error of one
line.
"""

import copy
import json
import os
import random

import eta.core.config as etac
import fiftyone as fo
import pytest

import yolov1_fo
from yolov1_fo.cli import main
from yolov1_fo.model import darknet_releases, yolov1_model
from yolov1_fo.model.model_config import YOLOv1ModelConfig
from yolov1_fo.publishing import local_zoo, manifest, model_card, model_sources
from yolov1_fo.runs import checkpoint, folders

REFUSALS = (ValueError, TypeError, OSError)
JUNK = (
    *(None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**400, -(10**30)),
    *("", "x", "\0", "é", "a\nb", "\ud800", "../../etc", "9" * 400, "x" * 1000),
    *([], [None], [[]], ["a", "a"], [1, 2], {}, {"a": {}}, {"S": 7}),
)
METADATA = {
    "format": 1,
    "classes": ["a", "b"],
    "settings": {
        "network": "yolov1",
        "image_size": 32,
        "S": 3,
        "B": 2,
        "C": 2,
        "sqrt": True,
        "learning_rate": 1e-3,
        "steps": [[1, 2]],
    },
    "metrics": {"val_voc07": 0.5, "loss": 1.0},
    "operating_point": {
        "thresh": 0.3,
        "precision": 0.5,
        "recall": None,
        "tp": 2,
        "class_threshs": {"a": 0.5},
    },
    "dropped": {"ignored": 1},
    "versions": {"keras": "3"},
    "task": "detect",
    "epoch": 3,
    "images": 5,
    "objects": 3,
    "val_images": 2,
    "skipped": 0,
    "dataset": "d",
    "gt_field": "g",
    "run_key": "r",
    "device": "c",
    "weights": None,
    "parent": {
        "weights": "w",
        "run_key": "r",
        "dataset": "d",
        "checkpoint": "/w",
        "digest": "0" * 64,
    },
}
CONFIGS = (
    {"released": "darknet-yolov1-tiny-voc", "darknet": True},
    {
        "settings": {"network": "yolov1-efficientnet-lite0", "image_size": 64, "S": 2},
        "classes": ["a", "b"],
        "filter_classes": ["a"],
        "confidence_thresh": 0.1,
        "iou_thresh": 0.5,
        "max_detections": 3,
        "class_agnostic": False,
        "precision": "float32",
    },
    {"checkpoint_dir": "nowhere"},
    {"model_name": "nothing"},
)


def paths_of(content, path=()):
    """Yields the path to each part of nested JSON."""
    if path:
        yield path
    parts = {dict: lambda: content.items(), list: lambda: enumerate(content)}
    for key, value in parts.get(type(content), tuple)():
        yield from paths_of(value, (*path, key))


def damaged(content, rng):
    """Returns JSON of which up to three parts are missing or junk."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice([1, 1, 2, 3])):
        paths = [*paths_of(content)]
        if not paths:
            break
        *way, last = rng.choice(paths)
        holder = content
        for key in way:
            holder = holder[key]
        if rng.random() < 0.2:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(rng.choice(JUNK))
    return content


def refused(call, *arguments):
    """Returns whether a call was refused, with a short error of ours in one line."""
    try:
        call(*arguments)
    except REFUSALS as error:
        message, is_ours = str(error), not isinstance(error, UnicodeError)
    else:
        return False
    assert message
    assert is_ours, message
    assert "\n" not in message
    assert len(message) < 2500
    assert not message.startswith("[Errno"), message
    return True


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "network.keras").write_bytes(b"PK")
    return tmp_path


CREDITS = manifest.Credits("someone", "Apache-2.0", None)


def use_metadata(folder):
    metadata = checkpoint.read_metadata(folder, "detect")
    model_card.text("name", metadata).encode()
    manifest.write(folder, "name", metadata, CREDITS)


@pytest.mark.slow
def test_damaged_metadata_is_an_error_of_one_line(folder):
    rng = random.Random(16)
    (folder / "run.json").write_text(json.dumps(METADATA))
    use_metadata(folder)
    refusals = 0
    for _ in range(1000):
        (folder / "run.json").write_text(json.dumps(damaged(METADATA, rng)))
        refusals += refused(use_metadata, folder)
    assert 300 < refusals < 900


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is not valid JSON"),
        (b"\xff\xfe{}", "is not text in UTF-8"),
        (b"[" * 100_000, "is not valid JSON: it is too deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "it is too deep"),
        (b"1" * 5000, "is not valid JSON"),
        (b"null", "must be a JSON object, got NoneType"),
        (
            b'{"format": true, "classes": [], "settings": {}}',
            "must have a format of at most 2",
        ),
        (
            b'{"format": 1, "classes": ["\\ud800"], "settings": {}}',
            "incomplete surrogate pair",
        ),
        (
            b'{"format": 1, "classes": ["a", "a"], "settings": {}}',
            "classes in .* must be a list of different names",
        ),
        (
            b'{"format": 1, "classes": ["a"], "settings": []}',
            "settings in .* must be an object of settings",
        ),
        (b'{"format": 1, "classes": ["a"], "settings": {}}', "lacks settings network"),
        (
            b'{"format": 2, "classes": ["a"], "settings": {}, "operating_point": 0.3}',
            "operating_point in .* must be an object with numbers thresh, precision,",
        ),
        (
            b'{"format": 2, "classes": ["a"], "settings": {}, '
            b'"operating_point": {"thresh": "0.3"}}',
            "operating_point in .* must be an object with numbers",
        ),
    ],
)
def test_invalid_metadata_is_an_error_of_one_line(folder, content, line):
    (folder / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=line):
        checkpoint.read_metadata(folder, "detect")


def test_metadata_of_gigabytes_is_not_read(folder):
    with (folder / "run.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match="must have at most 67108864 bytes, got more"):
        checkpoint.read_metadata(folder)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to nowhere"])
def test_something_else_in_place_of_a_file_blocks_nobody(folder, kind):
    make = {
        "folder": lambda path: path.mkdir(),
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "link to nowhere": lambda path: path.symlink_to("nowhere"),
    }
    for name in ("run.json", "best", "last"):
        make[kind](folder / name)
    with pytest.raises(
        FileNotFoundError, match=r"run\.json' does not exist or is not a f"
    ):
        checkpoint.read_metadata(folder)
    with pytest.raises(FileNotFoundError, match=r"has no run\.json"):
        checkpoint.resolve(folder)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", b".", b"..", b"../..", b"/etc", b"a/b", b"a\\b", b"C:evil"),
        *(b"\0", b"a\nb", b"\xff", b"x" * 5000),
    ],
)
@pytest.mark.parametrize("name", ["best", "last"])
def test_a_pointer_can_not_lead_to_another_folder(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        checkpoint.resolve(tmp_path)


def test_with_a_damaged_pointer_no_checkpoint_is_deleted(tmp_path, caplog):
    for epoch in (1, 2, 3):
        with checkpoint.writing(tmp_path, epoch, best=False) as folder:
            (folder / "network.keras").touch()
        (tmp_path / "best").write_text("../elsewhere")
    assert (tmp_path / "epoch_0003").is_dir()
    assert (tmp_path / "epoch_0002").is_dir()
    assert "older checkpoints are kept" in caplog.text


NAMES = (
    *("", " ", "\0", ".", "..", "/", "a/b", "~", "a\nb", "\ud800", "é", "-rf", "con"),
    *("x" * 300, "x" * 5000, "\x7f", "a b", "yolov1"),
    *(5, None, True, 1.5, b"x", ["a"], {}, object(), fo),
)


@pytest.mark.slow
def test_names_are_accepted_or_an_error_of_one_line(zoo_dir, painted):
    rng = random.Random(16)
    alphabet = "ab./\\:\0\n\t é\u202e\ud800-_0$%'\"*?<>|"
    drawn = ["".join(rng.choices(alphabet, k=rng.randint(1, 9))) for _ in range(100)]
    for name in (*NAMES, *drawn):
        for dataset in (None, painted, "dataset", 5):
            assert refused(model_sources.find_config, name, dataset)
            assert refused(local_zoo.publish, name, "other", dataset)
        assert refused(yolov1_fo.load_model, name)
        refused(local_zoo.check_name, name)
        assert refused(local_zoo.unpublish, name)
        assert local_zoo.folder_of(name) is None
        refused(folders.run_folder, painted, name)
    assert not zoo_dir.exists()


class Built(Exception):  # signals success
    """Raised in place of building a network."""


@pytest.mark.slow
def test_damaged_zoo_entries_are_an_error_of_one_line(zoo_dir, monkeypatch):
    def build(*_, **__):
        raise Built

    monkeypatch.setattr(yolov1_model.build, "detector", build)
    monkeypatch.setattr(darknet_releases, "SITE", "http://127.0.0.1:9/")
    rng, built = random.Random(16), 0
    for _ in range(400):
        entry = damaged(rng.choice(CONFIGS), rng)
        try:
            refused(lambda d: yolov1_model.YOLOv1Model(YOLOv1ModelConfig(d)), entry)
        except Built:
            built += 1
        except etac.ConfigError as error:
            pytest.fail(f"{entry}: {error}")
        except AssertionError:
            if not entry.get("model_name"):  # else it is an error of FiftyOne's
                raise
    assert 0 < built < 200


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"\xff\xfe\n", "is not text in UTF-8"), (b" \n\n", "has no class")],
)
def test_an_invalid_file_of_names_is_an_error_of_one_line(
    tmp_path, capsys, content, line
):
    names = tmp_path / "voc.names"
    words = ["import-darknet", "w", "--network", "darknet-yolov1", "--out", "o"]
    for message in ("does not exist", line):
        assert main.main([*words, "--names", str(names)]) == 2
        assert message in capsys.readouterr().err
        names.write_bytes(content)

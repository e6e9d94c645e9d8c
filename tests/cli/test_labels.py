"""yolov1-fo labels: the circle of labels from a shell."""

import re

import pytest

from tests.cli.test_main import called
from tests.curation import labeled


@pytest.fixture
def named():
    dataset = labeled.dataset()
    dataset.name = "labels-for-cli"
    yield dataset
    dataset.delete()


def labels(capsys, command, *words):
    return called(capsys, "labels", command, "labels-for-cli", *words)


@pytest.mark.parametrize("command", ["mistakes", "suggest", "accept", "undo", "next"])
def test_each_command_has_help(capsys, command):
    code, text, _ = called(capsys, "labels", command, "--help")
    assert code == 0
    assert text.startswith(f"usage: yolov1-fo labels {command}")
    assert "--gt-field" in text


def test_mistakes_are_found_and_cleared(capsys, named):
    sample = named.first()
    del sample.ground_truth.detections[0]
    sample.save()
    code, text, errors = labels(capsys, "mistakes", "predictions")
    assert (code, errors) == (0, [])
    assert "30 images, 59 objects, 1 possible mistakes" in text
    assert named.has_saved_view("mistake:missing object")
    code, _, _ = labels(capsys, "mistakes", "--clear")
    assert code == 0
    assert named.list_saved_views() == []


def test_suggestions_are_accepted_and_undone(capsys, named):
    ids = named.limit(2).values("id")
    named.set_values("ground_truth", dict.fromkeys(ids), key_field="id")
    named.limit(1).tag_samples("checked")
    code, text, _ = labels(capsys, "suggest", "predictions", "--thresh", "0.5")
    assert code == 0
    assert "4 labels suggested for 2 samples in 'ground_truth_suggested'" in text
    code, text, _ = labels(capsys, "accept", "--tag", "checked")
    assert "2 labels accepted into 'ground_truth'" in text
    code, text, _ = labels(capsys, "accept", "--min-confidence", "0.99")
    assert "0 labels accepted into 'ground_truth'" in text
    code, text, _ = labels(capsys, "undo")
    assert "2 labels taken back from 'ground_truth'" in text
    assert len(named.exists("ground_truth", False)) == 2


def test_a_model_suggests_and_chooses(capsys, painted, checkpoint_dir):
    painted.name = "painted-labels-for-cli"
    ids = painted.limit(3).values("id")
    painted.set_values("ground_truth", dict.fromkeys(ids), key_field="id")
    words = ("painted-labels-for-cli", checkpoint_dir)
    code, text, _ = called(capsys, "labels", "suggest", *words, "--thresh", "0.1")
    assert code == 0
    assert "for 3 samples in 'ground_truth_suggested'" in text
    code, text, _ = called(capsys, "labels", "next", *words, "--count", "2")
    assert (code, text) == (0, "2 samples have the tag 'next_to_label'\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("mistakes", "typo"), "pred_field 'typo' is not on dataset"),
        (("mistakes", "--max-minutes", "3"), "--max-minutes is of the trainings of"),
        (("suggest", "predictions"), "has no recommended threshold; first call"),
        (("accept",), "field 'ground_truth_suggested' is not on dataset"),
        (("accept", "--min-confidence", "0.5"), "ground_truth_suggested"),
        (("next", "nowhere"), "'nowhere' is not on dataset .*: none"),
    ],
)
def test_an_error_is_one_line(capsys, named, words, line):
    code, _, errors = labels(capsys, *words)
    assert code == 2
    assert len(errors) == 1
    assert re.search(line, errors[0])

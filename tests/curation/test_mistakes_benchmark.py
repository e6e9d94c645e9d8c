"""The parts of benchmarks/mistakes.py, on predictions made by hand."""

import fiftyone as fo
import pytest

import yolov1_fo
from benchmarks import mistakes
from tests.curation import labeled
from yolov1_fo.curation.mistake_kinds import KINDS, MISSING, SPURIOUS


@pytest.fixture
def many():
    made = labeled.dataset(count=100)
    yield made
    made.delete()


def test_the_shares_of_labels_are_broken(many):
    broken = mistakes.break_field(many, seed=0)
    # 5 % of 200 objects are 10, a third each; 2 % are invented
    assert broken.counts == {**dict.fromkeys(KINDS, 3), SPURIOUS: 4}
    assert many.count("broken.detections") == 200 - 3 + 4
    assert set(broken.kinds) < set(many.values("broken.detections.id", unwind=True))
    again = mistakes.break_field(many, seed=1, field="again")
    assert again.removed.keys() == broken.removed.keys()
    assert many.values("again.detections.label") != many.values(
        "broken.detections.label"
    )


def test_most_of_the_first_suggestions_of_a_good_model_are_broken(many):
    before = many.values("ground_truth.detections.bounding_box")
    broken = mistakes.break_field(many, seed=0)
    report = yolov1_fo.find_mistakes(many, gt_field="broken", min_score=0)
    row = mistakes.figures(many, report, broken)
    assert row["broken"] == 13
    assert row["precision"] == 1
    for kind, figures in row["by_kind"].items():
        assert figures["found"] == figures["broken"] == broken.counts[kind]
    assert many.values("ground_truth.detections.bounding_box") == before
    lines = mistakes.printed([row, row]).splitlines()
    assert lines[0].split() == ["broken", "found", "suggested", "right"]
    assert lines[1].split() == ["missing", "object", "6", "6", "6", "6"]
    assert "1.000, from 1.000 to 1.000" in lines[-1]


def test_a_removed_object_is_found_once(many):
    broken = mistakes.break_field(many, seed=0)
    report = yolov1_fo.find_mistakes(many, gt_field="broken")
    judged = mistakes.judge(many, report, broken)
    [place] = [k for k, one in enumerate(report.mistakes) if one.kind == MISSING][:1]
    report.mistakes.append(report.mistakes[place])
    again = mistakes.judge(many, report, broken)
    assert again == [*judged, None]
    nothing = mistakes.BrokenField("broken", {}, dict.fromkeys(broken.removed, ()))
    assert set(mistakes.judge(many, report, nothing)) == {None}


@pytest.mark.slow
def test_a_breaking_trains_on_broken_labels_and_leaves_nothing(painted, micro):
    schema = painted.get_field_schema().keys()
    row = mistakes.run(painted, 0, folds=2, epochs=1, **micro)
    assert painted.get_field_schema().keys() == schema
    assert painted.list_runs() == painted.list_saved_views() == []
    assert row["ground_truth_is_same"]
    assert set(row["by_kind"]) == set(KINDS)
    assert isinstance(painted, fo.Dataset)


def test_a_file_is_completed():
    about = {"folds": 3, "settings": {"max_minutes": 10.0}, "images": 300}
    rows = [{"seed": 0, **about}, {"seed": 2, **about}]
    assert mistakes.missing(range(4), rows, about) == [1, 3]
    assert mistakes.missing(range(2), [], about) == [0, 1]
    with pytest.raises(ValueError, match="measured with folds 3, not 5"):
        mistakes.missing(range(4), rows, {**about, "folds": 5})

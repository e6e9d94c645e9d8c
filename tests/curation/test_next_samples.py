"""next_to_label on painted images."""

import fiftyone as fo
import pytest

import yolov1_fo


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.fixture
def some(painted):
    """Six painted images without labels and two with."""
    ids = painted.limit(6).values("id")
    painted.set_values("ground_truth", dict.fromkeys(ids), key_field="id")
    return painted


def choose(samples, model, count, **options):
    return yolov1_fo.next_to_label(samples, model, count, progress=False, **options)


def test_samples_without_labels_are_chosen_and_tagged(some, model):
    view = choose(some, model, 3)
    assert len(view) == 3
    assert set(view.values("id")) < set(some.limit(6).values("id"))
    tagged = some.match_tags("next_to_label").values("id")
    assert set(tagged) == set(view.values("id"))
    assert some.count_sample_tags()["train"] == 6


def test_the_choice_is_the_same_each_time_and_in_a_clone(some, model):
    first = choose(some, model, 4).values("id")
    assert choose(some, model, 4, batch_size=3).values("id") == first
    clone = some.clone()
    assert choose(clone, model, 4).values("id") == first
    clone.delete()
    assert choose(some, model, 2).values("id") == first[:2]
    assert some.count_sample_tags()["next_to_label"] == 2  # the tag has moved


def test_what_a_view_hides_is_labeled(some, model):
    first = choose(some, model, 3).values("id")
    assert choose(some.exclude_fields("ground_truth"), model, 3).values("id") == first
    assert choose(some.select_fields(), model, 3).values("id") == first


def test_a_dataset_without_the_field_has_candidates_only(painted, model):
    assert len(choose(painted, model, 8, gt_field="truth", tag="mine")) == 8
    assert painted.count_sample_tags()["mine"] == 8
    assert not painted.has_field("truth")


def test_too_many_are_as_many_as_there_are(some, model, caplog):
    assert len(choose(some, model, 7)) == 6
    assert "only 6 samples can be chosen" in caplog.text


def test_unreadable_files_are_not_chosen(some, model, tmp_path):
    (tmp_path / "text.jpg").write_text("this is not an image despite its name")
    some.add_sample(fo.Sample(str(tmp_path / "text.jpg")))
    assert len(choose(some, model, 7)) == 6


@pytest.mark.parametrize(
    ("options", "kind", "line"),
    [
        ({"count": 0}, ValueError, "count must be at least 1, got 0"),
        ({"count": 1.5}, TypeError, "count must be a whole number, got 1.5"),
        ({"model": "mine"}, TypeError, "model must be a YOLOv1Model, got 'mine'"),
        ({"tag": 3}, TypeError, "tag must be a string, got 3"),
        ({"tag": "val"}, ValueError, "tag .val. is on 2 samples of .*would lose it"),
        ({"gt_field": "filepath"}, ValueError, "must hold Detections, got StringFi"),
    ],
)
def test_an_invalid_argument_raises_one_clear_line(some, model, options, kind, line):
    options = {"model": model, "count": 2, **options}
    with pytest.raises(kind, match=line) as caught:
        yolov1_fo.next_to_label(some, **options)
    assert "\n" not in str(caught.value)
    assert "next_to_label" not in some.count_sample_tags()


def test_labeled_patches_and_empty_samples_are_refused(painted, model):
    for samples, line in (
        (painted, "has no readable sample without 'ground_truth'"),
        (painted.to_patches("ground_truth"), "shows patches; pass the samples"),
        (fo.Dataset(), "has no samples"),
    ):
        with pytest.raises(ValueError, match=line):
            choose(samples, model, 2)

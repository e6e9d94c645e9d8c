"""A validation split put aside by a fixed rule."""

import fiftyone as fo
import pytest

import yolov1_fo


@pytest.fixture
def many():
    dataset = fo.Dataset()
    dataset.add_samples(
        [fo.Sample(filepath=f"/pictures/{n:03d}.jpg") for n in range(100)],
        progress=False,
    )
    yield dataset
    dataset.delete()


def names(view):
    return set(view.values("filepath"))


def test_the_parts_are_disjoint_and_complete(many):
    train, val = yolov1_fo.split(many)
    assert (len(train), len(val)) == (90, 10)
    assert names(train) | names(val) == names(many)
    assert not names(train) & names(val)


def test_the_split_is_the_same_in_clones_and_other_orders(many):
    val = names(yolov1_fo.split(many)[1])
    clone = many.clone()
    assert names(yolov1_fo.split(clone)[1]) == val
    assert names(yolov1_fo.split(many.shuffle(seed=3))[1]) == val
    clone.delete()


def test_a_larger_fraction_contains_a_smaller_one(many):
    small, large = (names(yolov1_fo.split(many, f)[1]) for f in (0.1, 0.3))
    assert small < large
    assert len(large) == 30


def test_splits_of_views_stay_within_the_view(many):
    view = many.limit(20)
    train, val = yolov1_fo.split(view)
    assert (len(train), len(val)) == (18, 2)
    assert names(train) | names(val) == names(view)


@pytest.mark.parametrize(
    ("fraction", "kind", "line"),
    [
        (0, ValueError, "can't be split: it needs at least 2 images"),
        (1, ValueError, "can't be split"),
        (1.5, ValueError, r"val_fraction must be in \[0, 1\], got 1.5"),
        ("0.1", TypeError, "val_fraction must be a number, got '0.1'"),
    ],
)
def test_bad_fractions_are_one_line(many, fraction, kind, line):
    with pytest.raises(kind, match=line):
        yolov1_fo.split(many, fraction)


def test_a_single_sample_cant_be_split(many):
    with pytest.raises(ValueError, match="it needs at least 2 images or videos"):
        yolov1_fo.split(many.limit(1))
    with pytest.raises(TypeError, match="samples must be a FiftyOne dataset or view"):
        yolov1_fo.split("voc")

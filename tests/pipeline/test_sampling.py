import numpy as np
import pytest

from yolov1_fo.pipeline import sampling
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes


def ragged(rows):
    offsets = np.cumsum([0, *map(len, rows)])
    class_ids = np.array([one for row in rows for one in row], np.int32)
    return RaggedBoxes(np.zeros((len(class_ids), 4), np.float32), class_ids, offsets)


def made(rows, ignored=None, weights=None):
    """Returns the listing of images with objects of these classes."""
    names = [str(number) for number in range(len(rows))]
    ignored = ignored or [[] for _ in rows]
    weights = None if weights is None else np.float64(weights)
    return Listing(names, names, ragged(rows), ragged(ignored), Dropped(), weights)


def test_without_weights_nothing_is_drawn():
    assert sampling.make_sampler(made([[0], []])) is None


def test_balanced_classes_are_drawn_alike():
    rows = [[0]] * 8 + [[1, 1]] * 2 + [[2]] * 6
    sampler = sampling.make_sampler(made(rows), "balanced")
    for epoch in range(5):
        drawn = sampler.draw(16, 3, epoch)
        found = np.bincount([rows[row][0] for row in drawn], minlength=3)
        assert np.abs(found - 16 / 3).max() < 1


def test_the_rarest_class_of_an_image_decides_its_weight():
    # In images: class 0 three times, class 1 once.
    weights = sampling.make_sampler(made([[0], [0], [0, 0, 1]]), "balanced").weights
    np.testing.assert_allclose(weights, [1 / 5, 1 / 5, 3 / 5])  # 1/3, 1/3, 1


def test_balanced_leaves_images_without_objects_their_share():
    rows = [[0], [0], [0], [1], [], []]
    weights = sampling.make_sampler(made(rows), "balanced").weights
    np.testing.assert_allclose(weights[4:], 1 / 6)
    np.testing.assert_allclose(weights[:4], [4 / 36] * 3 + [4 / 12])


@pytest.mark.parametrize("name", ["", "balanced", "score"])
def test_negatives_have_the_share_that_is_asked_for(name):
    rows = [[], [], *[[0]] * 12, *[[1]] * 6]
    scores = np.arange(20) if name == "score" else None
    listing = made(rows, weights=scores)
    for share in (0.25, 0.5):
        sampler = sampling.make_sampler(listing, name, share)
        for epoch in range(5):
            drawn = sampler.draw(22, 3, epoch)
            assert abs((drawn < 2).sum() - 22 * share) < 1
            if name == "score":
                assert 0 not in drawn  # its score is 0
            if name == "balanced":
                blue = (drawn >= 14).sum()
                assert abs(blue - 22 * (1 - share) / 2) < 1


def test_a_crowd_is_no_background():
    listing = made([[], [], [0]], ignored=[[0], [], []])
    weights = sampling.make_sampler(listing, "", 0.5).weights
    np.testing.assert_allclose(weights, [0.25, 0.5, 0.25])


@pytest.mark.parametrize(
    ("listing", "name", "share", "line"),
    [
        (made([[0], [1]]), "", 0.2, "negative_fraction 0.2 needs images without obj"),
        (
            made([[], []]),
            "",
            0.2,
            "0.2 needs images with objects, got none among the 2",
        ),
        (made([[0], []], weights=[1, 0]), "a", 0.2, "without objects whose sample_wei"),
        (made([[0], []], weights=[0, 0]), "a", 0.0, "sample_weights 'a' must be above"),
    ],
)
def test_what_can_not_be_drawn_is_one_clear_line(listing, name, share, line):
    with pytest.raises(ValueError, match=line) as caught:
        sampling.make_sampler(listing, name, share)
    assert "\n" not in str(caught.value)


def test_weights_follow_their_images():
    listing = made([[0], [1], []], weights=[3, 2, 1]).take([2, 0])
    assert listing.weights.tolist() == [1, 3]
    assert made([[0], []]).take([1]).weights is None
    assert made([[0], []], weights=[1, 2]).take([]).weights.tolist() == []

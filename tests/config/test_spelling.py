import pytest

from yolov1_fo.config import spelling

KNOWN = (
    "sgd",
    "adam",
    "learning_rate",
    "backbone_lr_multiplier",
    "Traffic light",
    "Traffic sign",
)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("lerning_rate", ["learning_rate"]),
        ("ADAM", ["adam"]),  # ignoring case
        ("traffic", ["Traffic sign", "Traffic light"]),  # contained in both
        ("learning-rate", ["learning_rate"]),
        ("rmsprop", []),
        ("", []),
        (7, []),
        (None, []),
    ],
)
def test_nearest_names(name, near):
    assert spelling.nearest(name, KNOWN) == near


def test_known_names_are_accepted():
    spelling.check_names("setting", [], [])
    spelling.check_names("setting", ["adam", "sgd"], KNOWN)


@pytest.mark.parametrize(
    ("theirs", "ours"), [("lr", "learning_rate"), ("imgsz", "image_size")]
)
def test_names_of_other_libraries_have_ours_as_suggestion(theirs, ours):
    known = ["lambda_coord", "learning_rate", "image_size", "batch_size"]
    assert spelling.nearest(theirs, known) == [ours]
    assert spelling.nearest(theirs, (name for name in known)) == [ours]


def test_unknown_names_are_listed_with_suggestions():
    with pytest.raises(ValueError, match="unknown") as caught:
        spelling.check_names("setting", ["adam", "Backbone_lr", "sdg"], KNOWN)
    assert str(caught.value) == (
        "unknown setting Backbone_lr (did you mean backbone_lr_multiplier?), "
        f"sdg (did you mean sgd?); there are: {', '.join(KNOWN)}"
    )


@pytest.mark.parametrize(("name", "listed"), [("name7", False), ("else", True)])
def test_many_names_are_listed_only_without_suggestion(name, listed):
    known = [f"name_{number}" for number in range(spelling.MAX_LISTED + 1)]
    with pytest.raises(ValueError, match=f"unknown class {name}") as caught:
        spelling.check_names("class", [name], known)
    assert ("there are" in str(caught.value)) is listed
    assert "\n" not in str(caught.value)


def test_nearest_names_are_sorted_by_similarity():
    assert spelling.nearest("name_10x", ["name_1", "name_10", "name_100"], 2) == [
        "name_10",
        "name_100",
    ]

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
        ("ADAM", ["adam"]),  # in whatever case
        ("traffic", ["Traffic sign", "Traffic light"]),  # a part of them
        ("learning-rate", ["learning_rate"]),
        ("rmsprop", []),
        ("", []),
        (7, []),
        (None, []),
    ],
)
def test_nearest_is_what_was_likely_meant(name, near):
    assert spelling.nearest(name, KNOWN) == near


def test_known_names_are_no_error():
    spelling.check("setting", [], [])
    spelling.check("setting", ["adam", "sgd"], KNOWN)


def test_each_unknown_name_is_told_with_what_was_meant():
    with pytest.raises(ValueError, match="unknown") as caught:
        spelling.check("setting", ["adam", "Backbone_lr", "sdg"], KNOWN)
    assert str(caught.value) == (
        "unknown setting Backbone_lr (did you mean backbone_lr_multiplier?), "
        f"sdg (did you mean sgd?); there are: {', '.join(KNOWN)}"
    )


@pytest.mark.parametrize(("name", "listed"), [("name7", False), ("else", True)])
def test_many_names_are_listed_only_where_none_is_near(name, listed):
    known = [f"name_{number}" for number in range(spelling.FEW + 1)]
    with pytest.raises(ValueError, match=f"unknown class {name}") as caught:
        spelling.check("class", [name], known)
    assert ("there are" in str(caught.value)) is listed
    assert "\n" not in str(caught.value)


def test_similar_names_come_in_the_order_of_likeness():
    assert spelling.nearest("name_10x", ["name_1", "name_10", "name_100"], 2) == [
        "name_10",
        "name_100",
    ]

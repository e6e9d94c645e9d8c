"""benchmarks/choosing.py: trials, their images, and continuing from a file."""

import pytest

from benchmarks import choosing
from benchmarks.choosing import ACTIVE, RANDOM, Photographs, Trial

SIZES = (2, 3, 5)


@pytest.fixture
def data(painted):
    return Photographs(painted.match_tags("train"), painted.match_tags("val"))


def test_each_training_comes_after_those_that_choose_its_images():
    assert choosing.trials([7], (40, 100, 200)) == [
        Trial(7, RANDOM, 40),
        Trial(7, ACTIVE, 100),
        Trial(7, RANDOM, 100),
        Trial(7, ACTIVE, 200),
        Trial(7, RANDOM, 200),
    ]


def trained(data):
    """Returns a stand-in for `run`, whose models choose the first names left."""

    def train(trial, rows):
        names = choosing.images(data, trial, rows)
        larger = [size for size in SIZES if size > trial.size]
        left = [name for name in data.names() if name not in names]
        is_choosing = larger and (trial.size == SIZES[0] or trial.choice == ACTIVE)
        count = larger[0] - trial.size if is_choosing else 0
        more = {"settings": {}, "voc07": 0.5, "images": names, "next": left[:count]}
        return {**trial._asdict(), **more}

    return train


def test_both_ways_start_from_the_same_images(data):
    wanted = choosing.trials([0, 1], SIZES)
    *_, rows = choosing.measure(data, wanted, [], trained(data))
    for seed in (0, 1):
        of = {(x["choice"], x["size"]): x["images"] for x in rows if x["seed"] == seed}
        start = of[RANDOM, 2]
        for (choice, size), names in of.items():
            assert len(set(names)) == size
            assert names[:2] == start
            if choice == RANDOM:
                assert names == data.shuffled(seed)[:size]
        assert of[ACTIVE, 5][:3] == of[ACTIVE, 3]
    assert data.shuffled(0) != data.shuffled(1)


def test_a_file_is_completed_whatever_it_has(data):
    wanted = choosing.trials([0, 1], SIZES)
    *_, whole = choosing.measure(data, wanted, [], trained(data))
    for count in range(len(wanted)):
        left = choosing.missing(wanted, whole[:count], {})
        assert left == wanted[count:]
        *_, rows = choosing.measure(data, left, whole[:count], trained(data))
        assert rows == whole
    with pytest.raises(ValueError, match=r"measured with \{\}, not with"):
        choosing.missing(wanted, whole, {"epochs": 3})


def test_the_table_compares_both_ways(data):
    *_, rows = choosing.measure(
        data, choosing.trials([0, 1], (2, 3)), [], trained(data)
    )
    for row in rows:
        row["voc07"] += 0.1 * (row["choice"] == ACTIVE) + 0.01 * row["seed"]
    lines = choosing.printed(rows).splitlines()
    assert lines[1].split() == ["2", "0.505"]
    assert lines[2].split() == ["3", "0.505", "0.605", "+0.100", "+0.100"]


@pytest.mark.slow
def test_a_model_chooses_the_images_of_the_next_training(data, micro):
    settings = {**micro, "epochs": 1, "val_fraction": 0.0}
    start = choosing.run(data, Trial(0, RANDOM, 2), [], SIZES, **settings)
    assert len(start["next"]) == 1
    assert not set(start["next"]) & set(start["images"])
    active = choosing.run(data, Trial(0, ACTIVE, 3), [start], SIZES, **settings)
    assert active["images"] == [*start["images"], *start["next"]]
    assert len(active["next"]) == 2
    last = choosing.run(data, Trial(0, RANDOM, 5), [start, active], SIZES, **settings)
    assert last["next"] == []

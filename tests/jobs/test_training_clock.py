"""The progress of a job's training, with and without a time limit."""

import pytest

from yolov1_fo.jobs.training_clock import TrainingClock


class Steps:
    """A training of which each step takes as long as the test says."""

    def __init__(self, **options):
        self.time = 1000.0
        self.clock = TrainingClock(now=lambda: self.time, **options)

    def at(self, seconds, epoch, epochs, step, steps=4):
        self.time = 1000.0 + seconds
        return self.clock.at_step(epoch, epochs, step, steps)


def test_without_a_limit_the_steps_count():
    training = Steps()
    assert training.at(20, 1, 2, 1) == (0.125, "epoch 1 of 2, step 1 of 4")
    # The first step includes compiling; 3 s later the speed is not known yet.
    assert training.at(23, 1, 2, 2) == (0.25, "epoch 1 of 2, step 2 of 4")
    # 30 s for two steps, five are left: 75 s.
    line = "epoch 1 of 2, step 3 of 4, about 1 minute and 15 seconds left"
    assert training.at(50, 1, 2, 3) == (0.375, line)
    assert training.at(200, 2, 2, 4)[0] == 1


def test_with_a_limit_the_time_counts():
    training = Steps(max_minutes=2)
    line = "epoch 1 of 30, step 1 of 4, about 1 minute and 24 seconds left"
    assert training.at(36, 1, 30, 1) == (pytest.approx(0.3, abs=1e-4), line)
    # The number of epochs changes; neither progress nor remaining time jumps.
    done, line = training.at(60, 2, 7, 1)
    assert done == pytest.approx(0.5, abs=1e-4)
    assert line == "epoch 2 of 7, step 1 of 4, about 1 minute left"
    assert training.at(90, 3, 5, 1)[0] == pytest.approx(0.75, abs=1e-4)
    done, line = training.at(130, 5, 5, 4)  # late
    assert done == 1
    assert line.endswith("about 0 seconds left")


def test_the_progress_with_a_limit_never_decreases():
    training = Steps(max_minutes=1)
    plans = [30, 30, 4, 9, 5, 12, 6, 6]  # epochs
    found = [training.at(5 + 8 * n, n + 1, one, 4)[0] for n, one in enumerate(plans)]
    assert found == sorted(found)
    assert all(0 <= one <= 1 for one in found)


def test_epochs_can_end_a_training_before_its_limit():
    training = Steps(max_minutes=10, max_epochs=2)
    training.at(10, 1, 2, 1)
    # Four steps in 40 s: three are left, although the limit is 9 minutes away.
    done, line = training.at(50, 2, 2, 1)
    assert done == 0.625
    assert line == "epoch 2 of 2, step 1 of 4, about 30 seconds left"


def test_a_resumed_training_has_used_a_part_of_its_limit():
    training = Steps(max_minutes=2, seconds_before=60)
    done, line = training.at(15, 6, 9, 1)
    assert done == 0.625
    assert line.endswith("about 45 seconds left")


@pytest.mark.parametrize(
    ("settings", "limit", "epochs"),
    [
        ({}, 0, 100_000),
        ({"max_minutes": None, "epochs": 3}, 0, 3),
        ({"max_minutes": 0.5}, 30, 100_000),
        ({"max_minutes": 2, "epochs": 7}, 120, 7),
    ],
)
def test_the_clock_of_given_settings(settings, limit, epochs):
    clock = TrainingClock.of_settings(settings)
    assert (clock.limit, clock.max_epochs) == (limit, epochs)

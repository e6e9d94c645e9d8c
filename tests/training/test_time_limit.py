"""Trainings that must end in time, with a clock of the test's own."""

import json
import math
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.test_resume import assert_same_run, cut, train
from yolov1_fo.config import MAX_EPOCHS, TrainConfig
from yolov1_fo.training import loop, schedules
from yolov1_fo.training.time_limit import Pace, TimeLimit


class Clock:
    """A clock that a simulated training moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Model:
    stop_training = False


def simulate(seconds, step_seconds, end_seconds, steps=50, start=5.0, **options):
    """Runs `TimeLimit` without a training; returns the seconds taken and the paces.

    Args:
        seconds: the limit
        step_seconds: function of the time
        end_seconds: to validate and save
    """
    clock, paces = Clock(), []
    given = {"max_steps": 10**9, "pace": Pace(0, 0.0, 30 * steps), **options}
    limit = TimeLimit(seconds, clock, steps, set_pace=paces.append, **given)
    limit.set_model(Model())
    clock.now = start
    for epoch in range(10**6):
        limit.on_epoch_begin(epoch)
        for batch in range(steps):
            clock.now += step_seconds(clock.now) + 8.0 * (epoch == batch == 0)
            limit.on_train_batch_end(batch)
            if limit.model.stop_training:
                break
        clock.now += end_seconds
        if limit.model.stop_training:
            return clock.now, paces
    raise AssertionError("never stopped")


@pytest.mark.parametrize("minutes", [1, 3, 10, 20])
@pytest.mark.parametrize("step_seconds", [0.02, 0.3, 2.0])
@pytest.mark.parametrize("end_seconds", [0.5, 6.0])
def test_it_ends_within_a_tenth_of_the_limit(minutes, step_seconds, end_seconds):
    taken, _ = simulate(60 * minutes, lambda now: step_seconds, end_seconds)
    assert 0.9 * 60 * minutes <= taken <= 1.1 * 60 * minutes


@pytest.mark.parametrize("period", [30, 120, 700])
def test_it_ends_in_time_while_the_speed_drifts_by_a_third(period):
    def step_seconds(now):
        return 0.2 * (1 + math.sin(2 * math.pi * now / period) / 3)

    for minutes in (3, 8, 15):
        taken, _ = simulate(60 * minutes, step_seconds, 3.0)
        assert 0.9 * 60 * minutes <= taken <= 1.1 * 60 * minutes


@pytest.mark.parametrize("factor", [2 / 3, 4 / 3])
def test_it_ends_in_time_when_the_speed_changes_for_good(factor):
    for minutes in (3, 8, 15):
        limit = 60 * minutes
        taken, _ = simulate(
            limit, lambda now, t=limit: 0.2 * (factor if now > 0.6 * t else 1), 3.0
        )
        assert 0.9 * limit <= taken <= 1.1 * limit


def test_a_steady_machine_decides_once():
    _, paces = simulate(600, lambda now: 0.2, 3.0)
    assert len(paces) <= 3  # the plan, its correction after the first epoch, the end


def test_progress_goes_from_0_to_1_without_jumps():
    _, paces = simulate(300, lambda now: 0.2 + 0.1 * (now > 100), 3.0)
    steps = [pace.step for pace in paces]
    assert steps == sorted(steps)
    before = Pace(0, 0.0, 1500)
    for pace in paces:
        assert pace.progress == pytest.approx(before.at(pace.step))
        before = pace
    assert before.at(before.total_steps) == 1


def test_given_epochs_are_the_largest_number():
    taken, paces = simulate(6000, lambda now: 0.01, 0.5, max_steps=100)
    assert paces[-1].total_steps == 100
    assert taken < 20


def test_a_limit_that_is_over_at_once_ends_after_a_few_steps():
    taken, paces = simulate(1, lambda now: 0.1, 0.5)
    assert paces[-1].total_steps < 10
    assert taken < 20


def rates(schedule, pace, steps, **settings):
    config = TrainConfig(max_minutes=5, schedule=schedule, **settings)
    made = schedules.Schedule(config, 10)
    made.set_pace(pace)
    assert [made.rate(step) for step in steps] == [float(made(step)) for step in steps]
    return np.array([float(made(step)) for step in steps])


def test_the_schedule_follows_the_pace():
    pace = Pace(100, 0.5, 200)
    steps = [100, 150, 200]
    # cosine: half, 1/2 (1 + cos(3/4 pi)), 0
    expected = 1e-2 * np.array([0.5, 0.5 * (1 - math.sqrt(0.5)), 0.0])
    assert rates("cosine", pace, steps) == pytest.approx(expected, abs=1e-7)
    assert rates("constant", pace, steps) == pytest.approx([1e-2] * 3)
    # 75/135 = 0.556, 105/135 = 0.778
    assert rates("paper", pace, [100, 120, 160]) == pytest.approx([1e-2, 1e-3, 1e-4])


def test_the_warm_up_is_at_most_a_tenth_of_the_training():
    whole = Pace(0, 0.0, 100)  # 10 epochs
    warm = rates("constant", whole, [0, 5], warmup_epochs=3.0)
    assert warm == pytest.approx([1e-2] * 2)  # constant has no warm-up
    short = rates("cosine", whole, [0, 10], warmup_epochs=3.0)
    assert short[0] == pytest.approx(1e-3)
    assert short[1] == pytest.approx(1e-2 * 0.5 * (1 + math.cos(0.1 * math.pi)))


@pytest.fixture
def two_seconds_per_step(monkeypatch):
    """The clock of a training shows two seconds for each step, in all processes."""

    def elapsed(self):
        return 2.0 * int(self.learner.step.numpy())

    monkeypatch.setattr(loop.Session, "_elapsed", elapsed)


LIMITED = {"schedule": "cosine", "max_minutes": 0.5}


@pytest.mark.slow
def test_the_decision_is_kept_with_the_run(painted, micro, two_seconds_per_step):
    # 0.98 * 30 s, less 2 s for the last checkpoint: 13 steps; epochs have 3
    run = train(painted, **micro, **LIMITED)
    assert len(run.history["loss"]) == 5
    record = painted.get_run_info(run.run_key).config
    assert record.settings["epochs"] == 5
    assert record.settings["max_minutes"] == 0.5
    assert record.status == "finished"
    assert run.config.epochs == 5
    assert run.stop_reason == ""
    metadata = json.loads((Path(run.checkpoint_dir) / "run.json").read_text())
    assert metadata["settings"]["max_minutes"] == 0.5


@pytest.mark.slow
def test_a_limit_for_few_of_the_planned_epochs_is_a_warning(
    painted, micro, two_seconds_per_step, caplog
):
    train(painted, **micro, schedule="cosine", max_minutes=0.5)
    (warning,) = [one for one in caplog.messages if "is enough for about" in one]
    assert re.fullmatch(
        r"max_minutes=0\.5 is enough for about \d of the \d+ epochs that the recipe "
        r"plans, .* a smaller image_size than 32",
        warning,
    )


@pytest.mark.slow
def test_resumed_it_is_as_if_never_stopped(painted, micro, two_seconds_per_step):
    settings = {**micro, **LIMITED, "jitter": 0.1}
    whole = train(painted, run_key="whole", **settings)
    cut(painted, 4, **settings)
    run = train(painted, resume="cut", progress=False)
    assert_same_run(run, whole)
    assert run.config.epochs == whole.config.epochs == 5


@pytest.mark.slow
def test_a_callback_is_not_blamed_for_the_end(painted, micro, two_seconds_per_step):
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]
    run = train(painted, callbacks=callbacks, **micro, **LIMITED)
    assert run.stop_reason == ""


@pytest.mark.slow
def test_given_epochs_end_a_training_before_its_time(
    painted, micro, two_seconds_per_step
):
    run = train(painted, epochs=2, **micro, **LIMITED)
    assert len(run.history["loss"]) == 2


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"max_minutes": -1}, r"max_minutes must be in \[0, 525600\], got -1"),
        ({"max_minutes": "5"}, "max_minutes must be a number, got '5'"),
        (
            {"max_minutes": 5, "schedule": "darknet-yolov1"},
            "max_minutes needs a schedule among paper, cosine, constant, got",
        ),
    ],
)
def test_bad_limits_are_one_line(painted, micro, given, line):
    with pytest.raises(ValueError, match=line):
        train(painted, **{**micro, **given})
    assert not painted.list_runs()


@pytest.mark.slow
def test_the_planned_epochs_are_reported_with_each_step(
    painted, micro, two_seconds_per_step
):
    seen = []
    run = train(painted, on_step=lambda *step: seen.append(step), **micro, **LIMITED)
    epoch, epochs, *_ = seen[-1]
    assert epoch == epochs == run.config.epochs == len(run.history["loss"])
    assert all(epoch <= epochs < MAX_EPOCHS for epoch, epochs, *_ in seen)

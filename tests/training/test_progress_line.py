"""The progress line: its text, its place on a terminal, and in a training."""

import io
import itertools
import logging
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

import yolov1_fo
from yolov1_fo.config import TrainConfig
from yolov1_fo.config.train import MONITORS
from yolov1_fo.training import progress_text
from yolov1_fo.training.callbacks import EndOfEpoch
from yolov1_fo.training.progress import Progress
from yolov1_fo.training.progress_line import ProgressLine
from yolov1_fo.training.progress_text import Snapshot
from yolov1_fo.training.status_line import StatusLine
from yolov1_fo.training.training_speed import TrainingSpeed

DAY = 24 * 3600
USUAL = Snapshot(
    *(3, 30, 50, 100),
    seconds_left=271,
    loss=1.234,
    metric="val_voc07",
    score=0.512,
    best=0.53,
    rate=41,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def columns(monkeypatch, count):
    monkeypatch.setattr(
        "shutil.get_terminal_size", lambda fallback: os.terminal_size((count, 24))
    )


def shown(text):
    """Returns the lines that a terminal shows at the end, without trailing blanks."""
    lines = [""]
    for part in text.replace("\n", "\r\n").split("\r"):
        if part.startswith("\n"):
            lines.append(part[1:])
        else:
            lines[-1] = part + lines[-1][len(part) :]
    return [one.rstrip() for one in lines]


def longest(text):
    return max(map(len, text.replace("\r", "\n").split("\n")))


def test_a_usual_line():
    assert progress_text.line(USUAL) == (
        "epoch  3/30  step  50/100   4 min 31 s left  loss 1.234  VOC07 mAP@0.5 0.512 "
        "(best 0.530)  41 images/s"
    )


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"activity": "validating"}, "epoch  3/30  validating     4 min 31 s left  "),
        ({"seconds_left": None}, "epoch  3/30  step  50/100  loss 1.234"),
        ({"seconds_left": math.nan}, "epoch  3/30  step  50/100  loss 1.234"),
        ({"seconds": 724}, "step  50/100     in 12 min 4 s  loss 1.234"),
        ({"loss": None}, "4 min 31 s left  VOC07 mAP@0.5 0.512"),
        ({"loss": 12.3456}, "loss 12.35  VOC07"),
        ({"loss": math.nan}, "loss   nan  VOC07"),
        ({"score": None}, "VOC07 mAP@0.5     - (best 0.530)"),
        ({"score": math.nan, "best": math.nan}, "loss 1.234  41 images/s"),
        ({"metric": "val_top1"}, "accuracy 0.512 (best 0.530)"),
        ({"metric": "val_f1"}, "F1 0.512 (best 0.530)"),
        ({"metric": "val_ap50"}, "AP@0.5 0.512 (best 0.530)"),
        ({"metric": "val_coco_map"}, "mAP@[.5:.95] 0.512 (best 0.530)"),
        ({"metric": "val_loss", "score": 21}, "val loss 21.00 (best 0.530)"),
        ({"metric": "loss", "best": 1.1}, "loss 1.234 (best 1.100)  41 images/s"),
        ({"metric": ""}, "loss 1.234  41 images/s"),
        ({"rate": 4.56}, "  4.6 images/s"),
        ({"rate": None}, "(best 0.530)"),
    ],
)
def test_parts_of_the_line(changed, text):
    assert text in progress_text.line(USUAL._replace(**changed))


EXTREMES = {
    "epoch": (1, 10000),
    "steps": (100, 1234567),
    "seconds_left": (None, 0, 3599, 3 * DAY + 7200, 10000 * DAY, math.inf),
    "loss": (None, 0.0, 1e9, 1e300, -1e9, math.nan, math.inf),
    "metric": ("", *MONITORS, "val_top1"),
    "rate": (None, 0.0, 1e9, math.inf),
}


def test_no_line_is_wider_than_the_terminal():
    widest = 0
    for values in itertools.product(*EXTREMES.values()):
        changed = dict(zip(EXTREMES, values, strict=True))
        step = changed["steps"]
        shot = USUAL._replace(**changed, epochs=10000, step=step, best=1e9, score=1e9)
        for width in (1, 7, 20, 40, 79, 100):
            text = progress_text.line(shot, width)
            assert len(text) <= width
            assert text.startswith("epoch "[:width])
            assert "\n" not in text
            widest = max(widest, len(text))
    assert widest > 90  # the room is used


def test_a_narrow_terminal_shows_what_matters_most():
    lines = {width: progress_text.line(USUAL, width) for width in (79, 60, 40, 20, 5)}
    assert lines == {
        79: "epoch  3/30  step  50/100   4 min 31 s left  loss 1.234  VOC07 mAP@0.5 "
        "0.512",
        60: "epoch 3/30 4 min 31 s left loss 1.234 VOC07 mAP@0.5 0.512",
        40: "epoch  3/30   4 min 31 s left",
        20: "epoch  3/30",
        5: "epoch",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (DAY - 20, "1 d 0 h"),
        (3 * DAY, "3 d 0 h"),
    ],
)
def test_durations_round_into_the_next_unit(seconds, text):
    assert progress_text.duration(seconds) == text


def test_every_metric_has_a_short_name():
    assert {*MONITORS, "val_top1"} == {*progress_text.SHORT_NAMES}


def test_the_monitored_metric_is_what_was_measured():
    cases = [
        ("val_f1", {"loss", "val_loss", "val_voc07", "val_f1"}, "val_f1"),
        ("val_loss", {"loss", "val_loss", "val_voc07"}, "val_loss"),
        ("val_f1", {"loss", "val_loss", "val_top1"}, "val_top1"),
        ("val_voc07", {"loss"}, "loss"),
        ("val_voc07", {}, "loss"),
    ]
    for monitor, metrics, name in cases:
        assert progress_text.monitored(monitor, metrics) == name


def test_a_terminal_shows_the_last_text_only(monkeypatch):
    columns(monkeypatch, 20)
    stream = Terminal()
    with StatusLine(stream) as line:
        line.show("a long text of more than 20 columns")
        assert shown(stream.getvalue()) == ["a long text of more"]  # 19
        assert not line.is_due()
        line.show("short")
        assert shown(stream.getvalue()) == ["short"]
        line.keep("first")
        line.show("second")
        columns(monkeypatch, 4)
        line.show("x")
        assert stream.getvalue().endswith("\rx  ")  # it does not wrap
        line.show("third")
    assert shown(stream.getvalue())[0] == "first"
    assert stream.getvalue().endswith("\r   \r")


def test_log_lines_do_not_meet_the_line(monkeypatch):
    columns(monkeypatch, 60)
    stream = Terminal()
    handler = logging.StreamHandler(stream)
    loggers = [logging.getLogger(name) for name in ("yolov1_fo.training.x", "another")]
    for logger in loggers:
        logger.addHandler(handler)
    before = logging.getLogRecordFactory()
    with StatusLine(stream) as line:
        for logger in loggers:
            line.show("epoch 1/2 step 3/4")
            logger.warning("careful")
        line.show("epoch 1/2 step 4/4")
    loggers[0].warning("after")
    for logger in loggers:
        logger.removeHandler(handler)
    assert shown(stream.getvalue()) == ["careful", "careful", "after", ""]
    assert logging.getLogRecordFactory() is before


def test_an_error_keeps_the_line(monkeypatch):
    columns(monkeypatch, 60)
    stream = Terminal()
    line = StatusLine(stream)

    def stop():
        with line:
            line.show("epoch 1/2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert shown(stream.getvalue()) == ["epoch 1/2", ""]


def test_a_file_gets_only_the_lines_that_stay():
    stream = io.StringIO()
    with StatusLine(stream) as line:
        line.show("one")
        assert not line.is_due()
        line.keep("two")
    assert stream.getvalue() == "two\n"
    with StatusLine(None) as line:
        line.show("one")
        line.keep("two")


def measured(steps, *events, val_images=0, per_execution=1, **settings):
    """Returns the speed after (seconds, epoch, step); step None ends the epoch."""
    now = [0.0]
    config = TrainConfig(**{"batch_size": 4, **settings})
    speed = TrainingSpeed(config, steps, val_images, lambda: now[0])
    current = 0
    for seconds, epoch, step in events:
        if epoch != current:
            speed.begin_epoch()
            current = epoch
        now[0] += seconds
        if step is None:
            speed.end_epoch(epoch)
        else:
            speed.end_step(step)
    return speed


def test_the_time_left_counts_steps_validations_and_writing():
    first = [(60, 1, 1), (2, 1, 2), (2, 1, 3), (2, 1, 4)]  # the first one compiles
    speed = measured(4, (60, 1, 1), val_images=6)
    assert speed.seconds_left(1, 1, 3) is None
    assert speed.images_per_second is None
    speed = measured(4, *first, val_images=6)
    # 8 steps of 2 s; 3 validations of 6 / 4 batches, each a third of 2 s
    assert speed.seconds_left(1, 4, 3) == pytest.approx(16 + 3 * 1.0)
    assert speed.images_per_second == 2
    speed = measured(4, *first, (5, 1, None), val_images=6)
    assert speed.seconds_left(2, 0, 3) == 16 + 2 * 5
    assert speed.seconds_left(4, 0, 3) == 0
    speed = measured(4, *first, (5, 1, None), (1, 2, 1), val_images=6)
    assert speed.images_per_second == 4  # of this epoch
    # 7 steps of (6 + 1) / 4 s
    assert speed.seconds_left(2, 1, 3) == 7 * 1.75 + 2 * 5


def test_the_time_left_knows_which_epochs_are_validated():
    ends = [(1, 1, 1), (1, 1, 2), (3, 1, None), (1, 2, 1), (1, 2, 2), (9, 2, None)]
    speed = measured(2, *ends, validation_freq=2, epochs=7)
    # epochs 3, 5 write; 4, 6 and 7, the last one, are validated too
    assert speed.seconds_left(3, 0, 7) == 5 * 2 + 2 * 3 + 3 * 9


def test_several_steps_per_execution_are_counted_as_steps():
    speed = measured(8, (9, 1, 4), (4, 1, 8))
    assert speed.images_per_second == 4  # 4 steps of 4 images in 4 s
    assert speed.seconds_left(1, 8, 2) == 8


def test_a_resumed_training_shows_its_best_epoch(monkeypatch):
    columns(monkeypatch, 101)
    config = TrainConfig(epochs=9, batch_size=4)
    progress = Progress()
    for epoch, score in ((1, 0.5), (2, 0.25)):
        progress.add(epoch, {"loss": 1.0, "val_loss": 2.0, "val_voc07": score})
    stream, now = Terminal(), [0.0]
    line = StatusLine(stream)
    monkeypatch.setattr(line, "is_due", lambda: True)
    speed = TrainingSpeed(config, 4, clock=lambda: now[0])
    told = ProgressLine(line, lambda: config, progress, speed)
    told.on_epoch_begin(2)
    assert shown(stream.getvalue()) == [
        "epoch 3/9  compiling  VOC07 mAP@0.5 0.250 (best 0.500)"
    ]
    for batch in range(2):
        now[0] += 2
        told.on_train_batch_end(batch, {"loss": 3.0})
    assert shown(stream.getvalue()) == [  # 26 steps of 2 s
        "epoch 3/9  step 2/4         52 s left  loss 3.000  VOC07 mAP@0.5 0.250 "
        "(best 0.500)  2.0 images/s"
    ]
    longer = replace(config, epochs=20)
    told = ProgressLine(
        line, lambda: longer, progress, speed, seconds_left=lambda: 30.0
    )
    told.say("validating")
    assert shown(stream.getvalue())[-1].startswith(
        "epoch  3/20  validating         30 s"
    )


def test_early_stopping_says_why(caplog):
    config = TrainConfig(epochs=9, patience=2)
    progress = Progress()
    model = SimpleNamespace(stop_training=False)

    def end(epoch, logs):
        scores = {"val_loss": 2.0, "val_voc07": 0.5 - epoch / 10}
        progress.add(epoch, {"loss": 1.0, **scores})

    callback = EndOfEpoch(lambda: config, progress, end)
    callback.set_model(model)
    with caplog.at_level(logging.INFO):
        for epoch in range(3):
            assert not model.stop_training
            callback.on_epoch_end(epoch, {})
    reason = "val_voc07 has not exceeded 0.4 of epoch 1 for 2 epochs"
    assert model.stop_training
    assert caplog.messages == [f"stopped early: {reason}"]
    assert progress.stop_reason(config) == reason
    assert progress.stop_reason(TrainConfig(epochs=3, patience=2)) == ""
    assert Progress().stop_reason(config) == ""


def trained(monkeypatch, stream, dataset, micro, **settings):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        patch.setattr(logging.getLogger("yolov1_fo"), "level", logging.WARNING)
        run = yolov1_fo.train(
            dataset.match_tags("train"),
            val_samples=dataset.match_tags("val"),
            **{**micro, "epochs": 3, "progress": True, **settings},
        )
    return run, stream.getvalue()


@pytest.mark.slow
def test_a_training_on_a_terminal(painted, micro, monkeypatch):
    columns(monkeypatch, 100)
    monkeypatch.setattr("yolov1_fo.training.status_line.REDRAW_SECONDS", 0.0)
    run, text = trained(monkeypatch, Terminal(), painted, micro, steps_per_execution=3)
    assert longest(text) <= 99
    lines = shown(text)
    assert len(lines) == 4
    assert lines[3] == ""
    for epoch, line in enumerate(lines[:3], 1):
        score, loss = (run.history[name][epoch - 1] for name in ("val_voc07", "loss"))
        best = max(run.history["val_voc07"][:epoch])
        assert line.startswith(f"epoch {epoch}/3  step 3/3  ")
        assert f"loss {progress_text.value('loss', loss):>5}  " in line
        assert f"VOC07 mAP@0.5 {score:.3f} (best {best:.3f})" in line
    assert " left  loss" in lines[1]
    assert " in " in lines[2]
    assert "images/s" in lines[2]
    for word in ("reading 8 images", "compiling", "validating", "saving"):
        assert word in text
    assert text.index("compiling") < text.index("validating") < text.index("saving")
    assert text.count("compiling") == 1


@pytest.mark.slow
def test_a_training_without_a_terminal(painted, micro, monkeypatch):
    run, text = trained(
        monkeypatch, io.StringIO(), painted, micro, validation_freq=2, run_key="mine"
    )
    assert "\r" not in text
    lines = text.splitlines()
    assert [line[:21] for line in lines] == [f"epoch {n}/3  step 3/3  " for n in "123"]
    assert "VOC07" not in lines[0]  # not validated yet
    assert f"VOC07 mAP@0.5 {run.best['val_voc07']:.3f} (best " in lines[1] + lines[2]
    _, text = trained(
        monkeypatch, Terminal(), painted, micro, progress=False, run_key="silent"
    )
    assert text == ""

"""Images are drawn by their weights, the same ones after a resume."""

import logging

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

from tests.training.test_resume import SETTINGS, assert_same_run, cut, train
from yolov1_fo.datasets import sample_weights_field
from yolov1_fo.runs import records
from yolov1_fo.training import input_pipeline, plan
from yolov1_fo.training.distribution import ONE
from yolov1_fo.training.tasks import DETECT


@pytest.fixture
def weighted(painted):
    """The painted images with field `score`: 0, 1, 2 ..."""
    painted.set_values("score", [float(number) for number in range(len(painted))])
    painted.add_sample_field("rank", fo.IntField)
    return painted


def made(samples, **settings):
    """Returns the input pipeline of a training."""
    arguments = dict.fromkeys(("resume", "run_key", "classes", "runs_dir"))
    planned = plan.make(
        *(DETECT, samples, "ground_truth", None, settings.pop("network")),
        **arguments,
        settings={"data": "host", **settings},
    )
    return input_pipeline.InputPipeline(planned, ONE)


def drawn(source, pixels, epochs=4):
    """Returns how often each file is fed, by the pixels in the batches."""
    batches, counts = iter(source.batches()), np.zeros(len(pixels), int)
    for _ in range(source.steps * epochs):
        for image in np.asarray(next(batches)["images"]):
            counts[np.flatnonzero((pixels == image).all((1, 2, 3)))[0]] += 1
    return dict(zip(source.listing.filepaths, counts.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["host", "stream"])
def test_batches_hold_the_images_that_are_drawn(weighted, micro, mode, tmp_path):
    settings = {key: value for key, value in micro.items() if key != "progress"}
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    weighted.add_sample(fo.Sample(filepath=broken, score=9.0))
    settings["sample_weights"] = "score"
    pixels = np.asarray(made(weighted, **settings).pixels)
    source = made(weighted, **{**settings, "data": mode})
    counts = drawn(source, pixels)
    by_file = dict(zip(*weighted.values(["filepath", "score"]), strict=True))
    assert str(broken) in source.skipped
    for path, count in counts.items():  # 4 epochs of 8 images; the scores' sum is 28
        assert abs(count - 32 * by_file[path] / 28) < 4
    assert sum(counts.values()) == 32
    assert counts[weighted.first().filepath] == 0


@pytest.mark.slow
def test_negatives_come_as_often_as_asked_for(weighted, micro):
    settings = {key: value for key, value in micro.items() if key != "progress"}
    source = made(weighted, **settings, negative_fraction=0.5)
    (empty,) = weighted.match(F("ground_truth.detections").length() == 0).values(
        "filepath"
    )
    counts = drawn(source, np.asarray(source.pixels))
    assert counts[empty] == sum(counts.values()) / 2 == 16


@pytest.mark.parametrize("hidden", [False, True])
def test_a_field_is_read_in_the_order_of_the_samples(weighted, hidden):
    view = weighted.limit(5).select_fields("ground_truth") if hidden else weighted
    ids = view.values("id")[1:4][::-1]
    read = sample_weights_field.read(view, "score", ids)
    assert read.dtype == np.float64
    assert read.tolist() == [3, 2, 1]
    doubled = weighted.set_field("score", F("score") * 2)  # a view's own numbers
    assert sample_weights_field.read(doubled, "score", ids).tolist() == [6, 4, 2]


def test_frames_have_weights_of_their_own(tmp_path):
    videos = fo.Dataset()
    video = fo.Sample(filepath=str(tmp_path / "video.mp4"))
    for number in (1, 2, 3):
        name = str(tmp_path / f"{number}.png")
        video.frames[number] = fo.Frame(filepath=name, score=float(number))
    videos.add_sample(video)
    frames = videos.to_frames(sample_frames=False)
    hidden = frames.exclude_fields("score")
    for view in (frames, hidden):
        ids = view.values("id")
        assert sample_weights_field.read(view, "score", ids).tolist() == [1, 2, 3]
    videos.delete()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, r"numbers of at least 0, got None for '.*0.png' and 1 more"),
        (-1.0, r"numbers of at least 0, got -1.0 for '.*0.png' and 1 more"),
        (float("inf"), "numbers of at least 0, got inf for"),
        (float("nan"), "numbers of at least 0, got nan for"),
        (0.0, "must be above 0 for some samples, got 0 for all"),
    ],
)
def test_bad_values_are_one_clear_line(weighted, micro, value, line):
    weighted.limit(6 if value == 0 else 2).set_values(
        "score", [value] * (6 if value == 0 else 2)
    )
    with pytest.raises(ValueError, match=f"sample_weights 'score' on .* {line}") as one:
        train(weighted, sample_weights="score", **micro)
    assert "\n" not in str(one.value)
    assert not weighted.list_runs()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"sample_weights": "nope"}, "'nope' on .* is not there; .*: rank, score$"),
        ({"sample_weights": "tags"}, "'tags' on .* must hold one number per sample"),
        (
            {"sample_weights": "ground_truth.detections.confidence"},
            r"numbers of at least 0, got .* for",
        ),
        ({"sample_weights": "rank"}, r"'rank' on .* got None for '.*' and 5 more"),
    ],
)
def test_bad_fields_are_one_clear_line(weighted, micro, settings, line):
    with pytest.raises(ValueError, match=line) as caught:
        train(weighted, **micro, **settings)
    assert "\n" not in str(caught.value)
    assert not weighted.list_runs()


def test_a_split_without_negatives_is_one_clear_line(weighted, micro):
    some = weighted.match(F("ground_truth.detections").length() > 0)
    with pytest.raises(ValueError, match=r"negative_fraction .* needs images without"):
        train(some, negative_fraction=0.2, **micro)
    assert not weighted.list_runs()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["device", "stream"])
def test_resumed_is_as_if_never_stopped(weighted, micro, mode, caplog):
    settings = {
        **micro,
        **SETTINGS,
        "epochs": 3,
        "data": mode,
        "sample_weights": "balanced" if mode == "stream" else "score",
        "negative_fraction": 0.25,
    }
    weighted.match_tags("train").set_values("score", [1.0, 3.0, 2.0, 0.5, 4.0, 1.0])
    whole = train(weighted, run_key="whole", **settings)
    cut(weighted, 1, **settings)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert_same_run(train(weighted, resume="cut", progress=False), whole)
    assert not caplog.records
    assert records.info(weighted, "cut").sample_weights_digest


@pytest.mark.slow
def test_other_weights_are_noticed_by_a_resume(weighted, micro, caplog):
    weighted.set_values("score", [1.0] * 8)
    cut(weighted, 1, epochs=2, sample_weights="score", **micro)
    weighted.set_values("score", [1.0, 2.0] * 4)
    train(weighted, resume="cut", progress=False)
    assert "sample weights changed since run 'cut' started" in caplog.text


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_the_images_that_were_drawn(weighted, micro):
    weighted.match_tags("train").set_values("score", [0.0, 0, 0, 0, 1, 0])
    settings = {**micro, "learning_rate": 1e30, "schedule": "constant"}
    with pytest.raises(FloatingPointError) as caught:
        train(weighted, **settings, sample_weights="score")
    used = {path for path in weighted.values("filepath") if path in str(caught.value)}
    chosen = weighted.match_tags("train").match(F("score") > 0)
    assert used == set(chosen.values("filepath"))

"""What a training leaves behind in its process: nothing."""

import functools
import gc
import weakref

import numpy as np
import psutil
import pytest

from yolov1_fo.pipeline import batches, shuffling, streaming
from yolov1_fo.training import detector, examples, learner, loop
from yolov1_fo.training.input_pipeline import InputPipeline
from yolov1_fo.training.learner import Learner


def live_learners():
    gc.collect()
    return sum(issubclass(type(one), learner.Learner) for one in gc.get_objects())


def mapped():
    maps = psutil.Process().memory_maps(grouped=False)
    return [one.path for one in maps if "pixels" in one.path]


@pytest.mark.slow
def test_trainings_leave_no_file_and_no_memory(painted, micro):
    fds, counts = [], []
    for _ in range(3):
        detector.train(
            painted.match_tags("train"),
            val_samples=painted.match_tags("val"),
            epochs=1,
            data="host",
            **micro,
        )
        fds.append(psutil.Process().num_fds())
        assert live_learners() == 0
        counts.append(len(gc.get_objects()))
    assert mapped() == []
    assert fds[-1] == fds[-2]
    assert counts[-1] - counts[-2] < 1000  # a graph of a step has some 7000 objects


def of_memory(listing):
    pixels = np.zeros((len(listing.ids), 32, 32, 3), np.uint8)
    made = batches.HostBatches(pixels, listing.objects, batch_size=2, seed=1, width=4)
    return made.endless(), weakref.ref(pixels)


def of_files(listing):
    rows = functools.partial(shuffling.rows_from_step, 0, len(listing.ids), 2, seed=1)
    made = streaming.stream_batches(listing, rows, image_size=32, batch_size=2, width=4)
    return made, weakref.ref(listing.objects.boxes)


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_memory, of_files])
def test_batches_keep_their_images_and_nothing_else_does(painted, make):
    batches, kept = make(examples.load(painted, "ground_truth", ["blue", "red"]))
    iterator = iter(batches)
    del batches
    gc.collect()
    assert next(iterator)["images"].shape == (2, 32, 32, 3)
    assert kept() is not None
    del iterator
    gc.collect()
    assert kept() is None


@pytest.mark.slow
@pytest.mark.slow
def test_a_training_leaves_no_learner_and_no_images(painted, micro, monkeypatch):
    kept = []
    fit = Learner.fit

    def noting_fit(learner, *arguments, **options):
        kept.extend([weakref.ref(learner), weakref.ref(learner.network)])
        return fit(learner, *arguments, **options)

    monkeypatch.setattr(Learner, "fit", noting_fit)
    gc.disable()
    try:
        detector.train(painted, epochs=1, **{**micro, "data": "device"})
        assert len(kept) == 2
        assert [one() for one in kept] == [None, None]
    finally:
        gc.enable()


@pytest.mark.slow
def test_what_did_not_fit_is_deleted_before_the_next_try(painted, micro, monkeypatch):
    """The old learner, its network and its images are free when the new ones are made.

    A weak reference to each is dead by then.
    """
    old, alive = [], []
    build, fit = loop.build_learner, Learner.fit
    read = InputPipeline._readable

    def noting_read(pipeline, listing):
        alive.append(sum(one() is not None for one in old))
        listing, pixels, windows = read(pipeline, listing)
        old.append(weakref.ref(pixels))
        return listing, pixels, windows

    def noting_build(*arguments, **options):
        learner = build(*arguments, **options)
        old.extend([weakref.ref(learner), weakref.ref(learner.network)])
        return learner

    def limited_fit(learner, *arguments, **options):
        if learner.config.batch_size > 1:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return fit(learner, *arguments, **options)

    monkeypatch.setattr(InputPipeline, "_readable", noting_read)
    monkeypatch.setattr(loop, "build_learner", noting_build)
    monkeypatch.setattr(Learner, "fit", limited_fit)
    detector.train(painted, epochs=1, **{**micro, "batch_size": 4, "data": "host"})
    assert alive == [0, 0, 0]
    assert len(old) == 3 * 3

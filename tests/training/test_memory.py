"""What a training leaves behind in its process: nothing."""

import functools
import gc
import weakref

import numpy as np
import psutil
import pytest

from yolov1_fo.pipeline import batches
from yolov1_fo.training import detector, examples, learner, loop


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
    rows = functools.partial(batches.rows_from, 0, len(listing.ids), 2, seed=1)
    made = batches.stream(listing, rows, image_size=32, batch_size=2, width=4)
    return made, weakref.ref(listing.objects.boxes)


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


def test_what_did_not_fit_is_gone_before_it_is_tried_again(painted, micro, monkeypatch):
    tried, alive = [], []
    build, fit = loop.build_learner, loop.Learner.fit

    def noting_build(*arguments, **options):
        alive.append(sum(one() is not None for one in tried))
        return build(*arguments, **options)

    def limited_fit(learner, *arguments, **options):
        tried.extend([weakref.ref(learner), weakref.ref(learner.network)])
        if learner.config.batch_size > 1:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return fit(learner, *arguments, **options)

    monkeypatch.setattr(loop, "build_learner", noting_build)
    monkeypatch.setattr(loop.Learner, "fit", limited_fit)
    detector.train(painted, epochs=1, **{**micro, "batch_size": 4})
    assert alive == [0, 0, 0]

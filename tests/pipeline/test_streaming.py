import functools

import numpy as np
import pytest

from tests.pipeline.test_batches import host_batches
from tests.test_images import damaged, turned
from yolov1_fo.image_files import resizing
from yolov1_fo.pipeline import image_loading, objects, shuffling
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.streaming import stream_batches


@pytest.mark.parametrize("first", [0, 3])
def test_stream_and_host_have_the_same_batches(listing, first):
    rows = functools.partial(shuffling.rows_from_step, first, 8, 3, seed=1)
    stream = stream_batches(listing, rows, image_size=32, batch_size=3, width=4)
    assert stream.options().autotune.enabled is False
    host, batches = host_batches(listing), iter(stream)
    for step in range(first, 6):
        streamed = next(batches)
        for key, values in host[step][0].items():
            np.testing.assert_array_equal(values, streamed[key])


@pytest.fixture
def broken(listing, tmp_path):
    """The listing with a fourth file that only decoding shows to be damaged."""
    bad = damaged(tmp_path / "bad.png")
    return listing._replace(
        filepaths=[*listing.filepaths[:3], str(bad), *listing.filepaths[4:]]
    )


def stream(listing, **options):
    """Returns the batches of eight images, and the files that failed."""
    failed = {}
    options = {
        "image_size": 32,
        "batch_size": 4,
        "width": 4,
        "failed": failed,
        **options,
    }
    return list(stream_batches(listing, lambda: iter(range(8)), **options)), failed


def test_unreadable_files_are_left_out(broken):
    batches, failed = stream(broken, drop_remainder=False)
    assert [len(batch["images"]) for batch in batches] == [4, 3]
    assert failed == {broken.filepaths[3]: "can't be decoded"}


def test_unreadable_files_are_replaced_by_the_next_on_request(broken):
    (first, second), failed = stream(broken, replace=True)
    assert list(failed) == [broken.filepaths[3]]
    for key in ("images", "boxes", "class_ids"):
        np.testing.assert_array_equal(first[key][3], second[key][0])


def test_stream_ends_if_no_file_can_be_decoded(broken):
    nothing = broken._replace(filepaths=[broken.filepaths[3]] * 8)
    with pytest.raises(Exception, match="none of the images can be decoded"):
        stream(nothing, replace=True)


@pytest.mark.parametrize("mode", ["host", "stream"])
def test_orientation_is_applied_in_training(tmp_path, rng, mode):
    picture = rng.integers(0, 256, (40, 56, 3)).astype(np.uint8)
    paths = [str(turned(picture, tmp_path / f"{n}.png", n)) for n in range(1, 9)]
    if mode == "host":
        pixels = image_loading.read_into_memory(paths, 32).pixels
    else:
        none = objects.RaggedBoxes(np.zeros((0, 4)), np.zeros(0, int), np.zeros(9, int))
        listing = Listing(paths, paths, none, none, objects.Dropped())
        (batch,), _ = stream(listing, batch_size=8, width=1)
        pixels = batch["images"].numpy()
    for upright in pixels:
        np.testing.assert_array_equal(upright, resizing.resize(picture, 32))


@pytest.mark.parametrize("letterbox", [False, True])
def test_tiles_of_stream_and_host_have_the_same_batches(listing, letterbox):
    tiled = listing.tiled(2)
    rows = functools.partial(shuffling.rows_from_step, 0, 40, 3, seed=1)
    options = {"image_size": 32, "batch_size": 3, "width": 4, "letterbox": letterbox}
    pixels, _, windows = image_loading.read_into_memory(
        tiled.filepaths, 32, letterbox=letterbox, parts=tiled.parts
    )
    host = host_batches(tiled, windows=windows)
    host.pixels = pixels
    for step, streamed in zip(
        range(13), stream_batches(tiled, rows, **options), strict=False
    ):
        for key, values in host[step][0].items():
            np.testing.assert_array_equal(values, streamed[key])


def test_letterboxed_stream_and_host_have_the_same_batches(listing):
    rows = functools.partial(shuffling.rows_from_step, 0, 8, 3, seed=1)
    options = {"image_size": 32, "batch_size": 3, "width": 4, "letterbox": True}
    pixels, _, windows = image_loading.read_into_memory(
        listing.filepaths, 32, letterbox=True
    )
    host, plain = host_batches(listing, windows=windows), host_batches(listing)
    host.pixels = pixels
    for step, streamed in zip(
        range(5), stream_batches(listing, rows, **options), strict=False
    ):
        (batch,) = host[step]
        for key, values in batch.items():
            np.testing.assert_array_equal(values, streamed[key])
        stretched = plain[step][0]
        assert not np.array_equal(batch["boxes"], stretched["boxes"])
        is_none = batch["class_ids"] < 0
        assert (batch["boxes"][is_none] == 0).all()

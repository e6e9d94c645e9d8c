import functools
import os
from pathlib import Path

import numpy as np
import pytest

import yolov1_fo
from tests.test_images import damaged, turned
from yolov1_fo import images
from yolov1_fo.pipeline import batches, image_loading, objects
from yolov1_fo.training import examples


@pytest.fixture
def listing(painted):
    return examples.load(painted, "ground_truth", ["blue", "red"])


def host(listing, **changes):
    pixels, _ = image_loading.read_into_memory(listing.filepaths, 32)
    options = {"batch_size": 3, "seed": 1, "width": 4, **changes}
    return batches.HostBatches(pixels, listing.objects, **options)


def test_order_is_a_permutation_of_its_own():
    orders = [batches.order(50, 7, epoch).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert batches.order(50, 7, 1).tolist() == orders[1]
    assert batches.order(50, 8, 1).tolist() != orders[1]


def test_an_epoch_shows_no_image_twice():
    steps = [batches.rows_of(step, 8, 3, seed=1).tolist() for step in range(8)]
    epochs = [steps[i] + steps[i + 1] for i in range(0, 8, 2)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    left_out = {tuple(set(range(8)) - set(epoch)) for epoch in epochs}
    assert len(left_out) > 1


def test_host_keeps_images_with_their_boxes(listing):
    hosted = host(listing)
    rows = batches.rows_of(1, 8, 3, seed=1)
    (batch,) = hosted[1]
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(
            batch["images"][place], images.read(listing.filepaths[row], 32)
        )
        boxes, ids = listing.objects.of(row)
        np.testing.assert_array_equal(batch["boxes"][place, : len(ids)], boxes)
        assert batch["class_ids"][place, len(ids) :].tolist() == [-1] * (4 - len(ids))


def test_fit_takes_the_same_batches_without_their_tuning(listing):
    """Whoever drops a dataset that tunes itself waits for that, up to a minute."""
    hosted = host(listing, first_step=2)
    fed = hosted.endless()
    for step, found in zip(range(12), fed, strict=False):  # more than an epoch
        for key, values in hosted[step][0].items():
            np.testing.assert_array_equal(values, found[key])
    rows = functools.partial(batches.rows_from, 0, 8, 3, seed=1)
    stream = batches.stream(listing, rows, image_size=32, batch_size=3, width=4)
    assert fed.options().autotune.enabled is False
    assert stream.options().autotune.enabled is False


@pytest.mark.parametrize("first", [0, 3])
def test_stream_and_host_are_the_same_batches(listing, first):
    rows = functools.partial(batches.rows_from, first, 8, 3, seed=1)
    stream = iter(batches.stream(listing, rows, image_size=32, batch_size=3, width=4))
    hosted = host(listing)
    for step in range(first, 6):
        ours, theirs = hosted[step][0], next(stream)
        for key, values in ours.items():
            np.testing.assert_array_equal(values, theirs[key])


def test_host_begins_where_it_is_told(listing):
    whole, later = host(listing), host(listing, first_step=4)
    for key, values in later[1][0].items():
        np.testing.assert_array_equal(values, whole[5][0][key])


@pytest.fixture
def broken(listing, tmp_path):
    """The listing with a fourth file that only decoding shows to be bad."""
    bad = damaged(tmp_path / "bad.png")
    return listing._replace(
        filepaths=[*listing.filepaths[:3], str(bad), *listing.filepaths[4:]]
    )


def streamed(listing, **options):
    failed = {}
    options = {
        "image_size": 32,
        "batch_size": 4,
        "width": 4,
        "failed": failed,
        **options,
    }
    return list(batches.stream(listing, lambda: iter(range(8)), **options)), failed


def test_stream_leaves_out_what_cannot_be_decoded(broken):
    batches, failed = streamed(broken, drop_remainder=False)
    assert [len(batch["images"]) for batch in batches] == [4, 3]
    bad = broken.filepaths[3]
    assert failed == {bad: "can't be decoded"}


def test_stream_puts_the_next_in_the_place_of_what_cannot_be_decoded(broken):
    (first, second), failed = streamed(broken, replace=True)
    assert list(failed) == [broken.filepaths[3]]
    for key in ("images", "boxes", "class_ids"):
        np.testing.assert_array_equal(first[key][3], second[key][0])


def test_stream_of_nothing_that_can_be_decoded_ends(broken):
    nothing = broken._replace(filepaths=[broken.filepaths[3]] * 8)
    with pytest.raises(Exception, match="none of the images can be decoded"):
        streamed(nothing, replace=True)


def test_find_bad_names_files_and_faults(listing, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(listing.filepaths[0]).read_bytes()[:-20])
    missing = str(tmp_path / "missing.png")
    empty, pipe = tmp_path / "empty.png", tmp_path / "pipe.jpg"
    empty.touch()
    os.mkfifo(pipe)
    more = [str(path) for path in (cut, missing, empty, pipe)]
    assert image_loading.find_bad([*listing.filepaths, *more]) == {
        str(cut): "is cut short or damaged",
        missing: "does not exist",
        str(empty): "is empty",
        str(pipe): "is a named pipe, not a file",
    }


def test_auto_takes_memory_while_there_is_some(monkeypatch):
    assert batches.choose("auto", 10, 32) == "host"
    assert batches.choose("auto", 10**9, 448) == "stream"
    assert batches.choose("stream", 10, 32) == "stream"


def test_read_all_keeps_the_order_however_far_it_reads_ahead(listing):
    paths = listing.filepaths * 3
    for ahead in (1, 4, 100):
        reads = list(image_loading.read_all(paths, 16, num_workers=3, ahead=ahead))
        assert len(reads) == len(paths)
        for path, read in zip(paths, reads, strict=True):
            np.testing.assert_array_equal(read.image, images.read(path, 16))


def test_to_tf_dataset_feeds_your_own_loop(painted):
    batches = list(yolov1_fo.to_tf_dataset(painted, image_size=64, batch_size=3))
    assert [len(batch["images"]) for batch in batches] == [3, 3, 2]
    assert batches[0]["images"].dtype == "uint8"
    assert batches[0]["boxes"].shape == (3, 2, 4)
    assert batches[1]["class_ids"][2].numpy().tolist() == [-1, -1]  # the sixth has none


def test_to_tf_dataset_shuffles_by_its_seed(painted):
    def first(**options):
        return next(iter(yolov1_fo.to_tf_dataset(painted, image_size=32, **options)))

    plain, shuffled = first(), first(shuffle=True, seed=3)
    assert not np.array_equal(plain["images"], shuffled["images"])
    np.testing.assert_array_equal(
        shuffled["images"], first(shuffle=True, seed=3)["images"]
    )


def test_to_tf_dataset_refuses_what_train_refuses(painted):
    with pytest.raises(ValueError, match="gt_field 'truth' is not on"):
        yolov1_fo.to_tf_dataset(painted, "truth")


@pytest.mark.parametrize("mode", ["host", "stream"])
def test_training_sees_every_orientation_upright(tmp_path, rng, mode):
    picture = rng.integers(0, 256, (40, 56, 3)).astype(np.uint8)
    paths = [str(turned(picture, tmp_path / f"{n}.png", n)) for n in range(1, 9)]
    if mode == "host":
        pixels, _ = image_loading.read_into_memory(paths, 32)
    else:
        none = objects.Objects(np.zeros((0, 4)), np.zeros(0, int), np.zeros(9, int))
        listing = batches.Listing(paths, paths, none, none, objects.Dropped())
        (batch,), _ = streamed(listing, batch_size=8, width=1)
        pixels = batch["images"].numpy()
    for turned_pixels in pixels:
        np.testing.assert_array_equal(turned_pixels, images.resize(picture, 32))


def test_to_tf_dataset_skips_and_names_bad_files(painted, tmp_path, caplog):
    sample = painted.first().copy()
    content = Path(sample.filepath).read_bytes()
    (tmp_path / "cut.png").write_bytes(content[:-30])
    sample.filepath = str(tmp_path / "cut.png")
    painted.add_sample(sample)
    with caplog.at_level("WARNING", logger="yolov1_fo"):
        made = yolov1_fo.to_tf_dataset(painted, image_size=32, batch_size=16)
    assert [len(batch["images"]) for batch in made] == [8]
    assert "cut.png' is cut short or damaged" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"classes": ["red"]}, "classes lack labels of 'ground_truth' .*: blue"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_to_tf_dataset_refuses_bad_arguments(painted, arguments, line):
    with pytest.raises(ValueError, match=line):
        yolov1_fo.to_tf_dataset(painted, **arguments)

import numpy as np

from yolov1_fo import images
from yolov1_fo.pipeline import batches, image_loading, shuffling


def host_batches(listing, **changes):
    pixels = image_loading.read_into_memory(listing.filepaths, 32).pixels
    options = {"batch_size": 3, "seed": 1, "width": 4, **changes}
    return batches.HostBatches(pixels, listing.objects, **options)


def test_batches_contain_images_with_their_boxes(listing):
    rows = shuffling.rows_of_step(1, 8, 3, seed=1)
    (batch,) = host_batches(listing)[1]
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(
            batch["images"][place], images.read(listing.filepaths[row], 32)
        )
        boxes, ids = listing.objects.of_image(row)
        np.testing.assert_array_equal(batch["boxes"][place, : len(ids)], boxes)
        assert batch["class_ids"][place, len(ids) :].tolist() == [-1] * (4 - len(ids))


def test_endless_dataset_has_the_same_batches_without_autotune(listing):
    host = host_batches(listing, first_step=2)
    dataset = host.endless()
    for step, found in zip(range(12), dataset, strict=False):  # more than an epoch
        for key, values in host[step][0].items():
            np.testing.assert_array_equal(values, found[key])
    assert dataset.options().autotune.enabled is False


def test_batches_begin_at_the_first_step(listing):
    full, later = host_batches(listing), host_batches(listing, first_step=4)
    for key, values in later[1][0].items():
        np.testing.assert_array_equal(values, full[5][0][key])


def test_auto_uses_memory_if_the_images_fit():
    assert batches.choose_data_mode("auto", 10, 32) == "host"
    assert batches.choose_data_mode("auto", 10**9, 448) == "stream"
    assert batches.choose_data_mode("stream", 10, 32) == "stream"

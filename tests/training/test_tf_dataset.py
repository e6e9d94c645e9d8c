from pathlib import Path

import numpy as np
import pytest

import yolov1_fo


def test_batches_of_images_and_padded_boxes(painted):
    batches = list(yolov1_fo.to_tf_dataset(painted, image_size=64, batch_size=3))
    assert [len(batch["images"]) for batch in batches] == [3, 3, 2]
    assert batches[0]["images"].dtype == "uint8"
    assert batches[0]["boxes"].shape == (3, 2, 4)
    assert batches[1]["class_ids"][2].numpy().tolist() == [-1, -1]  # the sixth has none


def test_shuffling_depends_on_the_seed(painted):
    def first(**options):
        return next(iter(yolov1_fo.to_tf_dataset(painted, image_size=32, **options)))

    plain, shuffled = first(), first(shuffle=True, seed=3)
    assert not np.array_equal(plain["images"], shuffled["images"])
    np.testing.assert_array_equal(
        shuffled["images"], first(shuffle=True, seed=3)["images"]
    )


def test_missing_fields_are_refused(painted):
    with pytest.raises(ValueError, match="gt_field 'truth' is not on"):
        yolov1_fo.to_tf_dataset(painted, "truth")


def test_unreadable_files_are_skipped_and_logged(painted, tmp_path, caplog):
    sample = painted.first().copy()
    content = Path(sample.filepath).read_bytes()
    (tmp_path / "truncated.png").write_bytes(content[:-30])
    sample.filepath = str(tmp_path / "truncated.png")
    painted.add_sample(sample)
    with caplog.at_level("WARNING", logger="yolov1_fo"):
        batches = yolov1_fo.to_tf_dataset(painted, image_size=32, batch_size=16)
    assert [len(batch["images"]) for batch in batches] == [8]
    assert "truncated.png' is truncated or damaged" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"classes": ["red"]}, "classes lack labels of 'ground_truth' .*: blue"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(painted, arguments, line):
    with pytest.raises(ValueError, match=line):
        yolov1_fo.to_tf_dataset(painted, **arguments)

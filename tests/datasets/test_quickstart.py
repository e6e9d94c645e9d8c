import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo.datasets import quickstart


@pytest.fixture(scope="module")
def dataset():
    made = yolov1_fo.load_quickstart("quickstart-of-tests", persistent=False)
    yield made
    made.delete()


@pytest.mark.slow
def test_scenes_have_the_documented_properties(dataset):
    assert dataset.count_sample_tags() == {"train": 400, "val": 100}
    assert dataset.distinct("ground_truth.detections.label") == list("0123456789")
    counts = [len(row) for row in dataset.values("ground_truth.detections.label")]
    assert min(counts) >= 1
    assert max(counts) == 6
    dataset.compute_metadata(progress=False)
    for sample in dataset:
        height, width = sample.metadata.height, sample.metadata.width
        assert 320 <= min(height, width) <= max(height, width) <= 640
        for detection in sample.ground_truth.detections:
            x, y, w, h = detection.bounding_box
            assert 23.5 <= max(w * width, h * height) <= 256.5
            assert min(x, y) >= 0
            assert max(x + w, y + h) <= 1 + 1e-9


def test_scenes_are_not_written_through_links(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "000.jpg").symlink_to(tmp_path / "precious")
    next(quickstart._samples("val", tmp_path / "val"))
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "val" / "000.jpg").is_symlink()


def test_scenes_are_always_the_same():
    for a, b in zip(
        quickstart.scenes("val", 3), quickstart.scenes("val", 3), strict=True
    ):
        np.testing.assert_array_equal(a.image, b.image)
        assert a.boxes == b.boxes


def test_val_shares_nothing_with_train(monkeypatch):
    shown = {}
    original = quickstart._scene

    def look(rng, scans, targets, backgrounds):
        shown["scans"], shown["backgrounds"] = scans, backgrounds
        return original(rng, scans, targets, backgrounds)

    monkeypatch.setattr(quickstart, "_scene", look)
    sets = []
    for split in ("train", "val"):
        list(quickstart.scenes(split, 1))
        sets.append({scan.tobytes() for scan in shown["scans"]})
        assert shown["backgrounds"][0].shape[1] == {"train": 426, "val": 214}[split]
    assert not sets[0] & sets[1]


@pytest.mark.slow
def test_second_call_loads_the_first(dataset):
    again = yolov1_fo.load_quickstart("quickstart-of-tests")
    assert again is dataset


def test_another_dataset_of_that_name_is_kept():
    fo.Dataset("mine")
    with pytest.raises(
        ValueError, match="dataset 'mine' exists, but is not the comple"
    ):
        yolov1_fo.load_quickstart("mine")
    assert fo.dataset_exists("mine")
    fo.delete_dataset("mine")

import os
import shutil
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.test_images import damaged
from yolov1_fo import grid
from yolov1_fo.config import GridConfig
from yolov1_fo.datasets import inspection_report


def sample(dataset, path, *boxes, tags=("train",), **attributes):
    detections = [
        fo.Detection(label="red", bounding_box=box, **attributes) for box in boxes
    ]
    truth = fo.Detections(detections=detections)
    dataset.add_sample(fo.Sample(filepath=str(path), tags=tags, ground_truth=truth))


def names(report, kind):
    return [one.filepath.rsplit("/", 1)[-1] for one in report.findings[kind]]


def test_a_clean_dataset_has_no_findings(painted):
    report = yolov1_fo.inspect(painted)
    assert (report.images, report.objects, report.ignored, report.empty) == (
        8,
        10,
        0,
        1,
    )
    assert report.classes == {"blue": 3, "red": 7}
    assert report.most == 2
    assert report.recall_ceiling == 1
    assert not any(report.findings.values())


def test_every_problem_is_found_and_nothing_else(painted, tmp_path):
    content = Path(painted.first().filepath).read_bytes()
    paths = [tmp_path / f"{name}.png" for name in ("cell", "small", "flat", "over")]
    for number, path in enumerate(paths):
        path.write_bytes(content + bytes([number] * (number + 1)))
    sample(painted, paths[0], [0.01, 0.01, 0.1, 0.1], [0.02, 0.02, 0.1, 0.1])
    sample(painted, paths[1], [0.4, 0.4, 7.9 / 448, 0.1], [0.7, 0.7, 8.1 / 448, 0.1])
    sample(painted, paths[2], [0.4, 0.4, 0.0, 0.1], [0.2, 0.2, float("nan"), 0.1])
    sample(painted, paths[3], [-0.1, 0.4, 0.3, 0.1], [0.5, 0.5, 0.5005, 0.1])
    cut, text, empty = (tmp_path / name for name in ("cut.png", "text.jpg", "no.jpg"))
    cut.write_bytes(content[:-20])
    text.write_text("not an image, despite its name")
    empty.write_bytes(b"")
    pipe, exr = tmp_path / "pipe.jpg", tmp_path / "exr.jpg"
    os.mkfifo(pipe)
    long = tmp_path / ("x" * 300 + ".jpg")
    exr.write_bytes(b"v/1\x01" + bytes(300))
    for path in (cut, text, empty, tmp_path / "missing.jpg", pipe, exr, long):
        sample(painted, path, [0.1, 0.1, 0.2, 0.2])
    report = yolov1_fo.inspect(painted)
    assert names(report, "lost") == ["cell.png"]
    assert names(report, "tiny") == ["small.png"]
    assert names(report, "degenerate") == ["flat.png", "flat.png"]
    assert names(report, "outside") == ["over.png"]
    assert sorted(names(report, "unreadable")) == sorted(
        Path(path).name for path in (cut, text, empty, "missing.jpg", pipe, exr, long)
    )
    assert not report.findings["shared"]
    assert report.recall_ceiling == pytest.approx(1 - 1 / report.objects)
    assert report.view("tiny").first().filepath == str(paths[1])
    assert len(report.view("degenerate")) == 1
    lost = report.findings["lost"][0]
    assert lost.label_id == report.view("lost").first().ground_truth.detections[1].id


def test_files_are_inspected_without_boxes(painted_files, tmp_path):
    content = painted_files[0]["path"].read_bytes()
    (tmp_path / "good.png").write_bytes(content)
    (tmp_path / "cut.png").write_bytes(content[:-20])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not an image, despite its name")
    dataset = fo.Dataset.from_images_dir(str(tmp_path))
    report = yolov1_fo.inspect(dataset, gt_field=None)
    assert sorted(names(report, "unreadable")) == ["cut.png", "empty.jpg", "text.jpg"]
    assert sum(len(found) for found in report.findings.values()) == 3
    assert "4 images" in str(report)
    dataset.delete()


def test_unknown_labels_are_found(painted):
    report = yolov1_fo.inspect(painted, classes=["red"])
    assert (report.objects, len(report.findings["unknown"])) == (7, 3)
    assert report.findings["unknown"][0].detail == "label 'blue'"


def test_damage_in_the_middle_is_found_by_decoding(painted, tmp_path):
    bad = damaged(tmp_path / "bad.png")
    sample(painted, bad, [0.1, 0.1, 0.2, 0.2])
    assert not yolov1_fo.inspect(painted).findings["unreadable"]
    found = yolov1_fo.inspect(painted, decode=True).findings["unreadable"]
    assert [one.detail for one in found] == ["can't be decoded"]


def test_the_same_content_in_two_splits_is_found_under_any_name(painted, tmp_path):
    first = painted.match_tags("train").first()
    copy = tmp_path / "another name.png"
    shutil.copy(first.filepath, copy)
    sample(painted, copy, [0.1, 0.1, 0.2, 0.2], tags=["val"])
    report = yolov1_fo.inspect(painted)
    assert {one.filepath for one in report.findings["shared"]} == {
        first.filepath,
        str(copy),
    }
    assert report.findings["shared"][0].detail == "in train and val"
    train, val = painted.match_tags("train"), painted.match_tags("val")
    assert not yolov1_fo.inspect(train).findings["shared"]
    found = yolov1_fo.inspect(train, val_samples=val).findings["shared"]
    assert len(found) == 2
    assert found[0].detail == "in samples and val_samples"


def test_lost_objects_are_missing_in_the_targets(rng):
    config = GridConfig(S=3, C=1)
    corner = rng.uniform(0, 0.8, (40, 2))
    xywh = np.concatenate([corner, rng.uniform(0.01, 0.2, (40, 2))], axis=1)
    dataset = fo.Dataset()
    for image in range(4):
        boxes = xywh[image * 10 : (image + 1) * 10].tolist()
        sample(dataset, f"/missing/{image}.png", *boxes)
    report = yolov1_fo.inspect(dataset, S=3)
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    ids = np.zeros((4, 10), np.int32)
    y_true = grid.encode(xyxy.reshape(4, 10, 4).astype(np.float32), ids, config)
    assert len(report.findings["lost"]) == 40 - y_true[..., 4].sum()
    dataset.delete()


def test_ignored_objects_are_not_learned(painted):
    for one in painted:
        for detection in one.ground_truth.detections:
            detection["iscrowd"] = 1
        one.save()
    report = yolov1_fo.inspect(painted)
    assert (report.objects, report.ignored, report.empty) == (0, 10, 8)
    assert np.isnan(report.recall_ceiling)


def test_report_prints_as_a_table(painted):
    text = str(yolov1_fo.inspect(painted, S=14))
    assert text.startswith("8 images, 1 without objects to learn\n10 objects to learn")
    assert "recall ceiling 1.000 with 14 x 14 cells" in text
    assert all(kind in text for kind in inspection_report.FINDING_KINDS)


def test_invalid_input_raises_one_clear_line(painted):
    report = yolov1_fo.inspect(painted)
    with pytest.raises(ValueError, match=r"kind must be one of lost, tiny, .*'small'"):
        report.view("small")
    with pytest.raises(ValueError, match="gt_field 'truth' is not on"):
        yolov1_fo.inspect(painted, "truth")
    with pytest.raises(ValueError, match="S must be at least 1, got 0"):
        yolov1_fo.inspect(painted, S=0)
    with pytest.raises(ValueError, match="tiny_px must be at least 0, got -1"):
        yolov1_fo.inspect(painted, tiny_px=-1)


def test_findings_become_tags_and_views_on_request(painted, tmp_path):
    path = tmp_path / "cell.png"
    path.write_bytes(Path(painted.first().filepath).read_bytes() + b"0")
    sample(painted, path, [0.01, 0.01, 0.1, 0.1], [0.02, 0.02, 0.1, 0.1])
    report = yolov1_fo.inspect(painted)
    assert "inspect:lost" not in painted.count_sample_tags()
    assert report.tag() == report.save_views() == ["inspect:lost"]
    assert painted.match_tags("inspect:lost").values("filepath") == [str(path)]
    saved = painted.load_saved_view("inspect:lost")
    assert saved.values("filepath") == [str(path)]

    painted.delete_samples(painted.match_tags("inspect:lost"))
    again = yolov1_fo.inspect(painted)
    assert again.tag() == again.save_views() == painted.list_saved_views() == []


def test_tags_are_removed_when_the_other_split_changes(painted):
    train, val = painted.match_tags("train"), painted.match_tags("val")
    path = train.first().filepath
    sample(painted, path, tags=("more",))
    sample(painted, path, tags=("other",))
    for tag in ("more", "other"):
        other = painted.match_tags(tag)
        yolov1_fo.inspect(train, val_samples=other).tag()
        tagged = painted.match_tags("inspect:shared")
        assert tagged.values("id") == [train.first().id, other.first().id]
    yolov1_fo.inspect(train, val_samples=val).tag()
    assert not painted.match_tags("inspect:shared")


def test_read_only_tags_raise_one_clear_line(painted):
    field = painted.get_field("tags")
    field.read_only = True
    field.save()
    report = yolov1_fo.inspect(painted, tiny_px=500)
    with pytest.raises(ValueError, match=r"tags on dataset .* are read-only"):
        report.tag()


def test_tags_of_an_earlier_report_are_removed(painted, tmp_path):
    path = tmp_path / "cell.png"
    path.write_bytes(Path(painted.first().filepath).read_bytes() + b"0")
    sample(painted, path, [0.01, 0.01, 0.1, 0.1], [0.02, 0.02, 0.1, 0.1])
    yolov1_fo.inspect(painted).tag()
    assert yolov1_fo.inspect(painted, S=64).tag() == []
    assert "inspect:lost" not in painted.count_sample_tags()

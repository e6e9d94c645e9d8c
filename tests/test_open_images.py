import fiftyone as fo
import pytest

import yolov1_fo
from yolov1_fo import open_images

NAME = "open-images-person-train-1000-2"


@pytest.fixture
def fetched(painted, monkeypatch):
    """Lets the zoo give the painted images as if they were Open Images'."""
    calls = []

    def load_zoo_dataset(name, **options):
        calls.append((name, options))
        split = options["split"]
        dataset = painted.clone(options["dataset_name"])
        dataset.untag_samples(["train", "val"])
        dataset.tag_samples(split)
        first = dataset.first()
        first.ground_truth.detections[0]["IsGroupOf"] = True
        first.save()
        dataset.map_labels("ground_truth", {"red": "Woman", "blue": "Person"}).save()
        return dataset

    monkeypatch.setattr(open_images.foz, "load_zoo_dataset", load_zoo_dataset)
    yield calls
    for name in fo.list_datasets("open-images*"):
        fo.delete_dataset(name)


def test_persons_come_shuffled_and_are_found_again_by_name(fetched):
    dataset = yolov1_fo.load_open_images()
    assert dataset.name == NAME
    name, options = fetched[0]
    assert name == "open-images-v7"
    assert options["classes"] == ["Person", "Man", "Woman", "Boy", "Girl"]
    assert (options["shuffle"], options["seed"]) == (True, 2)
    assert options["label_types"] == ["detections"]
    assert dataset.distinct("ground_truth.detections.label") == ["Person"]
    assert dataset.default_classes == ["Person"]
    assert dataset.distinct("tags") == ["train"]
    assert dataset.persistent
    assert yolov1_fo.load_open_images(["Person"]).name == dataset.name
    assert len(fetched) == 1


def test_groups_are_no_objects_to_learn(fetched):
    dataset = yolov1_fo.load_open_images(
        "Person", split="validation", name="open-images"
    )
    assert dataset.distinct("tags") == ["val"]
    report = yolov1_fo.inspect(dataset)
    assert (report.objects, report.ignored) == (9, 1)


def test_without_a_network_it_is_one_clear_line(monkeypatch):
    def offline(name, **options):
        fo.Dataset(options["dataset_name"])
        raise ConnectionError("Name or service\nnot known")

    monkeypatch.setattr(open_images.foz, "load_zoo_dataset", offline)
    with pytest.raises(OSError, match="can't be fetched; it needs the internet") as got:
        yolov1_fo.load_open_images()
    assert "\n" not in str(got.value)
    assert not fo.dataset_exists(NAME)


def test_an_interrupted_fetch_leaves_nothing(monkeypatch):
    def interrupted(name, **options):
        fo.Dataset(options["dataset_name"])
        raise KeyboardInterrupt

    monkeypatch.setattr(open_images.foz, "load_zoo_dataset", interrupted)
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.load_open_images()
    assert not fo.dataset_exists(NAME)


def test_bad_input_is_one_clear_line(fetched):
    for arguments, line in (
        ({"classes": []}, "classes must name at least one class"),
        ({"split": "val"}, "split must be one of train, validation, test, got 'val'"),
        ({"max_samples": 0}, "max_samples must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.load_open_images(**arguments)
    assert not fetched
    yolov1_fo.load_open_images(name="open-images")
    with pytest.raises(ValueError, match="dataset 'open-images' exists, but"):
        yolov1_fo.load_open_images(seed=3, name="open-images")


def test_text_files_come_and_go_by_fiftyones_exporters(painted, tmp_path):
    painted.export(
        export_dir=str(tmp_path),
        dataset_type=fo.types.YOLOv4Dataset,
        label_field="ground_truth",
        classes=["blue", "red"],
        progress=False,
    )
    path = tmp_path / "data" / "0.txt"
    label, *numbers = path.read_text().splitlines()[0].split()
    box = painted.first().ground_truth.detections[0].bounding_box
    centre = [box[0] + box[2] / 2, box[1] + box[3] / 2, *box[2:]]
    assert label == "1"
    assert [float(number) for number in numbers] == pytest.approx(centre, abs=1e-6)

    again = fo.Dataset.from_dir(
        dataset_dir=str(tmp_path),
        dataset_type=fo.types.YOLOv4Dataset,
        label_field="ground_truth",
        progress=False,
    )
    there = {path.rsplit("/", 1)[-1]: path for path in again.values("filepath")}
    for sample in painted:
        name = sample.filename
        found = again[there[name]].ground_truth.detections
        for ours, theirs in zip(sample.ground_truth.detections, found, strict=True):
            assert theirs.label == ours.label
            assert theirs.bounding_box == pytest.approx(ours.bounding_box, abs=1e-6)
    again.delete()

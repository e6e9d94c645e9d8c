import json

import fiftyone as fo
import pytest
from PIL import Image
from pymongo.errors import AutoReconnect

import yolov1_fo
from yolov1_fo.datasets import open_images

IDS = [f"{number:016x}" for number in range(24)]
NAMES = ("Person", "Man", "Woman", "Boy", "Girl", "Car", "Cart", "None")
COLUMNS = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)


class Zoo:
    """Open Images on disk, with fake downloads.

    Every second photograph shows a car and a cart, the others a person, a woman and, as
    a group, a boy.
    """

    def __init__(self, folder):
        self.folder, self.fetched = folder, []
        for split in open_images.SPLITS:
            place = folder / split
            for part in ("metadata", "labels", "data"):
                (place / part).mkdir(parents=True)
            (place / "metadata" / "image_ids.csv").write_text(
                "\n".join(["ImageID,Subset", *(f"{one},{split}" for one in IDS)])
            )
            (place / "metadata" / "classes.csv").write_text(
                "\n".join(f"/m/{one.lower()},{one}" for one in NAMES)
            )
            (place / "metadata" / "hierarchy.json").write_text(
                json.dumps({"LabelName": "Entity", "Subcategory": []})
            )
            rows = [
                f"{one},x,/m/{name},1,0.1,0.5,0.2,0.4,0,0,{int(name == 'boy')},0,0"
                for number, one in enumerate(IDS)
                for name in (("car", "cart"), ("person", "woman", "boy"))[number % 2]
            ]
            (place / "labels" / "detections.csv").write_text(
                "\n".join([COLUMNS, *rows])
            )

    def fetch(self, urls, **options):
        for url, path in urls.items():
            self.fetched.append(url)
            Image.new("RGB", (40, 30)).save(path)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    monkeypatch.setattr(fo.config, "dataset_zoo_dir", str(tmp_path))
    made = Zoo(tmp_path / "open-images-v7")
    monkeypatch.setattr(open_images.foui.foua, "download_public_s3_files", made.fetch)
    yield made
    for name in fo.list_datasets("open-images*"):
        fo.delete_dataset(name)


def photographs(dataset):
    return sorted(path.rsplit("/", 1)[-1] for path in dataset.values("filepath"))


def test_a_second_call_loads_the_dataset_by_name(zoo):
    dataset = yolov1_fo.load_open_images(max_samples=5)
    assert dataset.name == "open-images-person-train-5-2"
    assert len(dataset) == len(zoo.fetched) == 5
    assert dataset.distinct("ground_truth.detections.label") == ["Person"]
    assert dataset.count("ground_truth.detections") == 15  # women and boys too
    assert dataset.default_classes == ["Person"]
    assert dataset.distinct("tags") == ["train"]
    assert dataset.persistent
    assert yolov1_fo.load_open_images("Person", max_samples=5).name == dataset.name
    assert len(zoo.fetched) == 5


@pytest.mark.parametrize(
    ("classes", "labels", "boxes"),
    [
        ("Car", ["Car"], 1),
        (["Cart", "Car"], ["Car", "Cart"], 2),
        (["Woman"], ["Woman"], 1),
        (["Person", "Woman"], ["Person", "Woman"], 3),
    ],
)
def test_a_dataset_has_all_boxes_of_its_classes_and_no_others(
    zoo, classes, labels, boxes
):
    dataset = yolov1_fo.load_open_images(classes, max_samples=4)
    assert dataset.distinct("ground_truth.detections.label") == labels
    found = dataset.values("ground_truth.detections.label")
    assert [len(one) for one in found] == [boxes] * 4
    assert dataset.first().ground_truth.detections[0].bounding_box == pytest.approx(
        [0.1, 0.2, 0.4, 0.2]
    )


@pytest.mark.slow
def test_a_seed_selects_the_same_images_whatever_is_downloaded(zoo):
    first = yolov1_fo.load_open_images("Car", max_samples=3, name="open-images-1")
    taken = photographs(first)
    yolov1_fo.load_open_images("Car", max_samples=8, seed=5, name="open-images-2")
    again = yolov1_fo.load_open_images("Car", max_samples=3, name="open-images-3")
    assert photographs(again) == taken
    other = yolov1_fo.load_open_images("Car", max_samples=3, seed=7)
    assert photographs(other) != taken


def test_there_can_be_fewer_images(zoo):
    assert len(yolov1_fo.load_open_images("Car", max_samples=100)) == 12
    with pytest.raises(ValueError, match="split 'train' of Open Images has no None"):
        yolov1_fo.load_open_images("None")


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        ("person", r"Open Images has no 'person' \(did you mean Person\?\); fiftyone"),
        (["Car", "Zebra"], "classes: Open Images has no 'Zebra'; fiftyone"),
        (["Car", "Car"], "classes must differ, got Car twice"),
        ([], "classes must name at least one class, got none"),
    ],
)
def test_unknown_classes_are_refused_before_downloading(zoo, classes, line):
    with pytest.raises(ValueError, match=line):
        yolov1_fo.load_open_images(classes)
    assert not zoo.fetched
    assert not fo.list_datasets("open-images*")


def test_groups_are_ignored(zoo):
    dataset = yolov1_fo.load_open_images(
        "Person", split="validation", max_samples=2, name="open-images"
    )
    assert dataset.distinct("tags") == ["val"]
    report = yolov1_fo.inspect(dataset)
    assert (report.objects, report.ignored) == (4, 2)


def test_no_internet_raises_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setattr(fo.config, "dataset_zoo_dir", str(tmp_path))

    def offline(*arguments, **options):
        raise ConnectionError("Name or service\nnot known")

    monkeypatch.setattr(open_images.foui.etaw, "download_file", offline)
    with pytest.raises(OSError, match="can't be downloaded; check the internet") as got:
        yolov1_fo.load_open_images()
    assert "\n" not in str(got.value)
    assert not fo.list_datasets("open-images*")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ConnectionError])
def test_an_interrupted_download_leaves_no_dataset(zoo, monkeypatch, error):
    def interrupted(*arguments, **options):
        raise error

    monkeypatch.setattr(open_images.foui.foua, "download_public_s3_files", interrupted)
    with pytest.raises(OSError if error is ConnectionError else error):
        yolov1_fo.load_open_images()
    assert not fo.list_datasets("open-images*")


def test_missing_images_raise_an_error(zoo, monkeypatch):
    monkeypatch.setattr(
        open_images.foui.foua,
        "download_public_s3_files",
        lambda urls, **_: zoo.fetch(dict(list(urls.items())[:2])),
    )
    with pytest.raises(OSError, match=r"downloaded.*2 of 5 images were downloaded"):
        yolov1_fo.load_open_images("Car", max_samples=5)
    assert not fo.list_datasets("open-images*")


def test_invalid_input_raises_one_clear_line(zoo):
    for arguments, error, line in (
        ({"split": "val"}, ValueError, "split must be one of train, validation, test"),
        ({"max_samples": 0}, ValueError, "max_samples must be at least 1, got 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"max_samples": 2.5}, TypeError, "max_samples must be a whole number"),
        ({"classes": [3]}, TypeError, "classes must be strings, got 3"),
    ):
        with pytest.raises(error, match=line):
            yolov1_fo.load_open_images(**arguments)
    assert not zoo.fetched
    yolov1_fo.load_open_images(name="open-images", max_samples=2)
    with pytest.raises(ValueError, match="dataset 'open-images' exists, but"):
        yolov1_fo.load_open_images(seed=3, name="open-images", max_samples=2)


def test_text_files_are_exported_and_imported_by_fiftyone(painted, tmp_path):
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
    center = [box[0] + box[2] / 2, box[1] + box[3] / 2, *box[2:]]
    assert label == "1"
    assert [float(number) for number in numbers] == pytest.approx(center, abs=1e-6)

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


def test_a_dataset_created_meanwhile_with_the_same_name_is_kept(zoo, monkeypatch):
    name, fetch = "open-images-car-train-3-2", open_images.foz.load_zoo_dataset

    def fetch_slowly(*args, **options):
        made = fetch(*args, **options)
        fo.Dataset(name).add_sample(fo.Sample("/mine.jpg"))
        return made

    monkeypatch.setattr(open_images.foz, "load_zoo_dataset", fetch_slowly)
    with pytest.raises(ValueError, match=rf"'{name}' has just been created by another"):
        yolov1_fo.load_open_images(["Car"], max_samples=3)
    assert fo.load_dataset(name).values("filepath") == ["/mine.jpg"]
    assert fo.list_datasets("open-images*") == [name]


def test_a_lost_database_is_not_reported_as_missing_internet(zoo, monkeypatch):
    def die(*_, **__):
        raise AutoReconnect("gone")

    monkeypatch.setattr(open_images.foz, "load_zoo_dataset", die)
    with pytest.raises(OSError, match="does not answer; start it"):
        yolov1_fo.load_open_images(["Car"], max_samples=3)

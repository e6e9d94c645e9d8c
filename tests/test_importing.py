"""The examples of docs/import.md, with files as the tools write them."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import fiftyone as fo
import pytest

import yolov1_fo
from tests import painting
from yolov1_fo.jobs import launch

PAGE = Path(__file__).parent.parent / "docs" / "import.md"
CLASSES = ("blue", "red")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder; datasets that are made in the test are deleted."""
    monkeypatch.chdir(tmp_path)
    before = set(fo.list_datasets())
    yield tmp_path
    for name in set(fo.list_datasets()) - before:
        fo.delete_dataset(name)


def run(heading):
    """Runs the first example below a heading; returns its variables."""
    part = PAGE.read_text().split(f"\n## {heading}\n")[1]
    code = re.search(r"```python\n(.*?)```", part, re.DOTALL)[1]
    space = {"fo": fo, "yolov1_fo": yolov1_fo}
    exec(code, space)  # the page is ours
    return space


def sizes(one):
    """Returns width and height of a picture, in pixels."""
    height, width = cv2.imread(str(one["path"])).shape[:2]
    return width, height


def in_pixels(one):
    """Yields label, left, top, width and height of the objects of a picture."""
    width, height = sizes(one)
    for label, (x, y, w, h) in one["objects"]:
        yield label, x * width, y * height, w * width, h * height


def check(samples, painted_files, field="ground_truth"):
    """Compares samples with the pictures that they were imported from."""
    assert len(samples) == len(painted_files)
    for sample in samples:
        number = int(re.search(r"(\d+)\.png$", sample.filepath)[1])
        expected = painted_files[number]["objects"]
        found = sample[field].detections if sample[field] else []
        assert [one.label for one in found] == [label for label, _ in expected]
        for one, (_, box) in zip(found, expected, strict=True):
            assert one.bounding_box == pytest.approx(box, abs=1.5 / 80)
    report = yolov1_fo.inspect(samples, field, S=10, image_size=320)
    assert not report.findings["degenerate"]
    assert report.classes.keys() == set(CLASSES)
    train, val = yolov1_fo.split(samples)
    assert (len(train), len(val)) == (7, 1)


def copied(painted_files, folder, names="{}.png"):
    """Copies the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(painted_files):
        shutil.copy(one["path"], folder / names.format(number))


def coco(painted_files, first_category, names="{}.png"):
    """Returns the content of a COCO file."""
    annotations = []
    for number, one in enumerate(painted_files):
        for label, *box in in_pixels(one):
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": first_category + CLASSES.index(label),
                    "segmentation": [],
                    "bbox": box,
                    "ignore": 0,
                    "iscrowd": 0,
                    "area": box[2] * box[3],
                }
            )
    images = []
    for number, one in enumerate(painted_files):
        width, height = sizes(one)
        name = names.format(number)
        images.append(
            {"id": number, "file_name": name, "width": width, "height": height}
        )
    categories = [
        {"id": first_category + number, "name": name}
        for number, name in enumerate(CLASSES)
    ]
    info = {"year": 2026, "version": "1.0", "description": ""}
    return {
        "info": info,
        "licenses": [],
        "images": images,
        "categories": categories,
        "annotations": annotations,
    }


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_coco(here, painted_files):
    copied(painted_files, here / "coco" / "train2017")
    content = coco(painted_files, first_category=1)
    content["annotations"][0]["iscrowd"] = 1
    path = here / "coco" / "annotations" / "instances_train2017.json"
    write(path, json.dumps(content))
    dataset = run("COCO")["dataset"]
    check(dataset, painted_files)
    assert yolov1_fo.inspect(dataset, S=10, image_size=320).ignored == 1


@pytest.mark.slow
def test_a_few_commands_lead_from_a_coco_file_to_the_form(here, painted_files):
    heading = "From a COCO file to a detector in the App"
    part = PAGE.read_text().split(f"\n## {heading}\n")[1]
    block = re.search(r"```\n(.*?)```", part, re.DOTALL)[1]
    commands = block.replace("\\\n", "").splitlines()
    assert len(commands) <= 6
    copied(painted_files, here / "photographs" / "data")
    content = json.dumps(coco(painted_files, first_category=1))
    (here / "photographs" / "labels.json").write_text(content)
    [create] = [one for one in commands if one.startswith("fiftyone datasets create")]
    fiftyone = Path(sys.executable).with_name("fiftyone")
    subprocess.run([fiftyone, *shlex.split(create)[1:]], check=True)
    dataset = fo.load_dataset("mine")
    assert dataset.persistent
    check(dataset, painted_files)
    launch.check_train(dataset, "ground_truth", None)  # as the form does


def test_voc(here, painted_files):
    root = here / "VOCdevkit" / "VOC2007"
    copied(painted_files, root / "JPEGImages", "00000{}.png")
    for number, one in enumerate(painted_files):
        width, height = sizes(one)
        objects = "".join(
            f"<object><name>{label}</name><pose>Unspecified</pose>"
            f"<truncated>0</truncated><difficult>{number // 7}</difficult><bndbox>"
            f"<xmin>{round(x)}</xmin><ymin>{round(y)}</ymin>"
            f"<xmax>{round(x + w)}</xmax><ymax>{round(y + h)}</ymax>"
            "</bndbox></object>"
            for label, x, y, w, h in in_pixels(one)
        )
        write(
            root / "Annotations" / f"00000{number}.xml",
            f"<annotation><folder>VOC2007</folder><filename>00000{number}.png"
            f"</filename><size><width>{width}</width><height>{height}</height>"
            f"<depth>3</depth></size><segmented>0</segmented>{objects}</annotation>",
        )
    for split, numbers in (("train", range(6)), ("val", (6, 7))):
        lines = "".join(f"00000{number}\n" for number in numbers)
        write(root / "ImageSets" / "Main" / f"{split}.txt", lines)
    dataset = run("Pascal VOC")["dataset"]
    check(dataset, painted_files)
    assert dataset.count_sample_tags() == {"train": 6, "val": 2}
    ignored = yolov1_fo.inspect(dataset, S=10, image_size=320).ignored
    assert ignored == len(painted_files[7]["objects"]) > 0


def test_yolo(here, painted_files):
    root = here / "yolo"
    names = "\n".join(f"  {number}: {name}" for number, name in enumerate(CLASSES))
    splits = "train: images/train\nval: images/val\n"
    write(root / "data.yaml", f"path: .\n{splits}names:\n{names}\n")
    for number, one in enumerate(painted_files):
        split = "train" if number < 6 else "val"
        copied([one], root / "images" / split, f"{number}.png")
        lines = "".join(
            f"{CLASSES.index(label)} {x + w / 2:.6f} {y + h / 2:.6f} {w:.6f} {h:.6f}\n"
            for label, (x, y, w, h) in one["objects"]
        )
        write(root / "labels" / split / f"{number}.txt", lines)
    dataset = run("YOLO")["dataset"]
    check(dataset, painted_files)
    assert dataset.count_sample_tags() == {"train": 6, "val": 2}


def test_cvat(here, painted_files):
    copied(painted_files, here / "cvat" / "images")
    images = ""
    for number, one in enumerate(painted_files):
        width, height = sizes(one)
        boxes = "".join(
            f'<box label="{label}" source="manual" occluded="0" xtl="{x:.2f}" '
            f'ytl="{y:.2f}" xbr="{x + w:.2f}" ybr="{y + h:.2f}" z_order="0"></box>'
            for label, x, y, w, h in in_pixels(one)
        )
        images += (
            f'<image id="{number}" name="{number}.png" width="{width}" '
            f'height="{height}">{boxes}</image>'
        )
    labels = "".join(
        f"<label><name>{name}</name><type>any</type><attributes></attributes></label>"
        for name in CLASSES
    )
    write(
        here / "cvat" / "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
        f"<meta><task><id>1</id><name>squares</name><size>{len(painted_files)}</size>"
        f"<mode>annotation</mode><labels>{labels}</labels></task></meta>{images}"
        "</annotations>",
    )
    check(run("CVAT")["dataset"], painted_files)


def test_label_studio(here, painted_files):
    names = "0a1b2c3d-{}.png"
    copied(painted_files, here / "label-studio" / "images", names)
    content = coco(painted_files, first_category=0, names=f"images/{names}")
    write(here / "label-studio" / "result.json", json.dumps(content))
    check(run("Label Studio")["dataset"], painted_files)


def test_own_boxes(here, painted_files):
    copied(painted_files, here / "photographs")
    dataset = run("Boxes of your own")["dataset"]
    [detection] = dataset.first().ground_truth.detections
    width, height = sizes(painted_files[1])
    expected = [10 / width, 20 / height, 50 / width, 60 / height]
    assert detection.bounding_box == pytest.approx(expected)


@pytest.mark.slow
def test_videos(here, painted_files):
    (here / "videos" / "data").mkdir(parents=True)
    painting.film(here / "videos" / "data" / "one.mp4", painted_files)
    tracks = ""
    for number, one in enumerate(painted_files):
        for label, (x, y, w, h) in one["objects"]:
            box = [96 * edge for edge in (x, y, x + w, y + h)]
            edges = zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True)
            text = " ".join(f'{name}="{value:.2f}"' for name, value in edges)
            tracks += (
                f'<track id="{number}" label="{label}"><box frame="{number}" '
                f'outside="0" occluded="0" keyframe="1" {text}></box></track>'
            )
    size = "<width>96</width><height>96</height>"
    write(
        here / "videos" / "labels" / "one.xml",
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
        f"<meta><task><size>{len(painted_files)}</size><original_size>{size}"
        f"</original_size></task></meta>{tracks}</annotations>",
    )
    frames = run("Videos")["dataset"]
    assert len(frames) == len(painted_files)
    fields = [*frames.get_field_schema(embedded_doc_type=fo.Detections)]
    assert fields == ["ground_truth_detections"]
    assert frames.count(f"{fields[0]}.detections") == sum(
        len(one["objects"]) for one in painted_files
    )

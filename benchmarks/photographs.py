"""The data that trainings are measured on, as FiftyOne datasets with tags.

Only images tagged `train` are trained on or chosen by; those tagged `test` are
evaluated once per training.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

import fiftyone as fo

import yolov1_fo
from yolov1_fo import images

NAMES = ("quickstart", "fruit", "one-object", "highway", "bccd")


def load(
    name: str, folder: Path | None = None
) -> tuple[fo.DatasetView, fo.DatasetView]:
    """Returns the training and test split of a dataset.

    Args:
        name: one of `NAMES`
        folder (None): of the photographs; only the quickstart dataset needs none
    """
    if name == "quickstart":
        dataset = yolov1_fo.load_quickstart()
        return dataset.match_tags("train"), dataset.match_tags("val")
    if folder is None:
        raise ValueError(f"'{name}' needs the folder of the photographs")
    if name == "one-object":
        dataset = one_object(folder / "fruit")
    else:
        loaders = {"fruit": fruit, "highway": highway, "bccd": bccd}
        dataset = loaders[name](folder / name)
    return dataset.match_tags("train"), dataset.match_tags("test")


def fruit(folder: Path) -> fo.Dataset:
    """Returns 240 and 60 photographs of apples, bananas and oranges."""
    return _voc(
        (path, folder / "images" / path.parent.name, path.parent.name)
        for path in sorted((folder / "annotations_voc").glob("*/*.xml"))
    )


def one_object(folder: Path) -> fo.Dataset:
    """Returns the photographs of `fruit` with one box: 120 for training."""
    dataset = fruit(folder)
    several = fo.ViewField("ground_truth.detections").length() != 1
    dataset.delete_samples(dataset.match(several))
    train = dataset.match_tags("train")
    dataset.delete_samples(train.skip(120))
    return dataset


def highway(folder: Path) -> fo.Dataset:
    """Returns 1831 and 245 photographs of four kinds of vehicles, and persons.

    Images that are in both splits have no tag.
    """
    dataset = fo.Dataset()
    for split, tag in (("train", "train"), ("val", "test")):
        dataset.add_dir(
            dataset_dir=str(folder / split),
            dataset_type=fo.types.COCODetectionDataset,
            label_types="detections",
            label_field="ground_truth",
            tags=tag,
            progress=False,
        )
    shared = yolov1_fo.inspect(dataset).view("shared").match_tags("train")
    shared.untag_samples("train")
    return dataset


def bccd(folder: Path) -> fo.Dataset:
    """Returns 292 and 72 microscope pictures of three kinds of blood cells."""
    splits = {"train": "trainval", "test": "test"}
    return _voc(
        (folder / "annotations_voc" / f"{stem}.xml", folder / "images", tag)
        for tag, split in splits.items()
        for stem in (folder / "imagesets" / f"{split}.txt").read_text().split()
    )


def _voc(files: Iterable[tuple[Path, Path, str]]) -> fo.Dataset:
    """Returns the dataset of VOC annotations, folders of images, and tags.

    Boxes are divided by the size of the image file; some annotations of `fruit` state
    another.
    """
    samples = []
    for annotation, folder, tag in files:
        file = folder / f"{annotation.stem}.jpg"
        height, width = images.read(file).shape[:2]
        detections = []
        for item in ElementTree.parse(annotation).getroot().iter("object"):
            corners = [
                float(item.findtext(f"bndbox/{name}", ""))
                for name in ("xmin", "ymin", "xmax", "ymax")
            ]
            left, right = corners[0] / width, corners[2] / width
            top, bottom = corners[1] / height, corners[3] / height
            detections.append(
                fo.Detection(
                    label=item.findtext("name"),
                    bounding_box=[left, top, right - left, bottom - top],
                    difficult=item.findtext("difficult") == "1",
                )
            )
        truth = fo.Detections(detections=detections)
        samples.append(fo.Sample(filepath=str(file), tags=[tag], ground_truth=truth))
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    return dataset

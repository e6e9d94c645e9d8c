"""Photographs of persons and cars with what published detectors found in them."""

CLASSES = ["person", "car"]


def dataset(photographs, *detectors):
    """Returns a dataset; truth is `detections`, each detector has a field of its name.

    Args:
        photographs: the folder of `--photographs`
        *detectors: names of files; a dot becomes an underscore in a field
    """
    import fiftyone as fo
    import fiftyone.utils.coco as fouc

    folder = photographs / "open_images_person_car"
    made = fo.Dataset.from_dir(
        dataset_type=fo.types.COCODetectionDataset,
        data_path=str(folder / "images"),
        labels_path=str(folder / "val112_coco.json"),
        label_types="detections",
        include_id=True,
        progress=False,
    )
    for name in detectors:
        fouc.add_coco_labels(
            made,
            name.replace(".", "_"),
            str(folder / "detections" / f"{name}.json"),
            CLASSES,
            coco_id_field="coco_id",
            label_type="detections",
        )
    return made

"""FiftyOne's App with its own server and a real browser.

FiftyOne is imported within functions: this file is loaded before the database starts.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.app_server import AppServer
from tests.plugin.conftest import kill_jobs, linked  # noqa: F401  # a fixture

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
UNLABELED = 10
"""Photographs of `predicted` without labels."""


@pytest.fixture(scope="module")
def highway(request: pytest.FixtureRequest) -> Iterator:
    """120 photographs of roads, four fifths of them for training."""
    import fiftyone as fo

    folder = request.config.getoption("--photographs")
    if folder is None:
        pytest.skip("needs real photographs: --photographs DIR")
    dataset = fo.Dataset.from_dir(
        dataset_type=fo.types.COCODetectionDataset,
        data_path=str(folder / "highway" / "val" / "data"),
        labels_path=str(folder / "highway" / "val" / "labels.json"),
        label_types="detections",
        name="highway",
        max_samples=120,
        seed=1,
        shuffle=True,
        progress=False,
    )
    dataset.persistent = True
    for number, sample in enumerate(dataset):
        sample.tags = ["val" if number % 5 == 0 else "train"]
        sample.save()
    yield dataset
    if fo.dataset_exists("highway"):
        dataset.delete()


@pytest.fixture
def predicted(highway) -> Any:
    """The photographs with predictions made by hand, and the run that they are of.

    Ten have no labels, and three labels are broken.
    """
    import fiftyone as fo

    from tests.runs.made_runs import make_run
    from yolov1_fo.config import NetworkConfig
    from yolov1_fo.runs import training_labels, training_samples

    rng = np.random.default_rng(0)
    for sample in highway:
        found = []
        for one in sample.ground_truth.detections if sample.ground_truth else ():
            score, box = rng.uniform(0.6, 0.9), np.array(one.bounding_box)
            near = (box * rng.uniform(0.98, 1.02, 4)).tolist()
            found.append(
                fo.Detection(label=one.label, bounding_box=near, confidence=score)
            )
        sample["predictions"] = fo.Detections(detections=found)
        sample.save()
    ids = highway.values("id")
    values = dict.fromkeys(ids[:UNLABELED])
    highway.set_values("ground_truth", values, key_field="id")
    train, val = highway.match_tags("train"), highway.match_tags("val")
    folder = make_run(
        *(highway, "first"),
        classes=highway.distinct("ground_truth.detections.label"),
        settings=asdict(NetworkConfig(network="yolov1-efficientnet-lite0", C=5)),
        gt_field="ground_truth",
        val_images=len(val),
        best={"val_voc07": 0.5},
    )
    given = (train.values("id"), val.values("id"))
    training_labels.write(folder, highway, "ground_truth", *given)
    training_samples.write(folder, given[0])
    for number, sample in enumerate(highway.exists("ground_truth").limit(3)):
        objects = sample.ground_truth.detections
        if number == 0:
            objects[0].label = next(
                one
                for one in highway.distinct("ground_truth.detections.label")
                if one != objects[0].label
            )
        elif number == 1:
            objects.pop()
        else:
            objects.append(
                fo.Detection(label="car", bounding_box=[0.02, 0.02, 0.1, 0.1])
            )
        sample.save()
    return highway


@pytest.fixture
def app(highway, linked, tmp_path) -> Iterator[AppServer]:  # noqa: F811  # the fixture
    """The App with the photographs."""
    app = AppServer(highway.name, tmp_path / "app.log")
    yield app
    app.stop()
    kill_jobs(highway)


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """The system's Chromium."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"needs a browser, one of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def keeps_screenshots(request: pytest.FixtureRequest) -> bool:
    """Whether screenshots are kept, so that better training is worth the time."""
    return request.config.getoption("--screenshots") is not None


@pytest.fixture(scope="module")
def screenshots(request: pytest.FixtureRequest, tmp_path_factory) -> Path:
    """The folder for screenshots."""
    folder = request.config.getoption("--screenshots")
    folder = folder or tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder

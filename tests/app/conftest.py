"""FiftyOne's App with its own server and a real browser.

FiftyOne is imported within functions: this file is loaded before the database starts.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.app_server import AppServer
from tests.plugin.conftest import kill_jobs, linked  # noqa: F401  # a fixture

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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

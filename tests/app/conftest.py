"""FiftyOne's App as a person has it: a server of its own, and a real browser.

FiftyOne is imported where it is used: this file loads before the database is there.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.server import App
from tests.plugin.conftest import kill_jobs, linked  # noqa: F401  # a fixture

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def highway(request: pytest.FixtureRequest) -> Iterator:
    """A hundred and twenty photographs of roads, four fifths to learn from."""
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
def app(highway, linked, tmp_path) -> Iterator[App]:  # noqa: F811  # the fixture
    """The App, showing the photographs."""
    app = App(highway.name, tmp_path / "app.log")
    yield app
    app.stop()
    kill_jobs(highway)


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A browser, as the system has it."""
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
def for_people(request: pytest.FixtureRequest) -> bool:
    """Whether people will look at the pictures, so that more is worth its time."""
    return request.config.getoption("--screenshots") is not None


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest, tmp_path_factory) -> Path:
    """Where pictures go."""
    folder = request.config.getoption("--screenshots")
    folder = folder or tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""The plugin as FiftyOne downloads it, and a model of KerasHub, in the App."""

import re
import shutil
from pathlib import Path

import fiftyone as fo
import pytest

import yolov1_fo
from tests.app.app_page import MODAL, AppPage
from tests.app.waiting import ended
from tests.hub import hub_classifier
from tests.plugin.conftest import NAME, download
from tests.serving import archive, serving
from yolov1_fo.publishing import local_zoo

pytestmark = pytest.mark.slow

CLASSES = ["day", "night", "rain"]


@pytest.fixture
def linked(tmp_path):
    """The downloaded plugin, in place of a link to this checkout."""
    plugins = Path(fo.config.plugins_dir)
    path = archive(tmp_path / "served" / "yolov1.zip")
    with serving(path.parent) as url:
        download(f"{url}{path.name}", plugins)
    yield plugins / NAME
    shutil.rmtree(plugins / NAME)


@pytest.fixture
def weather(hub, backbone, tmp_path):
    """The name of a published classifier of KerasHub with random weights."""
    model = yolov1_fo.from_keras(hub_classifier(hub, backbone), CLASSES)
    model.save(tmp_path / "weather")
    yolov1_fo.publish(tmp_path / "weather", "weather")
    yield "weather"
    local_zoo.unpublish("weather")


def test_a_keras_hub_model_is_applied(
    highway, linked, weather, app, chromium, screenshots
):
    assert not linked.is_symlink()
    page = AppPage(chromium, app.url, screenshots)
    page.click_above_samples("apply_model")
    page.window.locator(MODAL).wait_for()
    page.choose("Model", re.compile(weather))
    page.fill("Predictions field", "kind")
    page.wait_for_text('Will add "kind" to 120 images')
    page.screenshot("keras-apply")
    page.execute()
    job = ended(highway, "kind")
    assert job.progress.state == "finished", job.progress.label
    highway.reload()
    assert set(highway.distinct("kind.label")) <= set(CLASSES)
    assert highway.count("kind.label") == 120
    page.wait_for_text("^kind$")
    page.screenshot("keras-applied")
    page.close()

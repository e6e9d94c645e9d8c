"""The predictions that count, in the App: after Apply, in their panel, in Evaluate."""

import json
import re
import shutil

import pytest

from tests.app.app_page import EVALUATION, MODAL, AppPage
from tests.app.app_server import AppServer
from tests.app.waiting import ended
from tests.plugin.conftest import dataset, linked  # noqa: F401  # fixtures
from yolov1_fo.publishing import local_zoo

pytestmark = pytest.mark.slow
PANEL = "yolov1_predictions"


@pytest.fixture
def model(checkpoint_dir, tmp_path):
    """A published model with a recommended threshold, which the form then chooses."""
    folder = tmp_path / "trained"
    shutil.copytree(checkpoint_dir, folder)
    file = folder / "run.json"
    metadata = json.loads(file.read_text())
    metadata["operating_point"] = {"thresh": 0.2401, "class_threshs": {}}
    file.write_text(json.dumps(metadata))
    local_zoo.publish(folder, "shapes")
    yield
    local_zoo.unpublish("shapes")


def slider(page):
    return page.window.locator(f"[data-cy=panel-content-{PANEL}] input[type=range]")


def test_from_apply_to_the_evaluation(
    dataset,  # noqa: F811  # the fixture
    linked,  # noqa: F811  # the fixture
    model,
    chromium,
    screenshots,
    tmp_path,
):
    app = AppServer(dataset.name, tmp_path / "app.log")
    try:
        page = AppPage(chromium, app.url, screenshots)
        walk(page, dataset)
        page.close()
    finally:
        app.stop()


def walk(page, dataset):  # noqa: F811  # the fixture
    # 1. After Apply, the view has the predictions that count, and the panel says so.
    page.open_operator("Apply YOLOv1")
    page.execute()
    page.wait_for_text(r"\d+ of \d+ predictions shown: .* at least 0.24, the best F1")
    assert ended(dataset, "predictions").progress.state == "finished"
    page.window.locator(f"[data-cy=panel-content-{PANEL}]").wait_for()
    page.window.wait_for_timeout(3000)
    page.screenshot("20-applied")

    # 2. Show all, and another minimum confidence.
    page.click("Show all")
    page.wait_for_text(r"All \d+ predictions shown")
    page.window.wait_for_timeout(1500)
    page.screenshot("21-all")
    slider(page).focus()
    page.window.keyboard.press("ArrowRight")
    page.wait_for_text("At a confidence of at least 0.25")
    page.click("Apply filter")
    page.wait_for_text(r"\d+ of \d+ predictions shown: .* at least 0.25")
    page.window.wait_for_timeout(1500)
    page.screenshot("22-moved")

    # 3. Evaluate opens the evaluation itself.
    page.click("Evaluate")
    page.window.locator(MODAL).wait_for()
    page.wait_for_text("All 8 samples")
    page.window.wait_for_timeout(1500)
    page.screenshot("23-evaluate")
    page.execute()
    page.window.locator(f"[data-cy=panel-content-{EVALUATION}]").wait_for()
    page.wait_for_text("VOC07 mAP@0.5")
    page.window.wait_for_timeout(1500)
    page.screenshot("24-evaluation")
    page.wait_for_text(
        "count predictions with a confidence"
    ).scroll_into_view_if_needed()
    page.screenshot("25-note")

    # 4. The panel shows precision, recall and F1 of the evaluation.
    page.open_panel(PANEL)
    page.wait_for_text(re.escape("are those of evaluation"))
    page.window.wait_for_timeout(2000)
    page.screenshot("26-curve")

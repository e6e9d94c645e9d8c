"""Forms in the App: what is chosen stays, hidden errors show, losses are told."""

from dataclasses import asdict

import fiftyone as fo
import pytest

from tests.app.app_page import MODAL, AppPage
from tests.runs.made_runs import make_run
from yolov1_fo.config import NetworkConfig
from yolov1_fo.datasets.inspection_report import LEAVE_OUT

pytestmark = pytest.mark.slow

CHECK = "yolov1_check"


def detector(dataset, key, score):
    config = NetworkConfig(network="yolov1-efficientnet-lite0", image_size=64, S=4)
    best = {"val_voc07": score}
    make_run(dataset, key, classes=["car"], settings=asdict(config), best=best)


def test_forms_and_dataset_check(highway, app, chromium, screenshots):
    detector(highway, "first", 0.5)
    highway.add_sample(fo.Sample(filepath="/nowhere.jpg", tags=["train"]))
    page = AppPage(chromium, app.url, screenshots)

    # 1. The buttons above the samples; the model stays when another run is better.
    page.click_above_samples("apply_model")
    page.window.locator(MODAL).wait_for()
    page.wait_for_text('Will add "predictions" to 121 images')
    assert "first" in page.value("Model")
    detector(highway, "second", 0.9)
    page.fill("Predictions field", "ground_truth")
    page.wait_for_text("is the ground truth|holds labels that were not written by")
    page.screenshot("forms-apply")
    page.fill("Predictions field", "found")
    page.wait_for_text('Will add "found" to 121 images')
    assert "first" in page.value("Model")
    page.fill("Batch size", "")
    page.wait_for_text("Batch size is empty; enter a number")
    page.close_form()

    # 2. A hidden error comes first; the settings of a run.
    page.click_above_samples("train_model")
    page.wait_for_text("95 training images, 24 validation images")
    page.check("Advanced settings")
    page.fill("Grid size (S x S)", "3")
    page.window.get_by_label("Advanced settings", exact=True).uncheck()
    page.wait_for_text("Grid size .* must be .*among the advanced settings")
    page.screenshot("forms-hidden")
    page.close_form()

    # 3. The dataset check: its panel, what is left out, and back.
    page.open_operator("Check dataset for YOLOv1")
    page.execute()
    panel = page.window.locator(f"[data-cy=panel-content-{CHECK}]")
    panel.get_by_role("cell", name="Unreadable files").wait_for()
    page.screenshot("forms-check")
    for width in (1280, 1000):
        page.window.set_viewport_size({"width": width, "height": 800})
        page.window.wait_for_timeout(1000)
        page.screenshot(f"forms-check-{width}")
        menu = panel.get_by_role("row").last.get_by_role("button").last.bounding_box()
        assert menu["x"] + menu["width"] <= width  # nothing is cut off
    page.window.set_viewport_size({"width": 1440, "height": 900})
    row = panel.get_by_role("row").filter(has_text="Unreadable files")
    row.get_by_role("button").last.click()
    page.screenshot("forms-check-menu")
    page.window.get_by_role("menuitem", name="Leave out of training").click()
    page.wait_for_text("Put back 1 sample")
    highway.reload()
    assert highway.match_tags(LEAVE_OUT).values("filepath") == ["/nowhere.jpg"]

    # 4. Delete chooses nothing, and asks.
    page.open_operator("Delete YOLOv1 run")
    page.wait_for_text("Choose the run to delete")
    page.screenshot("forms-delete-empty")
    page.choose("Run", "Run first (VOC07 mAP@0.5 0.500)")
    page.wait_for_text("Will be deleted: the record and the curves of")
    page.screenshot("forms-delete")
    assert page.window.get_by_role("button", name="Execute", exact=True).is_disabled()
    page.check("Delete 'first' permanently")
    page.execute()
    page.wait_for_text("Deleted run")
    highway.reload()
    assert highway.list_runs() == ["second"]
    page.close()

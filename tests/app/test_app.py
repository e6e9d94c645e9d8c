"""Train, stop, resume, apply, evaluate and publish in the App."""

import re

import pytest

from tests.app.app_page import EVALUATION, MODAL, RUNS, AppPage
from tests.app.waiting import ended, epochs_of, wait_for

pytestmark = pytest.mark.slow


def test_train_apply_evaluate_publish(
    highway, app, chromium, screenshots, keeps_screenshots
):
    import fiftyone.zoo as foz

    from yolov1_fo.publishing import local_zoo

    epochs, image_size = 20, "160" if keeps_screenshots else "96"
    page = AppPage(chromium, app.url, screenshots)

    # 1. Without runs, the panel explains how to start.
    page.open_panel(RUNS)
    page.wait_for_text("No training runs yet")
    page.screenshot("1-empty")

    # 2. Empty inputs have the recipe's values; an error is shown as one line.
    page.open_operator("Train YOLOv1")
    summary = page.wait_for_text("96 training images, 24 validation images, 5 classes")
    page.screenshot("2-form-begin")
    summary.scroll_into_view_if_needed()
    page.screenshot("2-form")
    assert page.value("Epochs") == ""
    page.fill("Time limit (minutes)", "20")
    page.wait_for_text("as many epochs as fit; ends after about 20 minutes")
    page.screenshot("2-form-limit")
    page.fill("Time limit (minutes)", "-5")
    page.wait_for_text(r"Time limit \(minutes\) must be in \[0, 525600\], got -5")
    page.screenshot("3-error-limit")
    page.fill("Time limit (minutes)", "")
    page.wait_for_text("epochs; about .* on this CPU")
    page.check("Advanced settings")
    for label in ("Recipe", "Dropout", "Random seed"):
        page.scroll_to(label)
        page.screenshot(f"2-form-{label.split()[0].lower()}")
    assert page.value("Run name") == "yolov1_1"
    page.fill("Run name", "../escape")
    page.wait_for_text("Run name must be letters, digits and underscores")
    page.screenshot("3-error")
    page.fill("Run name", "trucks")
    page.fill("Epochs", str(epochs))
    page.fill("Image size", image_size)
    page.wait_for_text(r"on this CPU \(estimated\)")
    page.execute()

    # 3. Progress bar and curves are updated.
    wait_for(lambda: page.epoch("trucks") >= 2)
    first = wait_for(page.count_points)
    wait_for(lambda: page.count_points() > first)
    wait_for(lambda: page.epoch("trucks") >= 3)
    page.screenshot("4-live")

    # 4. Stop it well before its end, and resume it.
    page.click("Stop")
    page.wait_for_text("trucks: stopped")
    assert ended(highway, "trucks").progress.state == "stopped"
    before = epochs_of(highway, "trucks")
    assert 1 <= before < epochs
    page.screenshot("5-stopped")
    page.click("Resume")
    page.window.locator(MODAL).wait_for()
    page.execute()
    assert wait_for(lambda: page.epoch("trucks")) > before
    page.wait_for_text("trucks: finished", 600)
    page.screenshot("6-finished")
    assert ended(highway, "trucks").progress.state == "finished"

    # 5. The next training can start from it.
    page.click("Train")
    page.wait_for_text("96 training images, 24 validation images, 5 classes")
    page.choose("Start from", re.compile(r"run trucks \(VOC07 mAP@0.5 0\.\d+\)"))
    page.input("Network").wait_for(state="hidden")
    page.wait_for_text(f"Side of the square input, in pixels. Empty: {image_size}")
    page.screenshot("6-start-from")
    page.close_form()

    # 6. Apply: the new field is shown at the end.
    page.click("Apply")
    page.wait_for_text('Will add "predictions" to 120 images')
    page.screenshot("7-apply")
    page.execute()
    page.wait_for_text("predictions: finished")
    assert ended(highway, "predictions").progress.state == "finished"
    page.window.locator("[data-cy=sidebar-field-predictions]").wait_for()
    page.screenshot("8-predictions")
    highway.reload()
    assert len(highway.exists("predictions")) == 120

    # 7. Evaluate: FiftyOne's panel shows our metrics.
    page.click("Evaluate")
    page.window.locator(MODAL).wait_for()
    page.execute()
    page.wait_for_text("predictions_eval_1: finished")
    assert ended(highway, "predictions_eval_1").progress.state == "finished"
    page.open_panel(EVALUATION)
    page.screenshot("9-evaluated")
    page.open_evaluation("predictions_eval_1")
    for name in ("VOC07 mAP@0.5", "VOC10 mAP@0.5", "AP@0.5"):
        page.wait_for_text(name).scroll_into_view_if_needed()
    page.screenshot("10-evaluation")

    # 8. Publish: any process can load the model.
    page.open_operator("Publish YOLOv1 model")
    page.fill("Model name", "trucks")
    page.execute()
    page.wait_for_text("foz.load_zoo_model")
    page.screenshot("11-published")
    model = foz.load_zoo_model("trucks", cache=False)
    assert model.classes == ["bus", "car", "motorbike", "person", "truck"]
    local_zoo.unpublish("trucks")

    # 8. The App has not loaded TensorFlow.
    assert app.libraries() == set()
    page.close()

"""Train, stop, resume, apply, evaluate and publish in the App."""

import os
import signal
import time

import pytest

from tests.app.app_page import EVALUATION, MODAL, RUNS, AppPage

pytestmark = pytest.mark.slow


def wait_for(condition, timeout=120.0):
    """Waits until a condition is true; returns its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.2)
    return value


def job_of(dataset, target):
    from yolov1_fo.jobs import control

    return next(
        (job for job in control.list_jobs(dataset) if job.target == target), None
    )


def epochs_of(dataset, run_key):
    """Returns the number of completed epochs of a run."""
    from yolov1_fo.runs import records, registry

    return (
        records.info(dataset, run_key).epoch if registry.exists(dataset, run_key) else 0
    )


def ended(dataset, target):
    """Waits until a job and its process have ended; returns the job."""
    import psutil

    job = wait_for(
        lambda: (job := job_of(dataset, target)) and not job.progress.is_active and job
    )
    wait_for(lambda: not psutil.pid_exists(job.pid))
    return job


def test_train_apply_evaluate_publish(
    highway, app, chromium, screenshots, keeps_screenshots
):
    import fiftyone.zoo as foz

    from yolov1_fo.publishing import local_zoo

    epochs, image_size = (20, "160") if keeps_screenshots else (24, "96")
    page = AppPage(chromium, app.url, screenshots)

    # 1. Without runs, the panel explains how to start.
    page.open_panel(RUNS)
    page.wait_for_text("No training runs yet")
    page.screenshot("1-empty")

    # 2. The form has defaults; an error is shown as one line.
    page.open_operator("Train YOLOv1")
    summary = page.wait_for_text("96 training images, 24 validation images, 5 classes")
    summary.scroll_into_view_if_needed()
    page.screenshot("2-form")
    assert page.value("Run name") == "yolov1_1"
    page.fill("Run name", "../escape")
    page.wait_for_text("run_key must be letters, digits and underscores")
    page.screenshot("3-error")
    page.fill("Run name", "trucks")
    page.fill("Epochs", str(epochs))
    page.fill("Image size", image_size)
    page.wait_for_text("on this CPU, based on the network's size")
    page.execute()

    # 3. Progress bar and curves are updated.
    wait_for(lambda: page.epoch("trucks") >= 2)
    first = wait_for(page.count_points)
    wait_for(lambda: page.count_points() > first)
    wait_for(lambda: page.epoch("trucks") >= 3)
    page.screenshot("4-live")

    # 4. Stop it well before its end, and resume it.
    page.click("Stop")
    page.window.locator(MODAL).wait_for()
    page.execute()
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

    # 5. Apply: the new field is shown at the end.
    page.click("Apply")
    page.wait_for_text("Creates the field 'predictions' on 120 images")
    page.screenshot("7-apply")
    page.execute()
    page.wait_for_text("predictions: finished")
    assert ended(highway, "predictions").progress.state == "finished"
    page.window.locator("[data-cy=sidebar-field-predictions]").wait_for()
    page.screenshot("8-predictions")
    highway.reload()
    assert len(highway.exists("predictions")) == 120

    # 6. Evaluate: FiftyOne's panel shows our metrics.
    page.click("Evaluate")
    page.window.locator(MODAL).wait_for()
    page.execute()
    page.wait_for_text("predictions_eval_1: finished")
    assert ended(highway, "predictions_eval_1").progress.state == "finished"
    page.open_panel(EVALUATION)
    page.screenshot("9-evaluated")
    page.open_evaluation("predictions_eval_1")
    for name in ("VOC07 mAP", "VOC10 mAP", "COCO AP@0.5"):
        page.wait_for_text(name).scroll_into_view_if_needed()
    page.screenshot("10-evaluation")

    # 7. Publish: any process can load the model.
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


def test_a_job_survives_browser_and_server(highway, app, chromium, screenshots):
    # 1. Close the browser during training, and kill the server.
    page = AppPage(chromium, app.url, screenshots)
    page.open_panel(RUNS)
    page.open_operator("Train YOLOv1")
    page.fill("Run name", "lasting")
    page.fill("Epochs", "30")
    page.fill("Image size", "64")
    page.wait_for_text("96 training images")
    page.execute()
    wait_for(lambda: page.epoch("lasting"))
    page.close()
    app.stop()

    # 2. Training continues; after a restart the panel shows it.
    before = job_of(highway, "lasting").progress.done
    app.start()
    page = AppPage(chromium, app.url, screenshots)
    page.open_panel(RUNS)
    page.wait_for_text("lasting: epoch")
    assert job_of(highway, "lasting").progress.done > before
    page.screenshot("12-continued")

    # 3. Kill its process: the panel shows that it failed, and why.
    wait_for(lambda: epochs_of(highway, "lasting") >= 1)
    os.killpg(job_of(highway, "lasting").pid, signal.SIGKILL)
    page.wait_for_text("its process died at: epoch")
    page.screenshot("13-failed")

    # 4. Resume it to the end.
    reached = epochs_of(highway, "lasting")
    assert 1 <= reached < 30
    page.click("Resume")
    page.window.locator(MODAL).wait_for()
    page.execute()
    assert wait_for(lambda: page.epoch("lasting")) > reached
    assert ended(highway, "lasting").progress.state == "finished"
    assert epochs_of(highway, "lasting") == 30
    assert app.libraries() == set()
    page.close()

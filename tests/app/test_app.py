"""A person trains, watches, stops, resumes, applies, evaluates and publishes."""

import os
import signal
import time

import pytest

from tests.app.person import EVALUATION, MODAL, RUNS, Person

pytestmark = pytest.mark.slow


def wait_for(happened, within=120.0):
    """Waits until something is so; returns what it is."""
    deadline = time.monotonic() + within
    while not (seen := happened()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
    return seen


def job_of(dataset, target):
    from yolov1_fo.jobs import control

    return next((job for job in control.all_of(dataset) if job.target == target), None)


def epochs_of(dataset, run_key):
    """Returns how many epochs of a run are done."""
    from yolov1_fo.runs import registry

    return (
        registry.info(dataset, run_key).epoch
        if registry.exists(dataset, run_key)
        else 0
    )


def ended(dataset, target):
    """Waits until a job has ended and its process is gone; returns it."""
    import psutil

    job = wait_for(
        lambda: (job := job_of(dataset, target)) and not job.progress.is_active and job
    )
    wait_for(lambda: not psutil.pid_exists(job.pid))
    return job


def test_the_whole_way(highway, app, chromium, pictures, for_people):
    import fiftyone.zoo as foz

    from yolov1_fo.publishing import local_zoo

    epochs, image_size = (20, "160") if for_people else (24, "96")
    person = Person(chromium, app.url, pictures)

    # 1. Nothing is there yet; the panel says how to begin.
    person.panel(RUNS)
    person.says("No training yet")
    person.picture("1-empty")

    # 2. The form fills itself; a mistake gets one line.
    person.ask_for("Train YOLOv1")
    tells = person.says("96 images to learn from, 24 to measure on, 5 classes")
    tells.scroll_into_view_if_needed()
    person.picture("2-form")
    assert person.value("Name of the run") == "yolov1_1"
    person.fill("Name of the run", "../escape")
    person.says("run_key must be letters, digits and underscores")
    person.picture("3-mistake")
    person.fill("Name of the run", "trucks")
    person.fill("Epochs", str(epochs))
    person.fill("Side", image_size)
    person.says("on this CPU, by the network's size")
    person.execute()

    # 3. The bar and the curves move.
    wait_for(lambda: person.epoch("trucks") >= 2)
    first = wait_for(person.points)
    wait_for(lambda: person.points() > first)
    wait_for(lambda: person.epoch("trucks") >= 3)
    person.picture("4-live")

    # 4. Stop it well before its end, and go on.
    person.press("Stop")
    person.page.locator(MODAL).wait_for()
    person.execute()
    person.says("trucks: stopped")
    assert ended(highway, "trucks").progress.state == "stopped"
    before = epochs_of(highway, "trucks")
    assert 1 <= before < epochs
    person.picture("5-stopped")
    person.press("Resume")
    person.page.locator(MODAL).wait_for()
    person.execute()
    assert wait_for(lambda: person.epoch("trucks")) > before
    person.says("trucks: finished", 600)
    person.picture("6-finished")
    assert ended(highway, "trucks").progress.state == "finished"

    # 5. Apply: the field is there when it ends.
    person.press("Apply")
    person.says("makes 'predictions' of 120 images")
    person.picture("7-apply")
    person.execute()
    person.says("predictions: finished")
    assert ended(highway, "predictions").progress.state == "finished"
    person.page.locator("[data-cy=sidebar-field-predictions]").wait_for()
    person.picture("8-predictions")
    highway.reload()
    assert len(highway.exists("predictions")) == 120

    # 6. Evaluate: our numbers stand in FiftyOne's panel.
    person.press("Evaluate")
    person.page.locator(MODAL).wait_for()
    person.execute()
    person.says("predictions_eval_1: finished")
    assert ended(highway, "predictions_eval_1").progress.state == "finished"
    person.panel(EVALUATION)
    person.picture("9-evaluated")
    person.evaluation("predictions_eval_1")
    for name in ("VOC07 mAP", "VOC10 mAP", "COCO AP@0.5"):
        person.says(name).scroll_into_view_if_needed()
    person.picture("10-evaluation")

    # 7. Publish: every process can load it.
    person.ask_for("Publish YOLOv1 model")
    person.fill("Name in the zoo", "trucks")
    person.execute()
    person.says("foz.load_zoo_model")
    person.picture("11-published")
    model = foz.load_zoo_model("trucks", cache=False)
    assert model.classes == ["bus", "car", "motorbike", "person", "truck"]
    local_zoo.unpublish("trucks")

    # 8. The App has loaded no TensorFlow.
    assert app.libraries() == set()
    person.close()


def test_it_outlives_browser_server_and_itself(highway, app, chromium, pictures):
    # 1. Close the browser in the middle, and kill the server.
    person = Person(chromium, app.url, pictures)
    person.panel(RUNS)
    person.ask_for("Train YOLOv1")
    person.fill("Name of the run", "lasting")
    person.fill("Epochs", "30")
    person.fill("Side", "64")
    person.says("96 images to learn from")
    person.execute()
    wait_for(lambda: person.epoch("lasting"))
    person.close()
    app.stop()

    # 2. It goes on; start both again: the panel shows it.
    then = job_of(highway, "lasting").progress.done
    app.start()
    person = Person(chromium, app.url, pictures)
    person.panel(RUNS)
    person.says("lasting: epoch")
    assert job_of(highway, "lasting").progress.done > then
    person.picture("12-went-on")

    # 3. Kill its process: it has failed, and why.
    wait_for(lambda: epochs_of(highway, "lasting") >= 1)
    os.killpg(job_of(highway, "lasting").pid, signal.SIGKILL)
    person.says("its process died at: epoch")
    person.picture("13-failed")

    # 4. Resume finishes it.
    reached = epochs_of(highway, "lasting")
    assert 1 <= reached < 30
    person.press("Resume")
    person.page.locator(MODAL).wait_for()
    person.execute()
    assert wait_for(lambda: person.epoch("lasting")) > reached
    assert ended(highway, "lasting").progress.state == "finished"
    assert epochs_of(highway, "lasting") == 30
    assert app.libraries() == set()
    person.close()

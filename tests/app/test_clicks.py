"""From an open dataset to an evaluation, with the buttons of the App."""

import json
import time

import pytest

from tests.app.app_page import EVALUATION, MODAL, PREDICTIONS, RUNS, AppPage
from tests.app.waiting import ended

pytestmark = pytest.mark.slow

MOST_CLICKS = 7


def test_a_few_clicks_lead_to_an_evaluation(highway, app, chromium, screenshots):
    """Figures of its steps are in `steps.json` beside the screenshots."""
    page, steps = AppPage(chromium, app.url, screenshots), {}

    def timed(name, action, element, state="visible"):
        start = time.monotonic()
        action()
        page.window.locator(element).first.wait_for(state=state)
        steps[name] = time.monotonic() - start

    def execute(name):
        page.window.wait_for_timeout(1000)  # the form is refreshed after the last input
        timed(name, lambda: page.click("Execute"), MODAL, "hidden")

    timed("open Train", lambda: page.click_above_samples("train_model"), MODAL)
    page.fill("Image size", "64")  # to be quick; the default is as good
    page.fill("Epochs", "8")
    page.wait_for_text("8 epochs; about")
    execute("start training")
    page.window.locator(f"[data-cy=panel-content-{RUNS}]").wait_for()
    page.window.locator("[data-cy=looker]").first.wait_for()  # beside the new panel
    page.watch()
    page.wait_for_text("yolov1_1: finished")
    assert page.watched().fewest > 0  # the grid was never blank
    timed("open Apply", lambda: page.click("Apply"), MODAL)
    page.wait_for_text('Will add "predictions" to 120 images')
    execute("start Apply")
    page.window.locator(f"[data-cy=panel-content-{PREDICTIONS}]").wait_for()
    ended(highway, "predictions")
    page.wait_for_text("predictions shown")
    highway.reload()
    timed("open Evaluate", lambda: page.click("Evaluate"), MODAL)
    page.wait_for_text("Validation split of run")
    execute("start Evaluate")
    page.window.locator(f"[data-cy=panel-content-{EVALUATION}]").wait_for()
    page.wait_for_text("VOC07 mAP@0.5")
    steps["longest pause of the page"] = page.watched().pause
    (screenshots / "steps.json").write_text(json.dumps(steps, indent=2))
    assert page.clicks <= MOST_CLICKS
    page.close()

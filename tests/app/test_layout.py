"""The panels at several widths of the window: nothing is cut off."""

import pytest

from tests.app.app_page import LABELS, PREDICTIONS, RUNS, AppPage
from tests.training.run_report.made_reports import make_reportable, split_of
from yolov1_fo.runs import folders, history

pytestmark = pytest.mark.slow

ERRORS, CHECK = "yolov1_errors", "yolov1_check"
WIDTHS = (1920, 1280, 1000)
CURVES = {
    "loss": [3.0, 2.0, 1.5],
    "val_loss": [4.0, 3.0, 2.5],
    "val_voc07": [0.1, 0.2, 0.4],
    "learning_rate": [1e-3, 1e-3, 0.0],
}
OVERFLOWING = """
(panel) => {
    const right = panel.getBoundingClientRect().right;
    return [...panel.querySelectorAll("*")]
        .filter((one) => one.tagName == "text" || !one.parentElement.closest("svg"))
        .filter((one) => !one.closest(".modebar"))
        .filter((one) => one.getBoundingClientRect().width > 0)
        .filter((one) => one.getBoundingClientRect().right > right + 1)
        .map((one) => `${one.tagName} ${one.textContent.slice(0, 40)}`);
}
"""
"""Returns the elements of a panel that extend beyond its right edge."""


@pytest.fixture
def filled(predicted, painted_files):
    """The photographs with runs, an evaluation, mistakes and suggestions."""
    import yolov1_fo

    history.write(folders.run_folder(predicted, "first"), CURVES)
    make_reportable(predicted, "second", split_of(painted_files))
    labeled = predicted.exists("ground_truth")
    yolov1_fo.evaluate(labeled, "predictions", eval_key="predictions_eval_1")
    yolov1_fo.find_mistakes(predicted, "predictions")
    yolov1_fo.suggest(predicted, "predictions", thresh=0.5)
    return predicted


def test_nothing_is_cut_off(filled, app, chromium, screenshots):
    page = AppPage(chromium, app.url, screenshots)
    page.open_operator("Check dataset for YOLOv1")
    page.execute()
    page.window.locator(f"[data-cy=panel-content-{CHECK}]").wait_for()
    for name, text in (
        (CHECK, "Finding"),
        (RUNS, "Learning rate|Loss components|Loss"),
        (PREDICTIONS, "are those of evaluation"),
        (LABELS, "possible mistakes"),
        (ERRORS, "Error types"),
    ):
        page.window.set_viewport_size({"width": 1440, "height": 900})
        check_widths(page, page.open_panel(name), text, name)
    page.window.set_viewport_size({"width": 1440, "height": 900})
    panel = page.open_panel(RUNS)
    panel.get_by_role("cell", name="second", exact=True).click()
    check_widths(page, panel, "Confusion matrix", "run")
    page.close()


def check_widths(page, panel, text, name):
    """Asserts that each part of a panel is within it, at each width."""
    for width in WIDTHS:
        page.window.set_viewport_size({"width": width, "height": 900})
        page.wait_for_text(text)
        page.window.wait_for_timeout(1500)
        page.screenshot(f"layout-{name}-{width}")
        assert panel.first.evaluate(OVERFLOWING) == [], (name, width)

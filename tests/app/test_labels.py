"""The circle of labels in the App, on photographs with predictions made by hand."""

import re

import pytest

from tests.app.app_page import LABELS, MODAL, AppPage
from tests.app.waiting import wait_for

pytestmark = pytest.mark.slow


def test_the_circle_of_labels(predicted, app, chromium, screenshots):
    page = AppPage(chromium, app.url, screenshots)
    panel = page.open_panel(LABELS)
    page.wait_for_text(r"1\. Find mistakes")
    page.screenshot("labels-empty")

    # 1. Mistakes: the view of all opens when the search has ended.
    page.click("1. Find mistakes")
    page.wait_for_text(r"labels of \d+ labeled samples with 'predictions'")
    page.screenshot("labels-find-form")
    page.execute()
    page.wait_for_text("possible mistakes in 'ground_truth'")
    page.wait_for_text(r"Wrong class")
    page.window.wait_for_timeout(4000)
    page.screenshot("labels-mistakes")
    found = {name: count for name, count in counts(panel).items() if count}
    assert found.keys() >= {"Missing object", "Wrong class"}
    panel.locator("tr", has_text="Wrong class").locator("button").click()
    wait_for(lambda: shown(page) == found["Wrong class"])
    page.screenshot("labels-wrong-class")

    # 2. Suggestions, accepted and taken back.
    before = predicted.count("ground_truth.detections")
    page.click("2. Suggest labels")
    page.window.locator(MODAL).wait_for()
    page.choose("Method", "From predictions in a field")
    page.screenshot("labels-suggest-form")
    page.fill("Minimum confidence", "0.5")
    page.wait_for_text(r"Will add .* suggestions to .* samples")
    page.screenshot("labels-suggest-form-2")
    page.execute()
    page.wait_for_text("to accept or delete")
    page.window.wait_for_timeout(4000)
    page.screenshot("labels-suggestions")
    page.click("3. Accept")
    page.wait_for_text(r"Will add .* labels to .* samples")
    page.screenshot("labels-accept-form")
    page.execute()
    wait_for(lambda: predicted.count("ground_truth.detections") > before)
    page.screenshot("labels-accepted")
    page.click("Undo")
    page.wait_for_text("Takes back .* labels accepted at")
    page.screenshot("labels-undo-form")
    page.execute()
    wait_for(lambda: predicted.count("ground_truth.detections") == before)

    # 3. Train again: the form of Train is filled in.
    page.click("5. Train again")
    page.wait_for_text(r"new objects?, .* changed and .* deleted since run 'first'")
    page.wait_for_text("training images")
    page.screenshot("labels-again-form")
    assert "first" in page.input("Start from").inner_text()
    page.close_form()
    page.close()


def counts(panel):
    """Returns the number of mistakes of each kind in the table."""
    rows = [row.inner_text().split("\t") for row in panel.locator("tbody tr").all()]
    return {cells[0].strip(): int(cells[1]) for cells in rows if len(cells) > 1}


def shown(page):
    """Returns how many samples the grid has."""
    text = page.window.locator("[data-cy=entry-counts]").first.inner_text()
    return int(re.sub(r"\D", "", text.partition("of")[0]) or 0)

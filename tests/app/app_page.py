"""Operates FiftyOne's App in a browser: opens panels, fills in forms, reads results."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.plugin.conftest import NAME

RUNS, PREDICTIONS, LABELS = "yolov1_runs", "yolov1_predictions", "yolov1_labels"
EVALUATION = "model_evaluation_panel_builtin"
MODAL = "[data-cy=operators-prompt-modal]"
SEARCH = (
    "[data-cy=operators-browser-search] input, input[data-cy=operators-browser-search]"
)
TIMEOUT = 240.0
"""Seconds to wait for an element."""
WATCH = """
() => {
    const seen = {fewest: Infinity, pause: 0};
    let last = performance.now();
    window.watched = seen;
    setInterval(() => {
        const now = performance.now();
        const samples = document.querySelectorAll("[data-cy=looker]").length;
        seen.fewest = Math.min(seen.fewest, samples);
        seen.pause = Math.max(seen.pause, (now - last) / 1000);
        last = now;
    }, 20);
}
"""
"""Watches the grid of samples, and for how long the page does not react."""


class Watched(NamedTuple):
    """What was seen of a page since `AppPage.watch`.

    Attributes:
        fewest: smallest number of samples in the grid
        pause: longest time in which the page did not react, in seconds
    """

    fewest: int
    pause: float


class AppPage:
    """A browser window with the App.

    Args:
        browser: Playwright's browser
        url: URL of the dataset in the App
        screenshots: folder for screenshots

    Attributes:
        window: Playwright's page
        clicks: number of clicks of `click`, `click_above_samples` and `execute`
    """

    def __init__(self, browser: Any, url: str, screenshots: Path) -> None:
        self.browser, self.url, self.screenshots = browser, url, screenshots
        self.clicks = 0
        self.open()

    def open(self) -> None:
        """Opens the dataset in a new window."""
        self.window = self.browser.new_page(viewport={"width": 1440, "height": 900})
        self.window.set_default_timeout(TIMEOUT * 1000)
        remote = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1)")
        self.window.route(remote, lambda route: route.abort())  # fonts, analytics
        self.window.goto(self.url)
        self.window.locator("[data-cy=looker]").first.wait_for()
        dismiss = self.window.get_by_role("button", name="Dismiss")
        if dismiss.count():
            dismiss.first.click()

    def close(self) -> None:
        """Closes the window."""
        self.window.close()

    def screenshot(self, name: str) -> None:
        """Saves a screenshot."""
        self.window.screenshot(path=self.screenshots / f"{name}.jpg", quality=85)

    def open_operator(self, label: str) -> None:
        """Opens the form of an operator with the operator browser."""
        self.window.keyboard.press("Backquote")
        self.window.locator(SEARCH).fill(label)
        self.window.get_by_text(label, exact=True).first.wait_for()
        self.window.wait_for_timeout(1000)  # until the others are no longer listed
        self.window.keyboard.press("Enter")
        self.window.locator(MODAL).wait_for()

    def watch(self) -> None:
        """Starts to watch the page."""
        self.window.evaluate(WATCH)

    def watched(self) -> Watched:
        """Returns what was seen since `watch`."""
        seen = self.window.evaluate("window.watched")
        return Watched(seen["fewest"], seen["pause"])

    def click_above_samples(self, operator: str) -> None:
        """Clicks the button of an operator above the samples."""
        self.clicks += 1
        self.window.locator(f'[data-item-id="{NAME}/{operator}"]').click()

    def click(self, name: str) -> None:
        """Clicks a button of a panel, form or dialog."""
        self.clicks += 1
        self.window.get_by_role("button", name=name, exact=True).last.click()

    def input(self, label: str) -> Any:
        """Returns the part of a form with this label."""
        return self.window.locator(
            f'xpath=//p[normalize-space()="{label}"]'
            '/ancestor::div[contains(@class,"MuiGrid-item")][1]'
        )

    def fill(self, label: str, value: str) -> None:
        """Fills in an input of a form."""
        self.input(label).locator("input").first.fill(value)

    def check(self, label: str) -> None:
        """Checks a check box of a form."""
        self.window.get_by_label(label, exact=True).check()

    def scroll_to(self, label: str) -> None:
        """Scrolls to an input of a form."""
        self.input(label).scroll_into_view_if_needed()

    def close_form(self) -> None:
        """Closes the form without executing it."""
        self.click("Cancel")
        self.window.locator(MODAL).wait_for(state="hidden")

    def value(self, label: str) -> str:
        """Returns the value of an input of a form."""
        return self.input(label).locator("input").first.input_value()

    def choose(self, label: str, option: str | re.Pattern[str]) -> None:
        """Chooses an option of a dropdown of a form, by its text or a pattern."""
        self.input(label).locator("[role=combobox]").first.click()
        self.window.get_by_role("option", name=option, exact=True).click()

    def wait_for_text(self, pattern: str, timeout: float = TIMEOUT) -> Any:
        """Waits until a text is visible; returns its element."""
        from playwright.sync_api import TimeoutError as PlaywrightTimeout

        element = self.window.get_by_text(re.compile(pattern)).last
        try:
            element.wait_for(timeout=timeout * 1000)
        except PlaywrightTimeout:
            self.screenshot("timeout")
            shown = self.window.locator("body").inner_text()
            raise AssertionError(f"{pattern!r} is not shown, but: {shown}") from None
        return element

    def execute(self) -> None:
        """Executes the operator once its form is valid."""
        self.window.wait_for_timeout(1000)  # the form is refreshed after the last input
        self.click("Execute")

    def open_panel(self, name: str) -> Any:
        """Opens a panel next to the samples, unless it is open; returns it.

        The App may redraw its panels while it loads, so that a click is lost.
        """
        content = self.window.locator(f"[data-cy=panel-content-{name}]")
        tab = self.window.locator(f"[data-cy=panel-tab-{name}]")
        option = self.window.locator(f"[data-cy=new-panel-option-{name}]")

        def click() -> None:
            if tab.count():
                tab.first.click()
                return
            if not option.count():
                self.window.locator("[data-cy=new-panel-btn]").first.click()
            option.click()

        self._click_until(click, content, f"panel '{name}' did not open")
        return content

    def _click_until(self, click: Callable[[], None], element: Any, error: str) -> None:
        """Clicks, and again every ten seconds, until an element is visible."""
        self.window.wait_for_timeout(500)
        for second in range(int(TIMEOUT)):
            if element.first.is_visible():
                return
            if second % 10 == 0:
                click()
            self.window.wait_for_timeout(1000)
        raise AssertionError(error)

    def open_evaluation(self, name: str) -> None:
        """Opens an evaluation in FiftyOne's Model Evaluation panel.

        The panel may redraw its list while it loads, so that a click is lost.
        """
        content = self.open_panel(EVALUATION)
        self._click_until(
            content.get_by_text(name, exact=True).first.click,
            content.get_by_text("Overview", exact=True),
            f"evaluation '{name}' did not open",
        )

    def epoch(self, run_key: str) -> int:
        """Returns the epoch that the runs panel shows for a run; 0 if none."""
        text = self.window.locator(f"[data-cy=panel-content-{RUNS}]").first.inner_text()
        found = re.search(rf"{run_key}: epoch (\d+) of \d+, step", text)
        return int(found[1]) if found else 0

    def picture(self, alt: str) -> str:
        """Returns the address of the picture with this description."""
        return self.window.get_by_alt_text(alt).last.get_attribute("src")

    def count_points(self) -> int:
        """Returns the number of points in the plots of the runs panel."""
        return self.window.locator(
            f"[data-cy=panel-content-{RUNS}] .js-plotly-plot .point"
        ).count()

"""What a person does in the App: presses keys, fills forms, looks."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUNS, EVALUATION = "yolov1_runs", "model_evaluation_panel_builtin"
MODAL = "[data-cy=operators-prompt-modal]"
SEARCH = (
    "[data-cy=operators-browser-search] input, input[data-cy=operators-browser-search]"
)
WITHIN = 120.0
"""Seconds until something must have happened."""


class Person:
    """A person before a browser.

    Args:
        browser: of Playwright
        url: of the dataset in the App
        pictures: folder for screenshots
    """

    def __init__(self, browser: Any, url: str, pictures: Path) -> None:
        self.browser, self.url, self.pictures = browser, url, pictures
        self.open()

    def open(self) -> None:
        """Opens the dataset, in a new window."""
        self.page = self.browser.new_page(viewport={"width": 1440, "height": 900})
        self.page.set_default_timeout(WITHIN * 1000)
        local = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1)")
        self.page.route(local, lambda route: route.abort())  # fonts, analytics
        self.page.goto(self.url)
        self.page.locator("[data-cy=looker]").first.wait_for()
        dismiss = self.page.get_by_role("button", name="Dismiss")
        if dismiss.count():
            dismiss.first.click()

    def close(self) -> None:
        """Closes the window."""
        self.page.close()

    def picture(self, name: str) -> None:
        """Takes a picture of what is seen."""
        self.page.screenshot(path=self.pictures / f"{name}.jpg", quality=85)

    def ask_for(self, label: str) -> None:
        """Presses the backtick key and chooses an operator."""
        self.page.keyboard.press("Backquote")
        self.page.locator(SEARCH).fill(label)
        self.page.get_by_text(label, exact=True).first.wait_for()
        self.page.keyboard.press("Enter")
        self.page.locator(MODAL).wait_for()

    def press(self, name: str) -> None:
        """Presses a button of the panel, the form or the dialog."""
        self.page.get_by_role("button", name=name, exact=True).last.click()

    def field(self, label: str) -> Any:
        """Returns the part of a form that has this label."""
        return self.page.locator(
            f'xpath=//p[normalize-space()="{label}"]'
            '/ancestor::div[contains(@class,"MuiGrid-item")][1]'
        )

    def fill(self, label: str, value: str) -> None:
        """Fills in a field of a form."""
        self.field(label).locator("input").first.fill(value)

    def value(self, label: str) -> str:
        """Returns what a field of a form holds."""
        return self.field(label).locator("input").first.input_value()

    def choose(self, label: str, option: str) -> None:
        """Chooses from a list of a form."""
        self.field(label).locator("[role=combobox]").first.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def says(self, words: str, within: float = WITHIN) -> Any:
        """Waits until some words are seen, so many seconds; returns where."""
        found = self.page.get_by_text(re.compile(words)).last
        found.wait_for(timeout=within * 1000)
        return found

    def execute(self) -> None:
        """Sends the form when it may be sent."""
        self.page.wait_for_timeout(1000)  # the form is asked for again
        button = self.page.get_by_role("button", name="Execute", exact=True)
        button.click()

    def panel(self, name: str) -> Any:
        """Opens a panel beside the samples, unless it stands there; returns it.

        The App may lay out its panels anew while it loads, so that a press is lost.
        """
        content = self.page.locator(f"[data-cy=panel-content-{name}]")
        tab = self.page.locator(f"[data-cy=panel-tab-{name}]")
        option = self.page.locator(f"[data-cy=new-panel-option-{name}]")

        def press() -> None:
            if tab.count():
                tab.first.click()
                return
            if not option.count():
                self.page.locator("[data-cy=new-panel-btn]").first.click()
            option.click()

        self._again(press, content, f"panel '{name}' did not open")
        return content

    def _again(self, press: Callable[[], None], until: Any, fault: str) -> None:
        """Presses, and every ten seconds again, until something is seen."""
        self.page.wait_for_timeout(500)
        for second in range(int(WITHIN)):
            if until.first.is_visible():
                return
            if second % 10 == 0:
                press()
            self.page.wait_for_timeout(1000)
        raise AssertionError(fault)

    def evaluation(self, name: str) -> None:
        """Opens an evaluation in FiftyOne's panel.

        The panel draws its list anew while it loads, so that a press can be lost.
        """
        content = self.panel(EVALUATION)
        self._again(
            content.get_by_text(name, exact=True).first.click,
            content.get_by_text("Overview", exact=True),
            f"evaluation '{name}' did not open",
        )

    def epoch(self, name: str) -> int:
        """Returns the epoch that the panel of runs shows of a training; 0: none."""
        shown = self.page.locator(f"[data-cy=panel-content-{RUNS}]").first.inner_text()
        found = re.search(rf"{name}: epoch (\d+) of \d+, step", shown)
        return int(found[1]) if found else 0

    def points(self) -> int:
        """Returns how many points the plots of the panel of runs show."""
        return self.page.locator(
            f"[data-cy=panel-content-{RUNS}] .js-plotly-plot .point"
        ).count()

"""docs/tutorial.md runs as one program, with the output and figures that it shows.

`make tutorial` runs it with its own settings and rewrites both.
"""

import contextlib
import io
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import fiftyone as fo
import fiftyone.zoo as foz
import numpy as np
import PIL.Image
import pytest

import yolov1_fo
from tests.micro import MICRO
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.datasets import open_images

DOCS = Path(__file__).parent.parent / "docs"
TUTORIAL = DOCS / "tutorial.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.S | re.M)
SMALL = {
    "network": "micro",
    "freeze_to_stride": 0,
    "image_size": 32,
    "S": 2,
    "epochs": 3,
    "batch_size": 8,
    "lambda_noobj": 0.0,  # so that there are detections after three epochs
}


class Block(NamedTuple):
    """Code of the tutorial, the output that is shown there, and its actual output."""

    code: str
    shown: str
    printed: str


def run(text: str) -> list[Block]:
    """Runs all code of a page as one program, in the current folder."""
    space: dict = {}
    blocks = []
    for code, shown in BLOCK.findall(text):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, space)  # the tutorial is ours
        blocks.append(Block(code, shown, output.getvalue()))
    return blocks


def with_output(text: str, blocks: list[Block]) -> str:
    """Returns the page with the actual output of its code."""
    for code, shown, printed in blocks:
        fence = f"```python\n{code}```\n"
        before = fence + (f"\n```text\n{shown}```\n" if shown else "")
        after = fence + (f"\n```text\n{printed}```\n" if printed else "")
        text = text.replace(before, after, 1)
    return text


def figures_of(text: str) -> set[str]:
    """Returns the names of the figures that a page shows."""
    return set(re.findall(r"!\[[^\]]*\]\(tutorial/([^)]*)\)", text))


def trains(block: Block) -> bool:
    return "yolov1_fo.train(" in block.code


@pytest.fixture
def quiet(monkeypatch):
    """Disables App and progress line; returns settings to replace the page's."""
    train = yolov1_fo.train
    replaced: dict = {}

    def quiet_train(*args, **settings):
        others = {} if "resume" in settings else replaced
        return train(*args, **{**settings, **others}, progress=False)

    monkeypatch.setitem(NETWORKS, "micro", MICRO)
    monkeypatch.setattr(yolov1_fo, "train", quiet_train)
    monkeypatch.setattr(fo, "launch_app", lambda dataset: SimpleNamespace())
    yield replaced
    for name in fo.list_datasets():
        fo.delete_dataset(name)


@pytest.mark.slow
def test_code_prints_and_draws_what_the_page_shows(
    request, quiet, monkeypatch, tmp_path
):
    text = TUTORIAL.read_text()
    rewrites = request.config.getoption("--tutorial")
    monkeypatch.chdir(DOCS if rewrites else tmp_path)
    if rewrites:
        shutil.rmtree(DOCS / "tutorial", ignore_errors=True)
        TUTORIAL.write_text(with_output(text, run(text)))
        return
    quiet |= SMALL
    blocks = run(text)
    before = next(n for n, block in enumerate(blocks) if trains(block))
    for block in blocks[:before]:  # the rest depends on the settings
        assert block.shown == block.printed, block.code
    for block in blocks[before:]:
        assert bool(block.shown) == bool(block.printed), block.code
    drawn = {path.name for path in (tmp_path / "tutorial").iterdir()}
    assert figures_of(text) == drawn
    early = re.findall(r'out / "(.*?)"', "".join(one.code for one in blocks[:before]))
    assert len(early) > 5
    for name in early:
        shown, actual = (
            _pixels(folder / "tutorial" / name) for folder in (DOCS, tmp_path)
        )
        assert np.abs(shown - actual).mean() < 3, name  # fonts differ a little


def _pixels(path: Path) -> np.ndarray:
    with PIL.Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), float)


@pytest.mark.slow
def test_it_detects_persons_with_two_other_lines(
    quiet, monkeypatch, tmp_path, photographs
):
    text = TUTORIAL.read_text()
    (box,) = re.findall(r"^> ```python\n(.*?)^> ```", text, re.S | re.M)
    persons = box.replace("> ", "")
    assert len(persons.splitlines()) == 2
    digits = "dataset = yolov1_fo.load_quickstart()\n"
    assert text.count(digits) == 1
    zoo = _OpenImages(photographs)
    monkeypatch.setattr(foz, "load_zoo_dataset", zoo.load_zoo_dataset)
    monkeypatch.setattr(open_images.foui, "get_classes", lambda **_: ["Person"])
    monkeypatch.setattr(open_images, "_choose", zoo.choose)
    monkeypatch.chdir(tmp_path)
    quiet |= SMALL
    blocks = run(text.replace(digits, persons))
    assert any("classes: Person\n" in block.printed for block in blocks)
    assert {path.name for path in (tmp_path / "tutorial").iterdir()} == figures_of(text)


class _OpenImages:
    """Replaces Open Images of FiftyOne's zoo by local photographs of persons."""

    def __init__(self, photographs: Path):
        self.folder = photographs / "open_images_person_car"

    def choose(self, classes, split, max_samples, seed):
        dataset = self.load_zoo_dataset(
            "open-images-v7", split=split, dataset_name="ids"
        )
        ids = dataset.values("id")
        dataset.delete()
        return ids

    def load_zoo_dataset(self, name, *, split, dataset_name, **options):
        both = fo.Dataset.from_dir(
            dataset_type=fo.types.COCODetectionDataset,
            data_path=str(self.folder / "images"),
            labels_path=str(self.folder / "val112_coco.json"),
            label_field="detections",
            label_types="detections",
            include_id=False,
            progress=False,
        )
        persons = both.map_labels("detections", {"person": "Person"}).filter_labels(
            "detections", fo.ViewField("label") == "Person"
        )
        chosen = persons[:80] if split == "train" else persons[80:]
        dataset = chosen.clone(dataset_name)
        dataset.tag_samples(split)
        both.delete()
        return dataset


def test_figures_are_those_of_the_code():
    text = TUTORIAL.read_text()
    code = "".join(code for code, _ in BLOCK.findall(text))
    files = list((DOCS / "tutorial").iterdir())
    assert figures_of(text) == set(re.findall(r'out / "(.*?)"', code))
    assert figures_of(text) == {path.name for path in files}
    sizes = [path.stat().st_size for path in files]
    assert max(sizes) < 150_000
    assert sum(sizes) < 1_000_000


def test_settings_are_valid():
    (code,) = re.findall(r"^settings = \{.*?^\}", TUTORIAL.read_text(), re.S | re.M)
    space: dict = {}
    exec(code, space)  # the tutorial is ours
    config = yolov1_fo.TrainConfig(**space["settings"])
    assert (config.image_size, config.S) == (256, 16)


def test_sums_are_right():
    formulas = re.findall(r"^\$\$(.*?)\$\$$", TUTORIAL.read_text(), re.M)
    sums = [one for one in map(_python, formulas) if not re.search(r"[A-Za-z\\]", one)]
    assert len(sums) == 9
    assert not [one for one in sums if not _is_correct(one)]


@pytest.mark.parametrize(
    ("formula", "is_correct"),
    [
        (r"\frac{1}{3} \approx 0.333", True),
        (r"\frac{1}{3} \approx 0.34", False),
        (r"\left( 2 + \sqrt{4} \right)^2 = 8 \cdot 2 = 16", True),
        (r"1 + 1 = 2 = 3", False),
        (r"1 + 1", False),
    ],
)
def test_a_wrong_sum_is_detected(formula, is_correct):
    assert _is_correct(_python(formula)) == is_correct


def _python(formula: str) -> str:
    """Returns a formula in Python's notation; letters remain if it is not a sum."""
    formula = re.sub(r"\\(left|right) *", "", formula)
    formula = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1) / (\2))", formula)
    formula = re.sub(r"\\sqrt\{([^{}]*)\}", r"(\1) ** 0.5", formula)
    for tex, python in ((r"\cdot", "*"), (r"\approx", "="), ("^", "**")):
        formula = formula.replace(tex, python)
    return formula


def _is_correct(equation: str) -> bool:
    """Returns whether all sides are equal, to the number of decimals that they have."""
    first, *others = (side.strip() for side in equation.split("="))
    expected = eval(first)  # the tutorial is ours
    return bool(others) and all(
        abs(eval(other) - expected) < 0.51 * 10.0 ** -_decimals(other)
        for other in others
    )


def _decimals(side: str) -> int:
    number = re.fullmatch(r"\d+(?:\.(\d*))?", side)
    return len(number[1] or "") if number else 12

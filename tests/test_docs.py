"""What the documentation names exists: files, modules, functions, links, layers."""

import argparse
import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

import yolov1_fo
from yolov1_fo.cli.commands import apply, train
from yolov1_fo.config import recipes
from yolov1_fo.runs import automatic

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    (ROOT / name).relative_to(ROOT).as_posix()
    for name in (
        *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
        *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    )
)
TOP = "yolov1_fo|plugin|tests|benchmarks|docs"


def read(page: str) -> str:
    return (ROOT / page).read_text()


def prose(text: str) -> str:
    """Returns a text without its code blocks."""
    return re.sub(r"^(> )?```.*?^(> )?```", "", text, flags=re.S | re.M)


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page):
    found = re.findall(rf"`((?:{TOP})/[\w./-]*)`", prose(read(page)))
    assert not {path for path in found if not (ROOT / path).exists()}


@pytest.mark.parametrize("page", PAGES)
def test_dotted_names_resolve(page):
    names = set(re.findall(r"\byolov1_fo((?:\.[A-Za-z_]\w*)+)", read(page)))
    assert not {name for name in names if not resolves(name)}


def resolves(name: str) -> bool:
    """Returns whether `.package.module.attribute` of the library exists."""
    found, path = yolov1_fo, "yolov1_fo"
    for part in name.removeprefix(".").split("."):
        path = f"{path}.{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = importlib.import_module(path)
            except ModuleNotFoundError:
                return False
    return True


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        (".train", True),
        (".grid.encode", True),
        (".datasets.fiftyone_boxes.to_xyxy", True),
        (".evaluation", True),
        (".gird.encode", False),
        (".grid.decode", False),
    ],
)
def test_a_wrong_name_is_noticed(name, is_there):
    assert resolves(name) == is_there


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
        if target.startswith(("http", "!")):
            continue
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text()), target


def anchors(text: str) -> set[str]:
    """Returns the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.M)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_are_python(page):
    for code in re.findall(r"^```python\n(.*?)^```", read(page), re.S | re.M):
        ast.parse(code)


@pytest.mark.parametrize("page", PAGES)
def test_imports_of_python_blocks_resolve(page):
    for code in re.findall(r"^```python\n(.*?)^```", read(page), re.S | re.M):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("yolov1_fo"):
                package = node.module.removeprefix("yolov1_fo")
                names = [f"{package}.{one.name}" for one in node.names]
                assert not [name for name in names if not resolves(name)]


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\((docs/[\w-]+\.md)\)", read("README.md")))
    pages = {page for page in PAGES if page.startswith("docs/")}
    assert pages == linked


def test_the_tables_of_recipes_are_those_of_the_code(capsys):
    block = r"^```python\n(print\(.*?\))\n```\n\n```text\n(.*?)^```"
    tables = re.findall(block, read("docs/recipes.md"), re.S | re.M)
    names = set()
    for call, shown in tables:
        exec(call, {"yolov1_fo": yolov1_fo})  # the page is ours
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert shown.splitlines() == printed, call
        names.add(printed[0].removeprefix("recipe "))
    assert names == set(recipes.RECIPES) - {"darknet-tiny"}


def test_the_rules_of_automatic_settings_are_those_of_the_code():
    section = read("docs/recipes.md").split("\n## Automatic settings")[1]
    rules = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.M))
    known = [*recipes.RECIPES.values()]
    assert set(rules) == {
        name for one in known for name, choice in one.items() if choice.is_automatic
    }
    updates, sizes = (
        automatic.MIN_UPDATES,
        (automatic.CPU_BATCHES, automatic.GPU_BATCHES),
    )
    for name, texts in {
        "S": (
            f"at most {100 * automatic.MAX_LOST:g} % of the objects",
            f"are {automatic.CELLS_PER_OBJECT:g} cells or larger",
        ),
        "batch_size": (
            f"leaves {automatic.STEPS_PER_EPOCH} steps per epoch",
            *(f"from {low} to {high} on a" for low, high in sizes),
        ),
        "epochs": (
            f"{updates['transfer']} steps ({updates['fine-tune']} in `fine-tune`)",
        ),
    }.items():
        for text in texts:
            assert text in rules[name]
    assert (automatic.MAX_EPOCHS_FACTOR, automatic.AVERAGED_SHARE) == (4, 0.1)


def test_the_layers_are_those_of_the_import_contract():
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    [layers] = [
        contract["layers"]
        for contract in tables["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    imports = read("docs/architecture.md").split("## Imports")[1]
    [shown] = re.findall(r"^```\n(.*?)^```", imports, re.S | re.M)
    assert shown.split("\n")[:-1] == layers


def test_the_citation_has_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == yolov1_fo.__version__
    assert citation["license"] == "Apache-2.0"


def test_workflows_use_make_targets_that_exist():
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.M))
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    used = re.findall(r"'(test[\w-]*)'", workflow)
    assert used
    assert set(used) <= targets


def messages():
    """Returns the texts in the code, with dots for what is filled in."""
    found = []
    for folder in ("yolov1_fo", "plugin"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = (getattr(one, "value", "") for one in node.values)
                    parts = [one if isinstance(one, str) else "..." for one in parts]
                    found.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(re.sub(r"%[.\w]+", "...", node.value))
    return found


def test_troubleshooting_quotes_messages_of_the_code():
    lines = re.findall(r"^### `(.+)`$", read("docs/troubleshooting.md"), re.M)
    assert len(lines) > 10
    known = messages()
    for line in lines:
        parts = [re.escape(part) for part in line.split("...")]
        pattern = re.compile(".*?".join(parts))
        assert any(pattern.search(one) for one in known), line


def parsed(command: str) -> argparse.Namespace:
    """Returns the arguments of a command of `yolov1-fo`."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for one in (apply, train):
        one.add(commands)
    program, *words = shlex.split(command)
    assert program == "yolov1-fo"
    return parser.parse_args(words)


def test_the_commands_of_the_ray_job_fit_its_cluster():
    page = read("docs/cluster.md")
    [text] = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.S | re.M)
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    [group] = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    cores = group["replicas"] * int(group["rayStartParams"]["num-cpus"])
    applied = parsed(job["spec"]["entrypoint"])
    assert (applied.engine, applied.num_workers) == ("ray", cores)
    [entrypoint] = re.findall(r"the entrypoint is `(.*?)`", page)
    assert parsed(entrypoint).ray_workers == cores

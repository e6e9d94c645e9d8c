"""Pages of the site that are made of other files, and links to files beside docs/."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import yolov1_fo

ROOT = Path(__file__).parent.parent


def on_files(files: Files, config: Any) -> Files:
    """Adds the start page, the changelog, and the reference of all public names."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {
        "index.md": re.sub(r"\]\(docs/", "](", readme),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "reference.md": reference(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def reference() -> str:
    """Returns a page that documents each public name where it is defined."""
    parts = ["# Reference", "All names are imported from `yolov1_fo`."]
    for name, module in yolov1_fo._MODULES.items():
        parts.append(f"::: yolov1_fo.{module}.{name}")
    return "\n\n".join(parts) + "\n"


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Links to files that are not pages lead to the repository."""
    repository = f"{config['repo_url']}/blob/main/"
    markdown = re.sub(
        r"\]\(\.\./README\.md(#[\w-]+)?\)",
        lambda found: f"](index.md{found[1] or ''})",
        markdown,
    )
    folders, names = "yolov1_fo|benchmarks|plugin|tests", "[A-Z]+(?:\\.md|\\.cff)?"
    beside = rf"\]\((?:\.\./)?((?:{folders})/[^)]*|{names})\)"
    return re.sub(beside, lambda found: f"]({repository}{found[1]})", markdown)

"""Installs and uninstalls the plugin, from a checkout and a wheel."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import fiftyone as fo
import fiftyone.plugins as fop
import pytest

import yolov1_fo
from tests.plugin.conftest import NAME, ROOT
from yolov1_fo import files
from yolov1_fo.cli import main, plugin_links


@pytest.fixture
def linked():
    """No link: each test installs the plugin itself."""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    folder = tmp_path / "fresh" / "plugins"
    monkeypatch.setattr(fo.config, "plugins_dir", str(folder))
    return folder


def found():
    return [one.directory for one in fop.list_plugins() if one.name == NAME]


@pytest.mark.parametrize("words", [(), ("--copy",)], ids=["link", "copy"])
def test_install_and_uninstall(plugins, capsys, words):
    for _ in range(2):  # it may be installed again
        assert main.main(["install-plugin", *words]) == 0
        kind = "copy" if words else "link"
        assert f"'{plugins / 'yolov1-fo'}', a {kind} of '{ROOT}'" in (
            capsys.readouterr().out
        )
        assert found() == [str(plugins / "yolov1-fo")]
    assert (plugins / "yolov1-fo").is_symlink() is (not words)
    (plugins / "yolov1-fo" / "plugin" / "__pycache__").mkdir(exist_ok=True)
    assert main.main(["uninstall-plugin"]) == 0
    assert capsys.readouterr().out == f"removed '{plugins / 'yolov1-fo'}', a {kind}\n"
    assert list(plugins.iterdir()) == []
    assert (ROOT / "plugin" / "__init__.py").is_file()
    assert main.main(["uninstall-plugin"]) == 2
    assert "the plugin is not installed" in capsys.readouterr().err


def test_its_skill_is_listed(plugins):
    plugin_links.install(copy=True)
    [skill] = fop.list_skills(plugin=NAME)
    assert (skill.name, skill.category) == ("train-yolov1", "models")
    assert skill.description.startswith("Use when")
    code = re.findall(r"yolov1_fo\.(\w+)\(", skill.content)
    assert set(code) <= set(yolov1_fo.__all__)
    assert {"train", "apply", "evaluate"} < set(code)


def test_a_link_becomes_a_copy_and_a_copy_a_link(plugins):
    for copy in (False, True, False):
        assert plugin_links.install(copy=copy).is_link is (not copy)
        assert (plugins / "yolov1-fo").is_symlink() is (not copy)
        assert [path.name for path in plugins.iterdir()] == ["yolov1-fo"]


def test_it_is_copied_if_links_are_not_allowed(plugins, monkeypatch):
    def refuse(*_):
        raise OSError("a required privilege is not held by the client")

    plugin_links.install(copy=True)
    monkeypatch.setattr(files, "make_link", refuse)
    assert not plugin_links.install().is_link
    assert (plugins / "yolov1-fo" / "fiftyone.yml").is_file()


def test_other_files_at_its_path_are_kept(plugins, tmp_path):
    target = plugins / "yolov1-fo"
    target.mkdir(parents=True)
    (target / "mine").touch()
    with pytest.raises(ValueError, match="was not created by install-plugin; move"):
        plugin_links.install()
    with pytest.raises(ValueError, match="was not created by install-plugin; move"):
        plugin_links.uninstall()
    assert (target / "mine").exists()
    shutil.rmtree(target)
    (tmp_path / "other").mkdir()
    target.symlink_to(tmp_path / "other")
    with pytest.raises(ValueError, match=r"is a link to '.*other'; move or remove"):
        plugin_links.install()
    assert target.is_symlink()


def test_a_copy_that_was_changed_is_kept(plugins):
    target = plugin_links.install(copy=True).path
    (target / "plugin" / "forms.py").write_text("mine = True\n")
    with pytest.raises(ValueError, match="is a copy that was changed; move or remove"):
        plugin_links.install(copy=True)
    with pytest.raises(ValueError, match="is a copy that was changed"):
        plugin_links.uninstall()
    assert (target / "plugin" / "forms.py").read_text() == "mine = True\n"


def test_a_link_to_an_uninstalled_package_is_replaced(plugins, tmp_path):
    plugins.mkdir(parents=True)
    (plugins / "yolov1-fo").symlink_to(
        tmp_path / "uninstalled" / "yolov1_fo" / "_plugin"
    )
    assert plugin_links.install().is_link
    assert found() == [str(plugins / "yolov1-fo")]


def test_a_second_copy_of_the_plugin_is_refused(plugins):
    plugins.mkdir(parents=True)
    (plugins / "by-hand").symlink_to(ROOT)
    with pytest.raises(ValueError, match=r"already has the plugin .* in '.*by-hand'"):
        plugin_links.install()
    assert [path.name for path in plugins.iterdir()] == ["by-hand"]


def test_a_package_without_its_plugin_is_an_error(plugins, tmp_path, monkeypatch):
    monkeypatch.setattr(plugin_links, "__file__", str(tmp_path / "a" / "installing.py"))
    with pytest.raises(FileNotFoundError, match="has no plugin; install the package"):
        plugin_links.install()


def test_a_folder_that_cannot_be_created_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(fo.config, "plugins_dir", str(tmp_path / "file" / "plugins"))
    with pytest.raises(OSError, match="plugins' can't be created: "):
        plugin_links.install()


def built():
    """Returns the settings of wheel and sdist in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text()
    return tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]


OPERATORS = """
import json, sys
import fiftyone.operators as foo
from yolov1_fo.cli import plugin_links

print(json.dumps([
    str(plugin_links.source()),
    sorted(one.name for one in foo.list_operators(builtin=False)),
]))
"""


@pytest.mark.slow
def test_a_wheel_contains_the_plugin(tmp_path):
    wheel = built()["wheel"]
    for package in wheel["packages"]:
        shutil.copytree(
            ROOT / package,
            tmp_path / "site" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for origin, target in wheel["force-include"].items():
        path = tmp_path / "site" / target
        path.parent.mkdir(parents=True, exist_ok=True)
        plugin_links.copy_part(ROOT / origin, path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),
        "FIFTYONE_PLUGINS_DIR": str(tmp_path / "plugins"),
    }
    outputs = [
        subprocess.run(
            [sys.executable, "-P", *words],
            env=environment,
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for words in (("-m", "yolov1_fo", "install-plugin"), ("-c", OPERATORS))
    ]
    source, operators = json.loads(outputs[1].splitlines()[-1])
    assert source == str(tmp_path / "site" / "yolov1_fo" / "_plugin")
    assert f"a link of '{source}'" in outputs[0]
    assert {"train_model", "apply_model", "yolov1_runs"} <= set(operators)
    assert (tmp_path / "plugins" / "yolov1-fo").resolve() == (
        tmp_path / "site" / "yolov1_fo" / "_plugin"
    )


def test_the_sdist_contains_all_tracked_files():
    listed = {name.strip("/") for name in built()["sdist"]["include"]}
    ignored = {".ci", ".git", ".gitignore", ".venv", "pyproject.toml"}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    tops = {name.split("/")[0] for name in tracked} or {*built()["wheel"]["packages"]}
    assert tops - ignored <= listed
    assert all((ROOT / name).exists() for name in listed)


def test_project_and_plugin_have_the_same_urls():
    import yaml

    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    home = yaml.safe_load((ROOT / "fiftyone.yml").read_text())["url"]
    assert urls["Homepage"] == home
    assert all(url.startswith(home) for url in urls.values())

"""The plugin put into FiftyOne's folder, and taken out, from a checkout and a wheel."""

import json
import os
import shutil
import subprocess
import sys
import tomllib

import fiftyone as fo
import fiftyone.plugins as fop
import pytest

from tests.plugin.conftest import NAME, ROOT
from yolov1_fo import files
from yolov1_fo.cli import main, plugin_links


@pytest.fixture
def linked():
    """No link: each case brings the plugin itself."""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    folder = tmp_path / "fresh" / "plugins"
    monkeypatch.setattr(fo.config, "plugins_dir", str(folder))
    return folder


def found():
    return [one.directory for one in fop.list_plugins() if one.name == NAME]


@pytest.mark.parametrize("words", [(), ("--copy",)], ids=["link", "copy"])
def test_what_is_installed_is_found_and_goes_again(plugins, capsys, words):
    for _ in range(2):  # again is all right
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


def test_a_link_becomes_a_copy_and_a_copy_a_link(plugins):
    for copy in (False, True, False):
        assert plugin_links.install(copy=copy).is_link is (not copy)
        assert (plugins / "yolov1-fo").is_symlink() is (not copy)
        assert [path.name for path in plugins.iterdir()] == ["yolov1-fo"]


def test_where_links_cannot_be_made_it_is_a_copy(plugins, monkeypatch):
    def refuse(*_):
        raise OSError("a required privilege is not held by the client")

    plugin_links.install(copy=True)
    monkeypatch.setattr(files, "link", refuse)
    assert not plugin_links.install().is_link
    assert (plugins / "yolov1-fo" / "fiftyone.yml").is_file()


def test_what_others_put_there_is_left_alone(plugins, tmp_path):
    target = plugins / "yolov1-fo"
    target.mkdir(parents=True)
    (target / "mine").touch()
    with pytest.raises(ValueError, match="and not put there by install-plugin; move"):
        plugin_links.install()
    with pytest.raises(ValueError, match="and not put there by install-plugin; move"):
        plugin_links.uninstall()
    assert (target / "mine").exists()
    shutil.rmtree(target)
    (tmp_path / "other").mkdir()
    target.symlink_to(tmp_path / "other")
    with pytest.raises(ValueError, match=r"is a link to '.*other'; move it away"):
        plugin_links.install()
    assert target.is_symlink()


def test_a_copy_that_was_changed_is_left_alone(plugins):
    target = plugin_links.install(copy=True).place
    (target / "plugin" / "facts.py").write_text("mine = True\n")
    with pytest.raises(ValueError, match="is a copy that was changed; move it away"):
        plugin_links.install(copy=True)
    with pytest.raises(ValueError, match="is a copy that was changed"):
        plugin_links.uninstall()
    assert (target / "plugin" / "facts.py").read_text() == "mine = True\n"


def test_a_link_to_a_package_that_is_gone_is_replaced(plugins, tmp_path):
    plugins.mkdir(parents=True)
    (plugins / "yolov1-fo").symlink_to(tmp_path / "gone" / "yolov1_fo" / "_plugin")
    assert plugin_links.install().is_link
    assert found() == [str(plugins / "yolov1-fo")]


def test_a_second_copy_of_the_plugin_is_refused(plugins):
    plugins.mkdir(parents=True)
    (plugins / "by-hand").symlink_to(ROOT)
    with pytest.raises(ValueError, match=r"has the plugin .* already, in '.*by-hand'"):
        plugin_links.install()
    assert [path.name for path in plugins.iterdir()] == ["by-hand"]


def test_a_package_without_its_plugin_says_so(plugins, tmp_path, monkeypatch):
    monkeypatch.setattr(plugin_links, "__file__", str(tmp_path / "a" / "installing.py"))
    with pytest.raises(FileNotFoundError, match="came without its plugin; install it"):
        plugin_links.install()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(fo.config, "plugins_dir", str(tmp_path / "file" / "plugins"))
    with pytest.raises(OSError, match="plugins' can't be made: "):
        plugin_links.install()


def built():
    """What pyproject.toml says of the wheel and of the sdist."""
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
def test_a_wheel_brings_the_plugin_along(tmp_path):
    wheel = built()["wheel"]
    for package in wheel["packages"]:
        shutil.copytree(
            ROOT / package,
            tmp_path / "site" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for origin, target in wheel["force-include"].items():
        plugin_links._copy(ROOT / origin, _made(tmp_path / "site" / target))
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),
        "FIFTYONE_PLUGINS_DIR": str(tmp_path / "plugins"),
    }
    said = [
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
    source, operators = json.loads(said[1].splitlines()[-1])
    assert source == str(tmp_path / "site" / "yolov1_fo" / "_plugin")
    assert f"a link of '{source}'" in said[0]
    assert {"train_model", "apply_model", "yolov1_runs"} <= set(operators)
    assert (tmp_path / "plugins" / "yolov1-fo").resolve() == (
        tmp_path / "site" / "yolov1_fo" / "_plugin"
    )


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_the_sdist_holds_what_its_tests_and_make_need():
    listed = {name.strip("/") for name in built()["sdist"]["include"]}
    ignored = {".ci", ".git", ".gitignore", ".venv", "pyproject.toml"}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    tops = {name.split("/")[0] for name in tracked} or {*built()["wheel"]["packages"]}
    assert tops - ignored <= listed
    assert all((ROOT / name).exists() for name in listed)


def test_the_addresses_of_the_project_are_those_of_the_plugin():
    import yaml

    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    home = yaml.safe_load((ROOT / "fiftyone.yml").read_text())["url"]
    assert said["Homepage"] == home
    assert all(address.startswith(home) for address in said.values())

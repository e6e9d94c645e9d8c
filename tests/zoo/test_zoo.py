"""Our models in FiftyOne's zoo, from our manifest and from a remote source."""

import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import fiftyone as fo
import fiftyone.zoo as foz
import keras
import numpy as np
import pytest

import yolov1_fo
from tests.serving import ROOT, archive, serving
from yolov1_fo import pretrained, zoo
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import NetworkConfig
from yolov1_fo.model import darknet_releases
from yolov1_fo.networks import build, darknet_header, darknet_weights

TINY = "darknet-yolov1-tiny-voc"
SIZE = 108_399_816
"""Bytes of the released tiny-yolov1.weights."""

FRESH = """
import json, sys
import fiftyone.zoo as foz
import numpy as np
from yolov1_fo.model import darknet_releases

site, name = sys.argv[1:]
darknet_releases.SITE = site  # instead of the author's
foz.register_zoo_model_source(site + "yolov1.zip")
model = foz.load_zoo_model(name)
image = np.random.default_rng(5).integers(0, 256, (300, 400, 3), np.uint8)
found = model.predict(image).detections
found = [[one.label, one.confidence, *one.bounding_box] for one in found]
print(json.dumps([model.classes[0], model.config.darknet, found]))
"""

UNREACHABLE = "http://127.0.0.1:9/"


class Witness:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def sparse(path, size, start=b""):
    """Makes a file of this size with a given start, which needs no disk space."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder and the address at which it is served in place of the author's site."""
    folder = tmp_path / "site"
    folder.mkdir()
    with serving(folder) as address:
        monkeypatch.setattr(darknet_releases, "SITE", address)
        yield folder, address


def source(folder, change):
    """Puts an archive of our source on the site, with a changed manifest."""
    with (
        zipfile.ZipFile(archive(folder / "whole.zip")) as whole,
        zipfile.ZipFile(folder / "source.zip", "w") as changed,
    ):
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("zoo/manifest.json"):
                content = change(content.decode()).encode()
            changed.writestr(name, content)


def kept(folder):
    """Returns the names of all files in a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_our_networks_are_in_the_zoo_on_request(zoo_dir):
    assert not {"yolov1-untrained"} & set(foz.list_zoo_models())
    zoo.register()
    zoo.register()
    assert fo.config.model_zoo_manifest_paths == [str(zoo.MANIFEST)]
    listed = {name.partition("@")[0] for name in foz.list_zoo_models(tags="yolov1")}
    assert set(zoo.entries()) <= listed
    assert not set(zoo.entries()) & set(NETWORKS)
    for name in zoo.entries():
        config = foz.get_zoo_model(name).default_deployment_config_dict["config"]
        if name in darknet_releases.RELEASES:
            assert config == {"released": name, "darknet": True}
        elif name in pretrained.names():
            assert config == {"included": name}
        else:
            assert config["settings"]["network"] in NETWORKS
        foz.ensure_zoo_model_requirements(name, error_level=0)


@pytest.mark.slow
def test_a_network_of_the_zoo_has_the_classes_it_is_given(zoo_dir, painted):
    zoo.register()
    model = foz.load_zoo_model(
        "yolov1-efficientnet-lite0-imagenet", classes=["red", "blue"], cache=False
    )
    assert model.classes == ["red", "blue"]
    assert (model.image_size, model.grid.S, model.grid.C) == (448, 14, 2)
    painted.limit(2).apply_model(model, label_field="zoo", batch_size=2)
    assert painted.has_field("zoo")


@pytest.mark.slow
def test_the_readmes_registration_works_in_a_fresh_process():
    code = "from yolov1_fo import zoo; zoo.register()"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_releases_are_of_our_networks():
    for release in darknet_releases.RELEASES.values():
        for numbers, B in release.parameters.items():
            config = NetworkConfig(network=release.network, B=B)
            assert build.detector(config, zero_init=True).count_params() == numbers
    entry = zoo.entries()[TINY]
    assert entry["size_bytes"] == SIZE
    assert entry["base_filename"] == darknet_releases.zoo_path(TINY).name


@pytest.mark.parametrize(
    ("numbers", "B"), [(197_328_243, 3), (194_254_718, 2)], ids=["3 boxes", "2 boxes"]
)
def test_the_length_determines_the_boxes_per_cell(tmp_path, numbers, B):
    path = sparse(tmp_path / "yolov1.weights", 16 + 4 * numbers)
    settings = darknet_releases.network_settings("darknet-yolov1-voc", path)
    assert settings == {"network": "darknet-yolov1", "B": B}


@pytest.mark.slow
def test_a_fresh_process_loads_from_a_remote_source(zoo_dir, site):
    folder, address = site
    archive(folder / "yolov1.zip")
    config = NetworkConfig(network="darknet-yolov1-tiny")
    net = build.detector(config)
    kernel, bias = net.layers[-1].get_weights()
    net.layers[-1].set_weights([kernel, np.full_like(bias, 0.5)])
    weights = folder / "tiny-yolov1.weights"
    darknet_weights.write(weights, net, darknet_header.DarknetHeader((0, 1, 0), 40000))
    assert weights.stat().st_size == SIZE
    result = subprocess.run(
        [sys.executable, "-c", FRESH, address, TINY],
        env={**os.environ, "FIFTYONE_MODEL_ZOO_DIR": str(zoo_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    first, as_darknet, found = json.loads(result.stdout.splitlines()[-1])
    assert (first, as_darknet) == ("aeroplane", True)
    model = yolov1_fo.load_model(weights, network="darknet-yolov1-tiny", darknet=True)
    image = np.random.default_rng(5).integers(0, 256, (300, 400, 3), np.uint8)
    expected = model.predict(image).detections
    assert len(expected) == len(found) > 10
    for detection, (label, confidence, *box) in zip(expected, found, strict=True):
        assert detection.label == label
        assert detection.confidence == pytest.approx(confidence, abs=1e-6)
        assert detection.bounding_box == pytest.approx(box, abs=1e-6)
    home = zoo_dir / "yolov1-fo"
    ours = ["README.md", "__init__.py", "manifest.json"]
    assert kept(home) == sorted([*ours, f"{TINY}.weights"])
    assert foz.list_zoo_model_sources() == [f"{address}yolov1.zip"]
    assert TINY in foz.list_downloaded_zoo_models()


@pytest.mark.slow
def test_released_weights_are_downloaded_once_or_read_from_a_file(
    zoo_dir, site, tmp_path
):
    folder, _ = site
    zoo.register()
    mine = sparse(tmp_path / "mine" / "my.weights", SIZE)
    model = foz.load_zoo_model(TINY, weights_path=str(mine), cache=False)
    assert (model.grid.B, len(model.classes), model.config.darknet) == (2, 20, True)
    assert model.metadata["origin"] == "Darknet weights 'my.weights'"
    assert not zoo_dir.exists()
    sparse(folder / "tiny-yolov1.weights", SIZE)
    yolov1_fo.load_model(TINY)
    assert kept(zoo_dir) == [f"{TINY}.weights"]
    (folder / "tiny-yolov1.weights").unlink()
    assert yolov1_fo.load_model(TINY, darknet=False).config.darknet is False
    again = model.config.serialize()
    assert again["released"] == TINY
    assert again["weights_path"] == str(mine)


WRONG = {
    "a page": (b"<html>404</html>" * 40, None, r"' is not a Darknet weights file"),
    "nothing": (b"", None, "must begin with a header, got 0 bytes"),
    "truncated": (
        b"",
        SIZE - 4,
        f"must have {SIZE} bytes for '{TINY}', got {SIZE - 4}",
    ),
    "of another network": (b"", 4000, f"must have {SIZE} bytes for '{TINY}', got 4000"),
    "a pickle": ("pickle", SIZE, "is not a Darknet weights file: its version would be"),
    "a network of Keras'": (
        b"PK\x03\x04",
        SIZE,
        "not a Darknet weights file: its version",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_the_release_is_refused(zoo_dir, site, tmp_path, what):
    folder, address = site
    start, size, line = WRONG[what]
    witness = tmp_path / "executed"
    if start == "pickle":
        start = pickle.dumps(Witness(witness))
    sparse(folder / "tiny-yolov1.weights", size or len(start), start)
    zoo.register()
    with pytest.raises(ValueError, match=line) as caught:
        foz.load_zoo_model(TINY, cache=False)
    assert f"'{address}tiny-yolov1.weights'" in str(caught.value)
    assert str(caught.value).endswith("; it is not kept")
    assert kept(zoo_dir) == []
    assert list(zoo_dir.iterdir()) == []
    with pytest.raises(ValueError, match=line):
        foz.load_zoo_model(
            TINY, weights_path=str(folder / "tiny-yolov1.weights"), cache=False
        )
    assert not witness.exists()


def test_without_internet_the_error_contains_the_remedy(zoo_dir, monkeypatch):
    monkeypatch.setattr(darknet_releases, "SITE", UNREACHABLE)
    zoo.register()
    with pytest.raises(OSError, match="can't be downloaded") as caught:
        foz.load_zoo_model(TINY, cache=False)
    assert str(caught.value) == (
        f"'{TINY}' can't be downloaded from {UNREACHABLE}tiny-yolov1.weights: "
        f"[Errno 111] Connection refused; download it elsewhere and put it at "
        f"'{zoo_dir / TINY}.weights'"
    )
    assert list(zoo_dir.iterdir()) == []
    with pytest.raises(FileNotFoundError, match="'nowhere' does not exist"):
        foz.load_zoo_model(TINY, weights_path="nowhere", cache=False)


def test_partial_downloads_of_killed_processes_are_removed(zoo_dir):
    for folder in (zoo_dir, zoo_dir / "yolov1-fo"):
        for name in (f".{TINY}.weights.01.unfinished", ".another.01.unfinished"):
            sparse(folder / name, 10)
    fresh, stale = (
        one / f".{TINY}.weights.01.unfinished"
        for one in (zoo_dir, zoo_dir / "yolov1-fo")
    )
    hours = time.time() - 2 * darknet_releases.STALE_SECONDS
    for one in zoo_dir.rglob("*"):
        if one != fresh:
            os.utime(one, (hours, hours))
    assert darknet_releases.clean() == 1
    assert fresh.exists()
    assert not stale.exists()
    assert (zoo_dir / ".another.01.unfinished").exists()


def test_a_download_does_not_follow_links(zoo_dir, site, tmp_path):
    folder, _ = site
    sparse(folder / "tiny-yolov1.weights", SIZE)
    mine = sparse(tmp_path / "mine" / "precious", 7)
    zoo_dir.mkdir()
    darknet_releases.zoo_path(TINY).symlink_to(mine)
    darknet_releases.fetch(TINY, darknet_releases.zoo_path(TINY))
    assert mine.stat().st_size == 7
    assert not darknet_releases.zoo_path(TINY).is_symlink()


def test_a_file_missing_on_the_site_is_an_error(zoo_dir, site):
    zoo.register()
    with pytest.raises(OSError, match=r"can't be downloaded from http.*Unable to get"):
        foz.load_zoo_model(TINY, cache=False)


def test_weights_that_are_not_finite_are_refused(zoo_dir, tmp_path):
    zoo.register()
    path = sparse(tmp_path / "nan.weights", SIZE, bytes(16) + b"\xff" * 64)
    with pytest.raises(
        ValueError, match=r"a number that is not finite, in conv_01_norm"
    ):
        foz.load_zoo_model(TINY, weights_path=str(path), cache=False)


MANIFESTS = {
    "no JSON": (lambda text: text[:-40], "not found in the zoo"),
    "no models": (lambda text: '{"name": "yolov1-fo"}', "not found in the zoo"),
    "no name": (
        lambda text: text.replace('"name": "yolov1-fo"', '"called": "yolov1-fo"'),
        "not found in the zoo",
    ),
    "another release": (
        lambda text: text.replace('"released": "', '"released": "../'),
        "released must be one of darknet-yolov1-voc, darknet-yolov1-tiny-voc, got",
    ),
    "no setting": (
        lambda text: text.replace(f'"released": "{TINY}"', '"settings": {"S": "os"}'),
        "S must be a whole number, got 'os'",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", MANIFESTS)
def test_a_broken_manifest_is_an_error_of_one_line(zoo_dir, site, what):
    folder, address = site
    change, line = MANIFESTS[what]
    source(folder, change)
    sparse(folder / "tiny-yolov1.weights", SIZE)
    with pytest.raises(ValueError, match=line):
        foz.load_zoo_model(f"{address}source.zip", TINY, cache=False)


@pytest.mark.parametrize("what", ["no archive", "nothing there"])
def test_a_broken_archive_is_an_error_of_one_line(zoo_dir, site, what):
    folder, address = site
    if what == "no archive":
        (folder / "source.zip").write_bytes(b"this is no archive")
    with pytest.raises(ValueError, match="Failed to retrieve model metadata from"):
        foz.register_zoo_model_source(f"{address}source.zip")
    assert foz.list_zoo_model_sources() == []


def test_code_in_a_checkpoint_does_not_run(zoo_dir, checkpoint_dir, site, tmp_path):
    folder, address = site
    witness = tmp_path / "executed"
    image = keras.Input((32, 32, 3))
    hostile_layer = keras.layers.Lambda(
        lambda x, path=str(witness): (__import__("pathlib").Path(path).touch(), x)[1],
        output_shape=(32, 32, 3),
    )
    keras.Model(image, hostile_layer(image)).save(tmp_path / "network.keras")
    witness.unlink(missing_ok=True)
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (tmp_path / "network.keras").rename(hostile / "network.keras")
    (hostile / "run.json").write_text((checkpoint_dir / "run.json").read_text())
    config = json.dumps({"checkpoint_dir": str(hostile)})
    original = json.dumps({"released": TINY, "darknet": True})

    def change(text):
        models = json.dumps(json.loads(text))
        assert original in models
        return models.replace(original, config)

    source(folder, change)
    sparse(folder / "tiny-yolov1.weights", SIZE)
    with pytest.raises(ValueError, match=r"can't be read as a network: .*Lambda"):
        foz.load_zoo_model(f"{address}source.zip", TINY, cache=False)
    assert not witness.exists()


@pytest.mark.slow
def test_a_source_without_the_package_is_an_error_of_one_line(tmp_path):
    code = (
        "import importlib.util, sys; sys.modules['yolov1_fo'] = None; "
        f"spec = importlib.util.spec_from_file_location('x', {str(zoo.__file__)!r}); "
        "it = importlib.util.module_from_spec(spec); spec.loader.exec_module(it); "
        f"it.download_model({TINY!r}, 'nowhere')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stderr.splitlines()[-1] == (
        f"ImportError: model '{TINY}' needs yolov1_fo, which is not installed: "
        f"pip install 'yolov1-fo[cpu] @ git+{zoo.SOURCE}'"
    )


def test_requirements_are_those_of_the_package():
    import tomllib

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    weights = wanted["optional-dependencies"]["pretrained"]
    assert set(weights) < set(wanted["optional-dependencies"]["cpu"])
    assert set(weights) < set(wanted["optional-dependencies"]["cuda"])
    packages = [*weights, *wanted["dependencies"]]
    assert [line for line in lines if line[0] != "#"] == packages
    assert not [line for line in wanted["dependencies"] if "tensorflow" in line]

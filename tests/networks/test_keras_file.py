import zipfile

import pytest

from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build, keras_file


@pytest.mark.parametrize("config", ["[1]", "3"])
def test_damaged_files_are_one_readable_line(config, micro, tmp_path):
    path = tmp_path / "network.keras"
    build.detector(NetworkConfig(network="micro", image_size=32, S=2, C=2)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, "config.json": config}.items():
            archive.writestr(name, data)
    line = "can't be read as a network: it is damaged, or from another version of Keras"
    with pytest.raises(ValueError, match=f"{line}$"):
        keras_file.load(path)


@pytest.mark.parametrize("content", [b"", b"not a network", b"PK\3\4 cut"])
def test_other_files_are_not_reported_as_missing(content, tmp_path):
    path = tmp_path / "network.keras"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"it is truncated, or not a Keras file$"):
        keras_file.load(path)

import struct

import pytest

from yolov1_fo.networks.darknet_header import DarknetHeader, read_header

HEADERS = {
    "0.1": (struct.pack("<iiii", 0, 1, 0, 64), DarknetHeader((0, 1, 0), 64)),
    "0.2": (struct.pack("<iiiQ", 0, 2, 0, 2**33), DarknetHeader((0, 2, 0), 2**33)),
    "2015": (struct.pack("<fffi", 0.001, 0.9, 0.0005, 64), None),
}


@pytest.mark.parametrize("version", HEADERS)
def test_headers_of_all_versions(version, tmp_path):
    content, expected = HEADERS[version]
    path = tmp_path / "a.weights"
    path.write_bytes(content + bytes(8))
    header = read_header(path)
    assert header == (expected or header)
    assert header.is_of_2015 is (version == "2015")
    assert header.size == len(content)
    assert header.to_bytes() == content


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "must begin with a header, got 0 bytes"),
        (bytes(15), "must begin with a header, got 15 bytes"),
        (HEADERS["0.2"][0][:18], "must begin with a header of 20 bytes, got 18"),
        (
            struct.pack("<iiiQ", 0, 500, 0, 0),
            r"is not a Darknet weights file: its version would be 0\.500\.0",
        ),
        (b"\x89PNG\r\n\x1a\n" + bytes(12), "is not a Darknet weights file"),
    ],
)
def test_other_files_are_refused(content, line, tmp_path):
    path = tmp_path / "a.weights"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"weights file '.*a.weights' {line}"):
        read_header(path)

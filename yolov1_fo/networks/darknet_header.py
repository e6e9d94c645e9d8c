"""The header of Darknet's `.weights` files."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolov1_fo import files
from yolov1_fo.config import arguments


class DarknetHeader(NamedTuple):
    """The header of a `.weights` file.

    Attributes:
        words: three 32-bit numbers: major, minor and revision of the version; in files
            of 2015 the bits of learning rate, momentum and decay instead
        seen: number of images that the network has been trained on
    """

    words: tuple[int, int, int] = (0, 2, 0)
    seen: int = 0

    @property
    def is_of_2015(self) -> bool:
        """Whether it has rates in place of the version, and transposed dense layers."""
        return max(self.words[:2]) > 1000

    @property
    def has_long_seen(self) -> bool:
        """Whether `seen` is a 64-bit number, as from version 0.2 on."""
        return not self.is_of_2015 and self.words[0] * 10 + self.words[1] >= 2

    @property
    def size(self) -> int:
        """Length in bytes."""
        return 20 if self.has_long_seen else 16

    def to_bytes(self) -> bytes:
        """Returns the header's bytes; `read_header` is the inverse."""
        words = np.array(self.words, "<i4").tobytes()
        seen = np.array(self.seen, "<u8" if self.has_long_seen else "<i4")
        return words + seen.tobytes()


def read_header(path: str | os.PathLike[str]) -> DarknetHeader:
    """Returns the header of a `.weights` file; `DarknetHeader.to_bytes` is the inverse.

    Raises:
        FileNotFoundError: if the file does not exist
        ValueError: if it does not begin with such a header
    """
    name = arguments.check_path_or_name("the weights file", path)
    label = f"weights file {name!r}"
    if files.is_folder(name):
        raise ValueError(f"{label} must be a file, got a folder")
    if not files.is_file(name):
        raise FileNotFoundError(f"{label} does not exist")
    with Path(path).open("rb") as file:
        start = file.read(20)
    if len(start) < 16:
        raise ValueError(f"{label} must begin with a header, got {len(start)} bytes")
    words = np.frombuffer(start, "<i4", 3)
    header = DarknetHeader((int(words[0]), int(words[1]), int(words[2])))
    if not _is_plausible(header, start):
        version = ".".join(str(word) for word in header.words)
        raise ValueError(
            f"{label} is not a Darknet weights file: its version would be {version}"
        )
    if len(start) < header.size:
        raise ValueError(
            f"{label} must begin with a header of {header.size} bytes, got {len(start)}"
        )
    dtype = "<u8" if header.has_long_seen else "<i4"
    seen = np.frombuffer(start[12 : header.size], dtype)
    return header._replace(seen=int(seen[0]))


def _is_plausible(header: DarknetHeader, start: bytes) -> bool:
    """Returns whether the version, or the rates of 2015, can be Darknet's."""
    if header.is_of_2015:
        rates = np.frombuffer(start, "<f4", 3)
        return all(rate == 0 or 1e-9 < rate < 10 for rate in rates)
    major, minor, revision = header.words
    return 0 <= major < 10 and 0 <= minor < 100 and 0 <= revision < 100

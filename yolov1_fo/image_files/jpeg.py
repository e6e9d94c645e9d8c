"""Whether a JPEG file contains every pixel; decoders fill missing ones with gray.

A file without end marker, or with padding before it, can be complete; a file that ends
with the marker can be truncated.
"""

import io
import random
import re
from typing import NamedTuple

from PIL import JpegImagePlugin

END = b"\xff\xd9"
"""The end marker."""
GRAY = 128
"""Value of missing blocks in decoded images, in each channel."""
HOLE = bytes(64)
"""Zeros in such a number are not image data, see `_zeros_mean_empty`."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), (0xC2,)
_NOISE = bytes(random.Random(1).choices(range(255), k=256))
"""Image data that does not belong to any file."""


class Scan(NamedTuple):
    """A scan of a JPEG file.

    Attributes:
        components: ids of its components
        first: index of the first coefficient of each block
        last: index of the last coefficient of each block
        bit: lowest bit of the coefficients that is known after this scan
        start: offset of its data in the file
    """

    components: bytes
    first: int
    last: int
    bit: int
    start: int


class Structure(NamedTuple):
    """The structure of a JPEG file.

    Attributes:
        frame: marker of the frame; 0 if there is none
        components: ids of the image's components
        scans: in the order of the file
        end: offset of the end marker; None if there is none
        zeros_mean_empty: whether a long row of zeros can be an empty area of the image
    """

    frame: int
    components: bytes
    scans: list[Scan]
    end: int | None
    zeros_mean_empty: bool


def parse(data: bytes) -> Structure:
    """Returns the structure of a file, as far as it can be read."""
    frame, components, scans, end, zeros_mean_empty = 0, b"", [], None, True
    position = 2
    while position + 4 <= len(data) or data[position : position + 2] == END:
        if data[position] != 0xFF:
            found = _MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
        marker = data[position + 1]
        if marker == 0xD9:
            end = position
            break
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            position += 1 if marker == 0xFF else 2
            continue
        start = position + 4
        position += 2 + int.from_bytes(data[position + 2 : start])
        if 0xE0 <= marker <= 0xEF:  # application data, with thumbnails of its own
            continue
        body = data[start:position]
        if marker == 0xDA and len(body) >= 6:
            ids = body[1 : 1 + 2 * body[0] : 2]
            scans.append(Scan(ids, body[-3], body[-2], body[-1] & 15, position))
            if frame in _SEQUENTIAL and len(ids) == len(components):  # the only scan
                at = data.rfind(END, position)
                end = None if at < 0 else at
                break
            found = _MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
        elif marker == 0xC4:
            zeros_mean_empty &= _zeros_mean_empty(body)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC8, 0xCC):
            frame, components = marker, body[6::3]
    return Structure(frame, components, scans, end, zeros_mean_empty)


def _zeros_mean_empty(tables: bytes) -> bool:
    """Returns whether the code of zeros ends a block in each coefficient table."""
    while len(tables) > 17:
        if tables[0] >> 4 and tables[17]:
            return False
        tables = tables[17 + sum(tables[1:17]) :]
    return True


def is_complete(data: bytes, thorough: bool = False) -> bool:
    """Returns whether a JPEG file contains every pixel.

    Args:
        data: content of the file
        thorough (False): decodes a sequential image to see whether its data ends before
            the end marker; unnecessary if the caller checks its decoded pixels for gray
    """
    structure = parse(data)
    scans = structure.scans
    if not scans or not _has_all_coefficients(structure):
        return False
    end = _end_of_data(data) if structure.end is None else structure.end
    hole = data.find(HOLE, scans[-1].start, end)
    if structure.frame not in (*_SEQUENTIAL, *_PROGRESSIVE):
        return structure.end is not None
    if hole >= 0:
        is_complete_before = _is_unaffected_by_more(data[:hole], structure)
        if is_complete_before or not structure.zeros_mean_empty:
            return is_complete_before
    has_many_scans = len(scans) > 1 and structure.frame in _SEQUENTIAL
    if structure.end is None or has_many_scans or len(structure.components) == 4:
        return _is_unaffected_by_more(data[:end], structure)
    is_sequential = structure.frame in _SEQUENTIAL
    if thorough and is_sequential and _last_pixel(data) in (GRAY, None):
        return _is_unaffected_by_more(data[:end], structure)
    return True


def _end_of_data(data: bytes) -> int:
    """Returns where image data ends that is padded with zeros or half a marker."""
    size = len(data.rstrip(b"\0"))
    if data[size - 1 : size] == b"\xff":
        size += 1 if size < len(data) else -1  # FF 00 is image data, FF alone is not
    return size


def _has_all_coefficients(structure: Structure) -> bool:
    """Returns whether the scans contain every coefficient of each component."""
    if not structure.components:
        return False
    for component in structure.components:
        scans = [scan for scan in structure.scans if component in scan.components]
        if structure.frame not in _PROGRESSIVE:
            if not scans:
                return False
            continue
        found = {
            index
            for scan in scans
            if scan.bit == 0
            for index in range(scan.first, scan.last + 1)
        }
        if not found >= set(range(64)):
            return False
    return True


def _is_unaffected_by_more(data: bytes, structure: Structure) -> bool:
    """Returns whether the decoded image stays the same if more data is appended."""
    full_size = structure.frame in _PROGRESSIVE
    alone, extended = (_decode(data + more + END, full_size) for more in (b"", _NOISE))
    return alone is not None and alone == extended


def _last_pixel(data: bytes) -> int | None:
    """Returns the last pixel at an eighth of the size; None if it can't be decoded."""
    pixels = _decode(data, full_size=False, mode="L")
    return pixels[-1] if pixels else None


def _decode(data: bytes, full_size: bool, mode: str | None = None) -> bytes | None:
    """Returns the pixels; None if the file, or its mode, can't be decoded.

    Args:
        data: content of the file
        full_size: else an eighth of the size
        mode (as stored): Pillow's mode of the pixels
    """
    try:
        with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
            if not full_size:
                width, height = (max(1, size // 8) for size in image.size)
                image.draft(mode or image.mode, (width, height))
            image.load()
            if mode and image.mode != mode:
                return None
            return image.tobytes()
    except Exception:  # Pillow raises many types
        return None

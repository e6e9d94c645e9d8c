"""Whether a JPEG file holds every pixel; its decoders fill up in silence what is not.

A file whose end marker is missing, or stands behind padding, can be complete; one that
ends with the marker can be cut.
"""

import io
import random
import re
from typing import NamedTuple

from PIL import JpegImagePlugin

END = b"\xff\xd9"
GREY = 128
"""What decoders show of blocks that are missing, in each channel."""
HOLE = bytes(64)
"""So many zeros in a row are no code of a picture, see `_is_hole`."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), (0xC2,)
_JUNK = bytes(random.Random(1).choices(range(255), k=256))
"""Codes that are no part of the file."""


class Scan(NamedTuple):
    """What a scan adds to the picture.

    Attributes:
        components: their ids
        first: coefficient of each block
        last: coefficient
        bit: the lowest that is there then
        start: of its codes in the file
    """

    components: bytes
    first: int
    last: int
    bit: int
    start: int


class Structure(NamedTuple):
    """How a JPEG file is built.

    Attributes:
        frame: marker of the frame; 0 without
        components: ids of the picture's
        scans: in order
        end: where the end marker stands; None if there is none
        zero_is_empty: an endless row of zeros can be an empty area of the picture
    """

    frame: int
    components: bytes
    scans: list[Scan]
    end: int | None
    zero_is_empty: bool


def structure(data: bytes) -> Structure:
    """Returns how a file is built, as far as it goes."""
    frame, components, scans, end, zero_is_empty = 0, b"", [], None, True
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
        if 0xE0 <= marker <= 0xEF:  # of applications, with thumbnails of their own
            continue
        body = data[start:position]
        if marker == 0xDA and len(body) >= 6:
            ids = body[1 : 1 + 2 * body[0] : 2]
            scans.append(Scan(ids, body[-3], body[-2], body[-1] & 15, position))
            if frame in _SEQUENTIAL and len(ids) == len(components):  # all in one
                at = data.rfind(END, position)  # what lies between does not matter
                end = None if at < 0 else at
                break
            found = _MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
        elif marker == 0xC4:
            zero_is_empty &= _zero_is_empty(body)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC8, 0xCC):
            frame, components = marker, body[6::3]
    return Structure(frame, components, scans, end, zero_is_empty)


def _zero_is_empty(tables: bytes) -> bool:
    """Returns whether the code of zeros ends a block, in each table of coefficients."""
    while len(tables) > 17:
        if tables[0] >> 4 and tables[17]:
            return False
        tables = tables[17 + sum(tables[1:17]) :]
    return True


def is_complete(data: bytes, thorough: bool = False) -> bool:
    """Returns whether a JPEG file holds every pixel.

    Args:
        data: the file's
        thorough (False): also finds a picture of one scan whose codes end early though
            the end marker is there; without it, `is_filled_up` tells that of its pixels
    """
    built = structure(data)
    scans = built.scans
    if not scans or not _is_covered(built):
        return False
    stop = _unpadded(data) if built.end is None else built.end
    hole = data.find(HOLE, scans[-1].start, stop)
    if built.frame not in (*_SEQUENTIAL, *_PROGRESSIVE):
        return built.end is not None
    if hole >= 0 and (_holds_all(data[:hole], built) or not built.zero_is_empty):
        return _holds_all(data[:hole], built)
    is_apart = len(scans) > 1 and built.frame in _SEQUENTIAL
    if built.end is None or is_apart or len(built.components) == 4:
        return _holds_all(data[:stop], built)
    if thorough and built.frame in _SEQUENTIAL and _last_pixel(data) in (GREY, None):
        return _holds_all(data[:stop], built)
    return True


def _unpadded(data: bytes) -> int:
    """Returns where codes end behind which there may be zeros, or half a marker."""
    size = len(data.rstrip(b"\0"))
    if data[size - 1 : size] == b"\xff":
        size += 1 if size < len(data) else -1  # FF 00 is a code, FF alone is none
    return size


def _is_covered(built: Structure) -> bool:
    """Returns whether the scans bring every coefficient of each component."""
    if not built.components:
        return False
    for component in built.components:
        mine = [scan for scan in built.scans if component in scan.components]
        if built.frame not in _PROGRESSIVE:
            if not mine:
                return False
            continue
        there = {
            number
            for scan in mine
            if scan.bit == 0
            for number in range(scan.first, scan.last + 1)
        }
        if not there >= set(range(64)):
            return False
    return True


def _holds_all(data: bytes, built: Structure) -> bool:
    """Returns whether the picture stays the same whatever stands behind the data."""
    fine = built.frame in _PROGRESSIVE
    alone, followed = (_decoded(data + more + END, fine) for more in (b"", _JUNK))
    return alone is not None and alone == followed


def _last_pixel(data: bytes) -> int | None:
    """Returns the last pixel in grey, seen from afar; None if it has other colours."""
    grey = _decoded(data, fine=False, mode="L")
    return grey[-1] if grey else None


def _decoded(data: bytes, fine: bool, mode: str | None = None) -> bytes | None:
    """Returns the pixels, of an eighth of the size unless `fine`; None if it can't."""
    try:
        with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as picture:
            if not fine:
                width, height = (max(1, size // 8) for size in picture.size)
                picture.draft(mode or picture.mode, (width, height))
            picture.load()
            if mode and picture.mode != mode:
                return None
            return picture.tobytes()
    except Exception:  # Pillow raises many kinds
        return None

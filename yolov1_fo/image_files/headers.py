"""What an image file says of itself, read before a byte of it is decoded.

A file's kind is told by its first bytes, never by its name.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from yolov1_fo.image_files import isobmff, tiff
from yolov1_fo.image_files.tiff import MOST_PARTS, unpack

KINDS = (
    *("JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF", "AVIF", "JPEG 2000"),
    *("PNM", "PFM", "Radiance HDR", "Sun raster"),
)
"""All kinds that are read; PNM are PBM, PGM, PPM and PAM."""
FRAMES = frozenset([*range(0xC0, 0xD0)]) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that tell its size."""
ALONE = frozenset([0x01, *range(0xD0, 0xDA)])
"""Markers of JPEG without a length."""


class Header(NamedTuple):
    """What an image file says of itself.

    Attributes:
        width: in pixels, as stored
        height: in pixels, as stored
        has_alpha: whether pixels can be transparent
        orientation: EXIF's, 1 to 8; always 1 for JPEG, which OpenCV turns
        kind: one of `KINDS`
    """

    width: int
    height: int
    has_alpha: bool = False
    orientation: int = 1
    kind: str = ""


def read(file: BinaryIO) -> Header | None:
    """Returns what a file says of itself; None if it is of no known kind.

    Raises:
        ValueError: if the header ends early or contradicts itself
    """
    file.seek(0)
    start = file.read(32)
    for is_it, kind, parse in _PARSERS:
        if is_it(start):
            try:
                header = parse(file)._replace(kind=kind)
            except (struct.error, IndexError, UnicodeDecodeError) as error:
                raise ValueError("the header is cut") from error
            if min(header.width, header.height) < 1:
                raise ValueError("the header tells no size")
            return header
    return None


def _jpeg(file: BinaryIO) -> Header:
    position = 2
    for _ in range(MOST_PARTS):
        file.seek(position)
        part = file.read(9)
        if len(part) < 9 or part[0] != 0xFF:
            break
        marker = part[1]
        if marker == 0xFF:
            position += 1
        elif marker in ALONE:
            position += 2
        elif marker in FRAMES:
            height, width = struct.unpack(">HH", part[5:])
            return Header(width, height)
        else:
            position += 2 + int.from_bytes(part[2:4])
    raise ValueError("the header tells no size")


def _png(file: BinaryIO) -> Header:
    width, height, _, colour = unpack(file, ">IIBB", 16)
    has_alpha, orientation, position = colour in (4, 6), 1, 33
    for _ in range(MOST_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8 or chunk[4:] in (b"IDAT", b"IEND"):
            break
        (length,) = struct.unpack(">I", chunk[:4])
        has_alpha |= chunk[4:] == b"tRNS"
        if chunk[4:] == b"eXIf":
            orientation = _orientation(file.read(length))
        position += 12 + length
    return Header(width, height, has_alpha, orientation)


def _gif(file: BinaryIO) -> Header:
    """The larger of canvas and first frame, for both are laid out."""
    width, height, flags = unpack(file, "<HHB", 6)
    has_alpha, position = False, 13 + palette(flags)
    for _ in range(MOST_PARTS):
        (block,) = unpack(file, "B", position)
        if block == 0x2C:
            left, top, wide, high = unpack(file, "<HHHH", position + 1)
            has_alpha |= left > 0 or top > 0 or wide < width or high < height
            return Header(max(width, left + wide), max(height, top + high), has_alpha)
        if block != 0x21:
            break
        label, size, flags = unpack(file, "BBB", position + 1)
        has_alpha |= label == 0xF9 and size >= 4 and bool(flags & 1)
        position += 2
        while length := unpack(file, "B", position)[0]:
            position += 1 + length
        position += 1
    raise ValueError("the header leads to no picture")


def palette(flags: int) -> int:
    """Returns how many bytes a GIF's palette takes, by the flags before it."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp(file: BinaryIO) -> Header:
    if unpack(file, "<I", 14)[0] == 12:
        width, height = unpack(file, "<HH", 18)
    else:
        width, height = unpack(file, "<ii", 18)
    return Header(width, abs(height))


def _webp(file: BinaryIO) -> Header:
    file.seek(12)
    chunk = file.read(4)
    if chunk == b"VP8 ":
        width, height = unpack(file, "<HH", 26)
        return Header(width & 0x3FFF, height & 0x3FFF)
    if chunk == b"VP8L":
        (bits,) = unpack(file, "<I", 21)
        has_alpha = bool(bits >> 28 & 1)
        return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, has_alpha)
    if chunk != b"VP8X":
        raise ValueError("the header leads to no picture")
    flags, *sizes = unpack(file, "<B3xHBHB", 20)
    width, height = (low + (high << 16) + 1 for low, high in (sizes[:2], sizes[2:]))
    orientation = 1
    for name, start, end in riff(file, 30):
        if name == b"EXIF" and flags & 8:
            file.seek(start)
            orientation = _orientation(file.read(end - start).removeprefix(b"Exif\0\0"))
    return Header(width, height, bool(flags & 0x10), orientation)


def riff(file: BinaryIO, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the chunks of a RIFF file: name, begin and end."""
    for _ in range(MOST_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            return
        length = int.from_bytes(chunk[4:], "little")
        yield chunk[:4], position + 8, position + 8 + length
        position += 8 + length + length % 2


def _tiff(file: BinaryIO) -> Header:
    tags = tiff.tags(file)
    width, height = (tags[tag].value for tag in (256, 257))
    tile = tags[322].value * tags[323].value if 322 in tags and 323 in tags else 0
    high = max(height, -(-tile // max(width, 1)))  # a tile is laid out whole
    alpha = 338 in tags and tags[338].value in (1, 2)
    turn = tags[274].value if 274 in tags else 1
    return Header(width, high, alpha, _checked(turn))


def _orientation(exif: bytes) -> int:
    """Returns the orientation that EXIF tells, 1 if it tells none."""
    try:
        return _checked(tiff.tags(io.BytesIO(exif))[274].value)
    except (ValueError, KeyError, struct.error):
        return 1


def _checked(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


_TURNS = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF's orientation by the quarters that AVIF turns a picture to the left."""
_MIRRORED = {0: {1: 4, 8: 5, 3: 2, 6: 7}, 1: {1: 2, 8: 7, 3: 4, 6: 5}}
"""EXIF's orientation when it is then mirrored, top to bottom (0) or left to right."""


def _avif(file: BinaryIO) -> Header:
    """The largest picture of the file; thumbnails and parts are smaller."""
    end = file.seek(0, 2)
    parts = dict(isobmff.inside(file, 0, end, (b"meta", b"iprp", b"ipco")))
    start, stop = parts[b"ipco"]
    width = height = quarters = 0
    mirror, has_alpha = None, False
    for name, start, stop in isobmff.boxes(file, start, stop):  # noqa: B020  # inside it
        if name == b"ispe":
            wide, high = unpack(file, ">II", start + 4)
            width, height = max(width, wide), max(height, high)
        elif name == b"irot":
            quarters = unpack(file, "B", start)[0] & 3
        elif name == b"imir":
            mirror = unpack(file, "B", start)[0] & 1
        elif name == b"auxC":
            file.seek(start)
            has_alpha |= b"alpha" in file.read(min(stop - start, 256))
    orientation = _TURNS[quarters]
    if mirror is not None:
        orientation = _MIRRORED[mirror][orientation]
    return Header(width, height, has_alpha, orientation)


def _jpeg2000(file: BinaryIO) -> Header:
    end = file.seek(0, 2)
    if unpack(file, ">H", 0)[0] == 0xFF4F:
        return _codestream(file, 0)
    has_alpha = False
    for name, start, stop in isobmff.boxes(file, 0, end):
        if name == b"jp2h":
            for inner, begin, _ in isobmff.boxes(file, start, stop):
                if inner == b"cdef":
                    (count,) = unpack(file, ">H", begin)
                    kinds = unpack(file, f">{3 * min(count, 64)}H", begin + 2)[1::3]
                    has_alpha = 1 in kinds
        if name == b"jp2c":
            return _codestream(file, start)._replace(has_alpha=has_alpha)
    raise ValueError("the header leads to no picture")


def _codestream(file: BinaryIO, start: int) -> Header:
    right, low, left, top = unpack(file, ">IIII", start + 8)
    (components,) = unpack(file, ">H", start + 40)
    wide = (right - left) * -(-components // 4)  # each component is laid out
    return Header(right - left if components <= 4 else wide, low - top)


def _pnm(file: BinaryIO) -> Header:
    file.seek(0)
    if file.read(2) == b"P7":
        words = file.read(4096).partition(b"ENDHDR")[0].split()
        facts = dict(zip(words[::2], words[1::2], strict=False))
        return Header(_number(facts, b"WIDTH"), _number(facts, b"HEIGHT"))
    lines = [line.partition(b"#")[0] for line in file.read(4096).split(b"\n")]
    words = b" ".join(lines).split()
    return Header(_number(words, 0), _number(words, 1))


def _number(words: dict[bytes, bytes] | list[bytes], key: object) -> int:
    try:
        word = words[key]  # type: ignore[index,call-overload]  # a dict's or a list's
        return int(word) if len(word) < 10 else 0
    except (KeyError, IndexError, ValueError):
        return 0


def _radiance(file: BinaryIO) -> Header:
    file.seek(0)
    for line in file.read(4096).split(b"\n"):
        words = line.split()
        if len(words) == 4 and words[0][1:] in (b"X", b"Y"):
            return Header(_number(words, 3), _number(words, 1))
    raise ValueError("the header tells no size")


def _sun(file: BinaryIO) -> Header:
    width, height = unpack(file, ">II", 4)
    return Header(width, height)


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(signatures)


_PARSERS: tuple[
    tuple[Callable[[bytes], bool], str, Callable[[BinaryIO], Header]], ...
] = (
    (_starts(b"\xff\xd8\xff"), "JPEG", _jpeg),
    (_starts(b"\x89PNG\r\n\x1a\n"), "PNG", _png),
    (_starts(b"GIF87a", b"GIF89a"), "GIF", _gif),
    (_starts(b"BM"), "BMP", _bmp),
    (lambda start: start[:4] + start[8:12] == b"RIFFWEBP", "WebP", _webp),
    (_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF", _tiff),
    (lambda start: start[4:12] in (b"ftypavif", b"ftypavis"), "AVIF", _avif),
    (_starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "JPEG 2000", _jpeg2000),
    (
        lambda s: s[:1] == b"P" and s[1:2] in b"1234567" and s[2:3].isspace(),
        "PNM",
        _pnm,
    ),
    (lambda s: s[:2] in (b"PF", b"Pf") and s[2:3].isspace(), "PFM", _pnm),
    (_starts(b"#?RADIANCE", b"#?RGBE"), "Radiance HDR", _radiance),
    (_starts(b"\x59\xa6\x6a\x95"), "Sun raster", _sun),
)

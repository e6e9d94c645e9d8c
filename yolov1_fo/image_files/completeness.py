"""Whether an image file holds every pixel, and how its end should be.

What stands behind a picture, or lacks there, does not matter as long as all pixels are
there; OpenCV refuses some of these files, so their ends are mended in memory.
"""

import io
import struct
import zlib

from PIL import GifImagePlugin

from yolov1_fo.image_files import headers, isobmff, jpeg, tiff
from yolov1_fo.image_files.headers import Header

INFLATED, UNPACKED = 1032, 4096
"""At most so many bytes come from one of zlib's, so many pixels from one of GIF's."""
ENDLESS = 2**63
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def mended(header: Header, data: bytes, thorough: bool = False) -> bytes | None:
    """Returns what OpenCV decodes whole; None if pixels are missing.

    Args:
        header: of the file
        data: the file's
        thorough (False): decodes where only that tells; without it, decoding tells
    """
    check = _CHECKS.get(header.kind)
    try:
        return data if check is None else check(header, data, thorough)
    except (ValueError, IndexError, struct.error):  # it leads beyond the file
        return None


def _jpeg(header: Header, data: bytes, thorough: bool) -> bytes | None:
    return with_end(data) if jpeg.is_complete(data, thorough) else None


def with_end(data: bytes) -> bytes:
    """Returns a JPEG that has an end marker; without, OpenCV leaves pixels out."""
    return data if data.endswith(jpeg.END) else data + jpeg.END


def _png(header: Header, data: bytes, thorough: bool) -> bytes | None:
    position, parts, damaged = 8, [], False
    while position + 12 <= len(data):
        name = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4])
        if name == b"IEND" or end > len(data):
            break
        if name == b"IDAT":
            parts.append(data[position + 8 : end - 4])
            check = zlib.crc32(data[position + 4 : end - 4])
            damaged |= check != int.from_bytes(data[end - 4 : end])
        position = end
    depth, colour = data[24], data[25]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    least = header.height * (header.width * bits // 8)
    if damaged or sum(map(len, parts)) * INFLATED < least:
        return None
    if data[position + 4 : position + 8] == b"IEND":
        return data
    return data[:position] + PNG_END if _ends(parts) else None


def _ends(parts: list[bytes]) -> bool:
    """Returns whether zlib's stream comes to its end."""
    stream = zlib.decompressobj()
    try:
        for part in parts:
            while part:
                stream.decompress(part, 2**20)
                part = stream.unconsumed_tail
    except zlib.error:
        return False
    return stream.eof


def _gif(header: Header, data: bytes, thorough: bool) -> bytes | None:
    frame = _first_frame(data)
    if frame is None:
        return None
    start, end = frame
    wide, high = struct.unpack("<HH", data[start + 5 : start + 9])
    if wide * high > UNPACKED * (end - start):
        return None
    first = data[:end] + b";"
    if thorough and not _gif_decodes(first):
        return None
    return data if _gif_ends(data, end) else first


def _first_frame(data: bytes) -> tuple[int, int] | None:
    """Returns where a GIF's first frame begins and ends; None if it does not end."""
    position = 13 + headers.palette(data[10])
    while position < len(data):
        if data[position] == 0x2C and position + 10 < len(data):
            body = position + 11 + headers.palette(data[position + 9])
            end = _behind_blocks(data, body)
            return None if end is None else (position, end)
        if data[position] != 0x21:
            return None
        behind = _behind_blocks(data, position + 2)
        if behind is None:
            return None
        position = behind
    return None


def _behind_blocks(data: bytes, position: int) -> int | None:
    while position < len(data):
        if not data[position]:
            return position + 1
        position += 1 + data[position]
    return None


def _gif_ends(data: bytes, position: int) -> bool:
    """Returns whether all that follows the first frame ends as it should."""
    while position < len(data) and data[position] in b"!,":
        body = position + 2
        if data[position] == 0x2C:
            if position + 10 >= len(data):
                return False
            body = position + 11 + headers.palette(data[position + 9])
        behind = _behind_blocks(data, body)
        if behind is None:
            return False
        position = behind
    return data[position : position + 1] == b";"


def _gif_decodes(data: bytes) -> bool:
    try:
        with GifImagePlugin.GifImageFile(io.BytesIO(data)) as picture:
            picture.load()
    except Exception:  # Pillow raises many kinds
        return False
    return True


def _bmp(header: Header, data: bytes, thorough: bool) -> bytes | None:
    start, size = (int.from_bytes(data[n : n + 4], "little") for n in (10, 14))
    bits = int.from_bytes(data[24 if size == 12 else 28 :][:2], "little")
    packed = size > 12 and int.from_bytes(data[30:34], "little") not in (0, 3, 6)
    row = -(-header.width * bits // 32) * 4
    return data if packed or start + row * header.height <= len(data) else None


def _webp(header: Header, data: bytes, thorough: bool) -> bytes | None:
    end, there = 12, False
    for name, _, stop in headers.riff(io.BytesIO(data), 12):
        if stop > len(data):
            break
        there |= name in (b"VP8 ", b"VP8L", b"ANMF")
        end = stop
        if name in (b"VP8 ", b"VP8L") and data[12:16] != b"VP8X":
            break
    if not there:
        return None
    declared = int.from_bytes(data[4:8], "little") + 8
    if end <= declared <= len(data):
        return data
    picture = data[:end] + b"\0" * (end % 2)
    return data[:4] + (len(picture) - 8).to_bytes(4, "little") + picture[8:]


def _tiff(header: Header, data: bytes, thorough: bool) -> bytes | None:
    file = io.BytesIO(data)
    tags = tiff.tags(file)
    for places, sizes in ((273, 279), (324, 325)):
        if places in tags and sizes in tags:
            parts = zip(*(tags[one].all(file) for one in (places, sizes)), strict=False)
            if any(place + size > len(data) for place, size in parts):
                return None
    turn = tags.get(274)
    if turn is None or turn.value == 1:
        return data
    straight = bytearray(data)  # OpenCV fails where it has to turn
    size = struct.calcsize(turn.format)
    straight[turn.place : turn.place + size] = struct.pack(turn.format, 1)
    return bytes(straight)


def _boxed(header: Header, data: bytes, thorough: bool) -> bytes | None:
    """AVIF and JPEG 2000: what holds the pixels ends within the file."""
    for name, _, stop in isobmff.boxes(io.BytesIO(data), 0, ENDLESS):
        if name in (b"meta", b"mdat", b"jp2h", b"jp2c") and len(data) < stop < ENDLESS:
            return None
        if stop >= len(data):
            break
    return data


_CHECKS = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "BMP": _bmp,
    "WebP": _webp,
    "TIFF": _tiff,
    "AVIF": _boxed,
    "JPEG 2000": _boxed,
}

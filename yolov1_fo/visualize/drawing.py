"""Lines, shades, boxes and names on an image, readable on any photograph.

Each function takes pixels (H, W, 3) uint8 RGB, or the picture that another function
made of them, and returns a new picture of the same size.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import PIL.Image
import PIL.ImageColor
import PIL.ImageDraw
from PIL.Image import Image

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array

COLOURS = (
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#009E73",  # green
    "#F0E442",  # yellow
    "#CC79A7",  # pink
    "#D55E00",  # red
    "#FFFFFF",
)
"""One for each class, then from the first again; the colour-blind tell them apart.

Source: Okabe and Ito, Color Universal Design, 2008; white in the place of its blue,
which is hard to see on a dark photograph
"""

FONT = 15
"""Height of names, in pixels."""
LINE = 3
"""Width of a box's edge, in pixels."""
DOT = 5
"""Radius of a centre, in pixels."""
THICKEST, FAINTEST = 8, 0.08
"""Width of an edge at a strength of 1, in pixels; how dense it is at one of 0."""
VEIL = 0.75
"""How much of the image a shade hides at most."""
GAP = 8
"""Between two pictures of a sheet, in pixels."""
PALETTE = 256
"""How many colours a saved picture has."""


def colour_of(class_id: int) -> str:
    """Returns the colour of a class, as `#RRGGBB`."""
    return COLOURS[int(class_id) % len(COLOURS)]


def with_grid(image: Array | Image, S: int) -> Image:
    """Returns the image with the lines between its S x S cells."""
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture, "RGBA")
    width, height = picture.size
    for number in range(1, S):
        x, y = round(number * width / S), round(number * height / S)
        for line in ((x, 0, x, height), (0, y, width, y)):
            draw.line(line, fill=(0, 0, 0, 70), width=3)
            draw.line(line, fill=(255, 255, 255, 150), width=1)
    return picture


def with_cells(
    image: Array | Image, strengths: Array, colours: Sequence[str] = COLOURS[:1]
) -> Image:
    """Returns the image with its cells shaded.

    Args:
        image: pixels or picture
        strengths: (S, S) in [0, 1]: how strongly; at 1 a shade hides `VEIL` of it
        colours (orange): of the cells row by row, or one for all
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture, "RGBA")
    strengths = np.clip(strengths, 0, 1)
    S = len(strengths)
    edges = [[round(n * side / S) for n in range(S + 1)] for side in picture.size]
    for row, column in zip(*np.nonzero(strengths), strict=True):
        colour = colours[(row * S + column) % len(colours)]
        alpha = round(255 * VEIL * float(strengths[row, column]))
        low = edges[0][column], edges[1][row]
        high = edges[0][column + 1] - 1, edges[1][row + 1] - 1
        draw.rectangle((low, high), fill=(*PIL.ImageColor.getrgb(colour), alpha))
    return picture


def with_boxes(
    image: Array | Image,
    boxes: Array,
    colours: Sequence[str] = COLOURS,
    names: Iterable[str] = (),
) -> Image:
    """Returns the image with boxes, and their names if there are any.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative; what is outside the image is not seen
        colours (`COLOURS`): of the boxes; the first follows the last
        names (none): of the boxes, in their order
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture)
    places = _in_pixels(boxes, picture)
    for number, place in enumerate(places):
        dark = place + np.array([-1, -1, 1, 1])  # so that it is seen on any ground
        draw.rectangle(dark.tolist(), outline="black", width=LINE + 2)
        colour = colours[number % len(colours)]
        draw.rectangle(place.tolist(), outline=colour, width=LINE)
    for number, (place, name) in enumerate(zip(places, names, strict=False)):
        _write(draw, picture, place, name, colours[number % len(colours)])
    return picture


def with_strong_boxes(
    image: Array | Image,
    boxes: Array,
    strengths: Array,
    colours: Sequence[str] = COLOURS,
) -> Image:
    """Returns the image with boxes; the stronger one is, the thicker and less faint.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative
        strengths: (K,) in [0, 1]; the strongest lie on top
        colours (`COLOURS`): of the boxes; the first follows the last
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture, "RGBA")
    strengths = np.clip(strengths, 0, 1)
    places = _in_pixels(boxes, picture)
    for number in np.argsort(strengths, kind="stable"):
        strength = float(strengths[number])
        alpha = round(255 * (FAINTEST + (1 - FAINTEST) * strength))
        colour = PIL.ImageColor.getrgb(colours[number % len(colours)])
        draw.rectangle(
            places[number].tolist(),
            outline=(*colour, alpha),
            width=max(round(THICKEST * strength), 1),
        )
    return picture


def with_centres(
    image: Array | Image, boxes: Array, colours: Sequence[str] = COLOURS
) -> Image:
    """Returns the image with a dot on the centre of each box.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative
        colours (`COLOURS`): of the dots; the first follows the last
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture)
    centres = _boxes.xyxy_to_cxcywh(np.asarray(boxes, np.float32).reshape(-1, 4))
    for number, centre in enumerate(np.round(centres[:, :2] * picture.size)):
        for radius, fill in (
            (DOT + 2, "black"),
            (DOT + 1, "white"),
            (DOT - 1, colours[number % len(colours)]),
        ):
            draw.circle(tuple(centre.tolist()), radius, fill=fill)
    return picture


def beside(
    pictures: Sequence[Array | Image], columns: int = 0, gap: int = GAP
) -> Image:
    """Returns pictures of one size as a sheet.

    Args:
        pictures: row by row
        columns (all): pictures in a row
        gap (`GAP`): between them, in pixels
    """
    tiles = [_copy(one) for one in pictures]
    columns = columns or len(tiles)
    rows = -(-len(tiles) // columns)
    width, height = (side + gap for side in tiles[0].size)
    sheet = PIL.Image.new("RGB", (columns * width - gap, rows * height - gap), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * width, number // columns * height))
    return sheet


def save(picture: Image, path: str | os.PathLike[str]) -> None:
    """Writes a picture as a PNG of `PALETTE` colours: smaller, and hardly another."""
    few = picture.quantize(
        PALETTE,
        method=PIL.Image.Quantize.MAXCOVERAGE,
        kmeans=2,
        dither=PIL.Image.Dither.NONE,
    )
    few.save(path, "PNG", optimize=True)


def _copy(image: Array | Image) -> Image:
    return PIL.Image.fromarray(np.array(image, np.uint8))


def _in_pixels(boxes: Array, picture: Image) -> Array:
    """Returns corners in pixels: (K, 4), the upper ones first even if they were not."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4) * (picture.size * 2)
    corners = np.round(corners).astype(int)
    return np.hstack(
        [
            np.minimum(corners[:, :2], corners[:, 2:]),
            np.maximum(corners[:, :2], corners[:, 2:]),
        ]
    )


def _write(
    draw: PIL.ImageDraw.ImageDraw, picture: Image, place: Array, name: str, colour: str
) -> None:
    """Writes a name above a box; where there is no room, below; else inside."""
    left, _, right, _ = draw.textbbox((0, 0), name, font_size=FONT)
    width, height = right - left + 6, FONT + 5
    x = min(max(int(place[0]) - 1, 0), max(picture.width - width, 0))
    top, bottom = int(place[1]), int(place[3])
    below = bottom if bottom + height <= picture.height else max(top, 0)
    y = top - height if top >= height else below
    draw.rectangle((x, y, x + width, y + height), fill=colour, outline="black")
    grey = np.dot(PIL.ImageColor.getrgb(colour), (0.299, 0.587, 0.114))
    ink = "black" if grey > 110 else "white"
    draw.text((x + 3 - left, y + 2), name, fill=ink, font_size=FONT)

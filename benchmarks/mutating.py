"""Random mutations of bytes, JSON and names."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

EXTREMES = (0, 1, -1, 2**31 - 1, -(2**31), 2**16)
"""32-bit numbers that are wrong as sizes and counts."""
NAMES: tuple[Any, ...] = (
    *("", " ", ".", "..", "../up", "/etc", "a/b", "a\\b", "a.b", "a b", "1a", "-x"),
    *("ä", "名前", "a" * 300, "a\nb", "a\0b", "__x__", "_id", "id", "filepath", "tags"),
    *("metadata", "frames.x", "frames.", "$where", "a$b", "--help", "None", "class"),
    *("\ud800", "\u202e", "ground_truth", "predictions", "notes", "micro"),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 10**30, 0.5, -0.5, 1e308),
    *(math.nan, math.inf, -math.inf, "", "0", "1", "nan", "true", "x", "a\nb", "\0"),
    *("x" * 300, "../../etc/passwd", "ä", [], {}, [[]], [None], ["x"], [0] * 9),
    *({"a": 1}, {"": None}, [[[[[[]]]]]], {"$gt": 0}, [math.nan] * 4, [1e308] * 4),
)
"""Values of wrong types, or out of range."""


def pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    """Returns one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def mutate_bytes(rng: np.random.Generator, good: bytes) -> bytes:
    """Returns bytes with a few changes, in content or length."""
    bad = bytearray(good)
    for _ in range(int(rng.integers(1, 4))):
        a, b = sorted(rng.integers(0, len(bad) + 1, 2).tolist())
        way = int(rng.integers(9))
        if way == 0:
            del bad[a:]
        elif way == 1:
            del bad[a:b]
        elif way == 2:
            bad[a:a] = bad[a:b]
        elif way == 3:
            bad[a:b] = bytes(b - a)
        elif way == 4:
            bad += rng.bytes(int(rng.integers(1, 100)))
        elif way == 5:  # sizes in a header
            a = int(rng.integers(0, min(len(bad), 64) + 1))
            order = pick(rng, ("little", "big"))
            bad[a : a + 4] = pick(rng, EXTREMES).to_bytes(4, order, signed=True)
        elif way == 6:
            bad[a : a + 16] = rng.bytes(16)
        else:
            for place in rng.integers(0, max(len(bad), 1), 8).tolist():
                bad[place : place + 1] = rng.bytes(1)
    return bytes(bad)


def mutate_json(rng: np.random.Generator, good: Any) -> Any:
    """Returns a JSON value with a few changes."""
    bad = [copy.deepcopy(good)]
    for _ in range(int(rng.integers(1, 3))):
        home, key = _place(rng, bad)
        way = int(rng.integers(5))
        if way == 0 and home is not bad:
            del home[key]
        elif way == 1 and isinstance(home, dict):
            home[f"{key}_"] = home.pop(key)
        elif way == 2 and isinstance(home, list) and home is not bad:
            home.append(copy.deepcopy(home[key]))
        else:
            home[key] = copy.deepcopy(pick(rng, ODD))
    return bad[0]


def _place(rng: np.random.Generator, value: Any) -> tuple[Any, Any]:
    """Returns a random list or dict inside, and one of its keys."""
    home, key = value, 0
    while True:
        inner = home[key]
        if not isinstance(inner, list | dict) or not inner or rng.random() < 0.1:
            return home, key
        home = inner
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        key = pick(rng, keys)


def bad_name(rng: np.random.Generator) -> Any:
    """Returns a bad name: an unusual string, or another type."""
    way = int(rng.integers(4))
    if way == 0:
        return pick(rng, ODD)
    if way == 1:
        letters = "aZ_0 .-/\\$\n\0äé\u200b'\"{}%"
        return "".join(pick(rng, letters) for _ in range(int(rng.integers(1, 12))))
    return pick(rng, NAMES)


def bad_list(rng: np.random.Generator, good: Sequence[Any]) -> Any:
    """Returns a bad list of names."""
    way = int(rng.integers(6))
    if way == 0:
        return bad_name(rng)
    if way == 1:
        return dict.fromkeys(good)
    if way == 2:
        return [*good, pick(rng, list(good))]
    mixed = [bad_name(rng) if rng.random() < 0.4 else one for one in good]
    return tuple(mixed) if way == 3 else mixed

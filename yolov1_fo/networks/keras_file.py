"""Loads networks from Keras' own file format, in safe mode."""

import re
import warnings
import zipfile
from pathlib import Path

import keras

from yolov1_fo.networks.keras_settings import fixed_settings

MAX_REASON = 300
"""Longest message of Keras that is quoted, in characters."""


def load(path: Path) -> keras.Model:
    """Returns the network in a `.keras` file; executes no code that the file contains.

    Raises:
        ValueError: if the file can't be read
    """
    if path.is_file() and not zipfile.is_zipfile(path):  # Keras reports it as missing
        raise ValueError(
            f"'{path}' can't be read as a network: it is truncated, or not a Keras file"
        )
    try:
        with fixed_settings(), warnings.catch_warnings():
            warnings.simplefilter(
                "error", UserWarning
            )  # Keras warns of missing weights
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        line = f"'{path}' can't be read as a network: {_reason(error)}"
        raise ValueError(line) from error


def _reason(error: Exception) -> str:
    """Returns the first sentence of Keras' message, if it is short and readable."""
    sentence = re.split(r"\.\s|\n", str(error).strip())[0]
    is_readable = isinstance(error, ValueError) and not re.search("[<{]", sentence)
    if is_readable and 0 < len(sentence) <= MAX_REASON:
        return sentence
    return "it is damaged, or from another version of Keras"

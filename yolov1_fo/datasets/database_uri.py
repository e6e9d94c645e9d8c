"""The address of FiftyOne's database, and removal of its URI's secrets from texts.

It does not import FiftyOne, so that errors can be reported when FiftyOne is broken.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

VARIABLE = "FIFTYONE_DATABASE_URI"
EMBEDDED = "embedded"
HIDDEN = "***"
MIN_SECRET_LENGTH = 4
"""Shorter secrets are parts of many words: only the URI itself is replaced."""

_HOST = r"(?:\[[\w:.%]+\]|[\w.%-]+)(?::\d+)?"
_URI = re.compile(
    rf"mongodb(?:\+srv)?://(?:(?P<user>[^@/?#\s]*)@)?(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?P<rest>[/?][^@]*)?"
)
_IN_TEXT = re.compile(r"mongodb(?:\+srv)?://[^\s'\"`<>|]+")
_SECRET_OPTION = re.compile("password|secret|token|mechanismproperties", re.IGNORECASE)


def address() -> str:
    """Returns the database's hosts and ports; `EMBEDDED` for FiftyOne's own."""
    uri = _configured_uri()
    return hosts(uri) if uri else EMBEDDED


def hosts(uri: str) -> str:
    """Returns the hosts and ports of a URI, without user, password and options.

    No part of an invalid URI is returned, because any part may be the password.

    Example:
        >>> hosts("mongodb://ada:secret@[::1]:27017,db.example/?tls=true")
        '[::1]:27017,db.example'
        >>> hosts("mongodb://ada:se/cret@db.example")
        'set by FIFTYONE_DATABASE_URI'
    """
    match = _URI.fullmatch(uri.strip())
    return match["hosts"] if match else f"set by {VARIABLE}"


def scrub(text: str) -> str:
    """Returns a text without the secrets of the database's URI."""
    uri = _configured_uri()
    if uri:
        text = text.replace(uri, hosts(uri))
    text = _IN_TEXT.sub(lambda match: hosts(match.group()), text)
    for secret in sorted(_secrets(uri or ""), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def one_line(error: BaseException) -> str:
    """Returns the message of an error in one line, without secrets."""
    return " ".join(scrub(str(error)).split()) or type(error).__name__


def scrub_logs() -> None:
    """Removes secrets from everything this process logs from now on."""
    logging.setLogRecordFactory(_ScrubbedRecord)


class _ScrubbedRecord(logging.LogRecord):
    """A log record that holds its message and traceback as scrubbed text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.msg, self.args = scrub(_message(self)), ()
        if self.exc_info and self.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*self.exc_info))
            self.exc_text = scrub(text.rstrip("\n"))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that don't match the message
        return f"{record.msg} {record.args}"


def _configured_uri() -> str | None:
    """Returns the URI in use; None if the database is FiftyOne's own."""
    config = getattr(sys.modules.get("fiftyone"), "config", None)
    return getattr(config, "database_uri", None) or os.environ.get(VARIABLE)


def _secrets(uri: str) -> set[str]:
    """Returns the secret words of a URI, percent-encoded and decoded."""
    words = {word for word in _secret_parts(uri) if len(word) >= MIN_SECRET_LENGTH}
    return words | {unquote_plus(word) for word in words}


def _secret_parts(uri: str) -> Iterator[str]:
    match = _URI.fullmatch(uri.strip())
    if match:
        yield (match["user"] or "").partition(":")[2]
        options = (match["rest"] or "").partition("?")[2]
        for option in re.split("[&;]", options):
            name, _, value = option.partition("=")
            if _SECRET_OPTION.search(name):
                yield value
    else:  # a password that is not percent-encoded can end anywhere
        user = uri.rpartition("://")[2].rpartition("@")[0]
        yield user.partition(":")[2]
        yield from re.split("[/?#@:&]", user)[1:]

"""What may be said of FiftyOne's database: where it is, and never a secret of its URI.

It loads no FiftyOne: an error line must come out where FiftyOne itself is broken.
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
TELLING = 4
"""A secret of fewer characters is part of many words: only its URI is hidden."""

_HOST = r"(?:\[[\w:.%]+\]|[\w.%-]+)(?::\d+)?"
_URI = re.compile(
    rf"mongodb(?:\+srv)?://(?:(?P<user>[^@/?#\s]*)@)?(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?P<rest>[/?][^@]*)?"
)
_IN_TEXT = re.compile(r"mongodb(?:\+srv)?://[^\s'\"`<>|]+")
_SECRET_OPTION = re.compile("password|secret|token|mechanismproperties", re.IGNORECASE)


def address() -> str:
    """Returns the hosts and ports of the database; `EMBEDDED` if it is FiftyOne's."""
    uri = _configured()
    return hosts(uri) if uri else EMBEDDED


def hosts(uri: str) -> str:
    """Returns the hosts and ports of a URI, without user, password and options.

    A URI that MongoDB would not take tells nothing, for any part may be the password.

    Example:
        >>> hosts("mongodb://ada:secret@[::1]:27017,db.example/?tls=true")
        '[::1]:27017,db.example'
        >>> hosts("mongodb://ada:se/cret@db.example")
        'set by FIFTYONE_DATABASE_URI'
    """
    found = _URI.fullmatch(uri.strip())
    return found["hosts"] if found else f"set by {VARIABLE}"


def scrubbed(text: str) -> str:
    """Returns a text of anyone's without the secrets of a database's URI."""
    uri = _configured()
    if uri:
        text = text.replace(uri, hosts(uri))
    text = _IN_TEXT.sub(lambda found: hosts(found.group()), text)
    for secret in sorted(_secrets(uri or ""), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def line(error: BaseException) -> str:
    """Returns what an error says, in one line and without secrets."""
    return " ".join(scrubbed(str(error)).split()) or type(error).__name__


def scrub_logs() -> None:
    """Lets nothing that this process logs from now on, errors too, tell a secret."""
    logging.setLogRecordFactory(_Record)


class _Record(logging.LogRecord):
    """Holds what is logged as text, already scrubbed."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.msg, self.args = scrubbed(_message(self)), ()
        if self.exc_info and self.exc_info[0] is not None:
            said = "".join(traceback.format_exception(*self.exc_info))
            self.exc_text = scrubbed(said.rstrip("\n"))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the message
        return f"{record.msg} {record.args}"


def _configured() -> str | None:
    """Returns the URI in use; None if the database is FiftyOne's own."""
    config = getattr(sys.modules.get("fiftyone"), "config", None)
    return getattr(config, "database_uri", None) or os.environ.get(VARIABLE)


def _secrets(uri: str) -> set[str]:
    """Returns the words of a URI that nobody may read, as written and as meant."""
    words = {word for word in _hidden_parts(uri) if len(word) >= TELLING}
    return words | {unquote_plus(word) for word in words}


def _hidden_parts(uri: str) -> Iterator[str]:
    found = _URI.fullmatch(uri.strip())
    if found:
        yield (found["user"] or "").partition(":")[2]
        options = (found["rest"] or "").partition("?")[2]
        for option in re.split("[&;]", options):
            name, _, value = option.partition("=")
            if _SECRET_OPTION.search(name):
                yield value
    else:  # a password that is not encoded ends anywhere
        user = uri.rpartition("://")[2].rpartition("@")[0]
        yield user.partition(":")[2]
        yield from re.split("[/?#@:&]", user)[1:]

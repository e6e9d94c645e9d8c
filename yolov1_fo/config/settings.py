"""What every group of settings can do: check itself, list its names and their help."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Self

from yolov1_fo.config.spelling import check, check_choice

LARGEST = 1e300
"""Every number is smaller, so that what is computed from it stays finite."""


def setting(default: Any, text: str) -> Any:
    """Returns a dataclass field with a default and its help text.

    Forms, `--help` and the reference show the text.
    """
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A frozen dataclass of settings: `asdict` out, `Config(**d)` in."""

    @classmethod
    def names(cls) -> list[str]:
        """Returns the names of all settings."""
        return [one.name for one in fields(cls)]

    @classmethod
    def check_names(cls, given: Iterable[str], *besides: str) -> None:
        """Raises a ValueError if a name is not a setting.

        Args:
            given: as the caller wrote them
            *besides: settings of this class that the caller does not choose
        """
        check("setting", given, [name for name in cls.names() if name not in besides])

    @classmethod
    def pick(cls, settings: dict[str, Any]) -> Self:
        """Returns the settings of this class among `settings`; ignores others."""
        return cls(**{k: v for k, v in settings.items() if k in cls.names()})

    @classmethod
    def describe(cls) -> dict[str, str]:
        """Returns the help text of each setting, in the order of `names`."""
        return {one.name: one.metadata["help"] for one in fields(cls)}

    def _at_least(self, low: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not _is_number(value) or value < low:
                raise ValueError(f"{name} must be at least {low}, got {value!r}")

    def _whole(self, low: int, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(
                    f"{name} must be a whole number of at least {low}, got {value!r}"
                )

    def _within(self, low: float, high: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not _is_number(value) or not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], got {value!r}")

    def _true_or_false(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be True or False, got {value!r}")

    def _one_of(self, name: str, choices: tuple[str, ...]) -> None:
        check_choice(name, getattr(self, name), choices)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < LARGEST  # False for NaN, too
    )

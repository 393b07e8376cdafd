"""Reading the settings of a source, whatever its kind: each with a message that names it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from convex.errors import InvalidInput


class Given:
    """The settings of one source; `done` refuses those that nothing asked for."""

    def __init__(self, kind: str, config: Mapping[str, Any]) -> None:
        self._kind = kind
        self._config = config
        self._asked: set[str] = set()

    def _take(self, name: str) -> Any:
        self._asked.add(name)
        return self._config.get(name)

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text that is not empty, or the default."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip() or "\0" in value or len(value) > 20_000:
            raise self.wrong(name, "is a text")
        return value

    def needed(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if value is None:
            raise self.wrong(name, "is missing")
        return value

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, f"is a whole number from {least} to {most}")
        return value

    def instant(self, name: str) -> datetime | None:
        """ISO 8601; without a zone it is UTC."""
        value = self.text(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise self.wrong(name, "is an ISO 8601 time") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    def mapping(self, name: str) -> dict[str, str]:
        """An object of texts."""
        value = self._take(name)
        if value is None:
            return {}
        if (
            not isinstance(value, Mapping)
            or len(value) > 50
            or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items())
        ):
            raise self.wrong(name, "is an object of texts")
        return dict(value)

    def items(self, name: str) -> list[Mapping[str, Any]]:
        """A list of objects, at least one."""
        value = self._take(name)
        if (
            not isinstance(value, list)
            or not 1 <= len(value) <= 100
            or not all(isinstance(one, Mapping) for one in value)
        ):
            raise self.wrong(name, "is a list of objects")
        return list(value)

    def wrong(self, name: str, says: str) -> InvalidInput:
        """The error that names a setting."""
        return InvalidInput(
            f"The setting {name!r} of a source of kind {self._kind} {says}.", field=f"config.{name}"
        )

    def done(self) -> None:
        """Raises `InvalidInput` for a setting that there is not."""
        if unknown := self._config.keys() - self._asked:
            raise self.wrong(min(unknown), "does not exist")

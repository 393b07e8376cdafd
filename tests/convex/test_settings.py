"""Settings: read from the environment, and every one of them documented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from convex.secrets import load_secrets
from convex.settings import Settings, load_settings

_DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def _variables(area: type[BaseModel], prefix: str = "CONVEX_") -> Iterator[tuple[str, str]]:
    for name, field in area.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), field.description or ""


def test_every_setting_is_documented_with_its_meaning() -> None:
    document = _DOCUMENT.read_text()
    missing = [
        name
        for name, description in _variables(Settings)
        if not description or f"| `{name}` |" not in document
    ]
    assert missing == []


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, timedelta):
        return f"`{default.total_seconds():.0f} s`"
    return f"`{default}`" if default or default == 0 else "empty"


def _rows(area: type[BaseModel], prefix: str = "CONVEX_") -> Iterator[str]:
    for name, field in area.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, f"{prefix}{name.upper()}__")
        else:
            variable = prefix + name.upper()
            yield f"| `{variable}` | {_shown(field.default)} | {field.description} |"


def test_defaults_and_meanings_are_those_of_the_code() -> None:
    lines = set(_DOCUMENT.read_text().splitlines())
    assert [row for row in _rows(Settings) if row not in lines] == []


def test_the_document_names_no_setting_that_does_not_exist() -> None:
    known = {name for name, _ in _variables(Settings)}
    documented = {
        line.split("`")[1]
        for line in _DOCUMENT.read_text().splitlines()
        if line.startswith("| `CONVEX_")
    }
    assert documented == known


def test_nested_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONVEX_HOME", str(tmp_path))
    monkeypatch.setenv("CONVEX_SMTP__HOST", "mail.example.com")
    monkeypatch.setenv("CONVEX_API_PORT", "8123")
    monkeypatch.setenv("CONVEX_DELIVERY__LEASE", "90")
    monkeypatch.setenv("CONVEX_DELIVERY__SHIFT", "PT1H")
    settings = load_settings()
    assert settings.delivery.lease == timedelta(seconds=90)
    assert settings.delivery.shift == timedelta(hours=1)
    assert settings.smtp.host == "mail.example.com"
    assert settings.base_url == "http://127.0.0.1:8123"


def test_a_value_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_API_PORT", "0")
    with pytest.raises(ValidationError, match="api_port"):
        load_settings()


def test_secrets_are_generated_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = load_secrets(settings)
    assert all(first.model_dump().values())
    assert load_secrets(settings) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600

"""Secrets: generated once into the home, or given by the environment; and encryption at rest."""

from __future__ import annotations

import json
import os
import secrets
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from convex.errors import InvalidInput
from convex.settings import SecretSettings, Settings

_FILE = "secrets.json"


def load_secrets(settings: Settings) -> SecretSettings:
    """Every secret filled: from the environment first, then from `<home>/secrets.json`.

    What neither holds is generated and written there (mode 0600). Two processes that start at once
    agree: the file is created exclusively, and the loser reads the winner's.
    """
    given = settings.secrets.model_dump()
    if all(given.values()):
        return settings.secrets
    path = settings.home / _FILE
    settings.home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = {name: secrets.token_urlsafe(32) for name in given}
        fresh["encryption_key"] = Fernet.generate_key().decode()
        draft = path.with_name(f".{_FILE}.{os.getpid()}")
        with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(fresh, file, indent=1)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    stored = json.loads(path.read_text())
    return SecretSettings(**{name: value or stored[name] for name, value in given.items()})


def encrypt(text: str, key: str) -> bytes:
    """`text` sealed with the Fernet key `key` (SecretSettings.encryption_key)."""
    return _fernet(key).encrypt(text.encode())


def decrypt(sealed: bytes, key: str) -> str:
    """The inverse of `encrypt`. Raises `InvalidInput` when another key sealed it."""
    try:
        return _fernet(key).decrypt(bytes(sealed)).decode()
    except InvalidToken:
        raise InvalidInput(
            "A stored secret cannot be opened with CONVEX_SECRETS__ENCRYPTION_KEY; restore the key"
            " (secrets.json of the home that wrote it) or enter the secret again."
        ) from None


@lru_cache(maxsize=4)
def _fernet(key: str) -> Fernet:
    return Fernet(key.encode())

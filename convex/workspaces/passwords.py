"""Passwords: argon2id, in a thread, taking the same time for people who do not exist."""

from __future__ import annotations

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from convex.errors import InvalidInput

SHORTEST = 10
LONGEST = 200

_hasher = PasswordHasher()  # argon2id, the parameters of RFC 9106 for memory-constrained servers
_turns = asyncio.Semaphore(2)  # each takes 64 MiB and a core: sign-ins must not starve the rest


async def hash_password(password: str) -> str:
    """The hash to store. Raises `InvalidInput` for a password that is too short or too long."""
    check_length(password)
    async with _turns:
        return await asyncio.to_thread(_hasher.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; None (nobody, or no password set) costs as much and is False."""
    if len(password) > LONGEST:
        return False
    async with _turns:
        return await asyncio.to_thread(_verify, password_hash, password)


def check_length(password: str) -> None:
    """Raises `InvalidInput` unless the length is within the limits."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.",
            field="password",
        )


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        return _hasher.verify(password_hash or _nobody(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return _hasher.hash("a password that nobody has")

"""Passwords of organisers: argon2id with the parameters of RFC 9106 §4 for less memory (64 MiB, three passes)."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import Refused

SHORTEST, LONGEST = 12, 200
GUESSED = "Choose something that nobody guesses: not your address, not one character again and again."
_hasher = PasswordHasher()


def hashed(password: str, *, unlike: str) -> str:
    """A new password, hashed. Raises Refused where it is short, or is (or holds) what everybody knows: `unlike`."""
    if len(password) < SHORTEST:
        raise Refused(password=f"Use at least {SHORTEST} characters; four words that do not belong together will do.")
    if len(password) > LONGEST:
        raise Refused(password=f"Use at most {LONGEST} characters.")
    if unlike.casefold() in password.casefold() or len(set(password)) < 5:
        raise Refused(password=GUESSED)
    return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether it is the one; as slow for somebody without a password, so that time tells nobody who is an organiser."""
    try:
        return _hasher.verify(stored or _nobodys(), password[:LONGEST]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody's")

"""Secrets that somebody would guess: repetitions, and samples that were never changed."""

from __future__ import annotations

import re

FEWEST_CHARACTERS = 8
"""Different ones; a random key in hexadecimal has nearly always ten or more."""
SAMPLE = re.compile(
    r"change[\W_]?(?:me|this|it)|replace[\W_]?(?:me|this)|your[\W_]?(?:own[\W_]?)?(?:secret|key)|secret[\W_]?goes|super[\W_]?secret"
    r"|insecure|letmein|qwerty|keyboard[\W_]?cat",
    re.IGNORECASE,
)


def is_guessable(text: str) -> bool:
    """aaaaaaaaaaaaaaaa, changeme-changeme, 1212121212121212; your-secret-key-here."""
    words = re.findall(r"[^\W_]+", text.casefold())
    repeats = text in (text + text)[1:-1] or (len(words) > 1 and len(set(words)) == 1)
    return repeats or len(set(text)) < FEWEST_CHARACTERS or SAMPLE.search(text) is not None

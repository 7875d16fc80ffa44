"""Which known name somebody probably meant who wrote another one."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def meant(name: str, known_names: Collection[str]) -> str:
    """The known name that this one is nearly; empty where there is none."""
    written = name.strip().lower().replace("-", "_").replace(" ", "_")
    return next(iter(get_close_matches(written, list(known_names), n=1, cutoff=0.7)), "")

"""One cause in many words: the reply of a mail server without addresses, hosts, numbers, and all else that varies.

Two failures with the same pattern have the same cause, as far as a program can tell. A pattern holds nothing of a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.db import among, insert_new
from service.models import ReplyPattern

LONGEST = 160
CODE = re.compile(r"(?<![\d.])([245]\d\d)(?=[ -]|$)")
VARIES = re.compile(r"\S*(?:@|://|\d)\S*|\S*\w\.\w\S*|\[[^\]\s]{0,99}\]")
"""Addresses, web pages, numbers and what holds one, hosts, and what stands in brackets."""
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class Cause(NamedTuple):
    """What is kept of a pattern when it is first met."""

    reason: str
    status: str
    example: str


def key_of(text: str, status: str) -> str:
    """The pattern of one reply: its status (RFC 3463), or its code where it has none, and the words that do not vary."""
    code = CODE.search(text[:200])
    words = " ".join(WORD.findall(VARIES.sub(" ", text[:1_000]).lower()))
    return f"{status or (code[1] if code else '')} {words}"[:LONGEST].strip()


def remember(session: Session, causes: Mapping[str, Cause], now: datetime) -> dict[str, ReplyPattern]:
    """The patterns with these keys; those that nobody had before are noted. A few statements, however many there are."""
    patterns = _read(session, causes)
    missing = sorted(set(causes) - set(patterns))
    if missing:
        insert_new(session, ReplyPattern, [{"key": key, "first_at": now} | causes[key]._asdict() for key in missing])
        patterns |= _read(session, {key: causes[key] for key in missing})
    return patterns


def _read(session: Session, causes: Mapping[str, Cause]) -> dict[str, ReplyPattern]:
    rows = session.scalars(select(ReplyPattern).where(among(session, ReplyPattern.key, causes)))
    return {pattern.key: pattern for pattern in rows}

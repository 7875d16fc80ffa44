"""Consents: who agreed to which wording, when and by which way; kept without the address."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, literal
from sqlalchemy.orm import Session

from service.models import Consent
from service.models.base import UTCDateTime


def record_consent(session: Session, key: str, purpose: str, act: str, channel: str, wording: str, now: datetime) -> None:
    session.add(
        Consent(mailbox=key, purpose=purpose, act=act, channel=channel, wording=wording,
                wording_hash=_sha256(wording), at=now)
    )  # fmt: skip


def record_imported(session: Session, mailboxes: Select[Any], purpose: str, source: str, now: datetime) -> None:
    """The consent of people on an import, thousands at once: `source` says where and when they gave it."""
    same = {"purpose": purpose, "act": "imported", "channel": "import", "wording": source, "wording_hash": _sha256(source)}
    constants = [literal(value).label(name) for name, value in same.items()]
    rows = mailboxes.add_columns(*constants, literal(now, UTCDateTime()).label("at"))
    session.execute(insert(Consent).from_select(["mailbox", *same, "at"], rows, include_defaults=False))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

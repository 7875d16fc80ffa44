"""One function per e-mail that only organisers get; like service.emails.catalogue, with its words in templates/emails/."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.emails import links
from service.emails.compose import store
from service.models import Mailing, Message, Organiser


def approval(session: Session, organiser: Organiser, mailing: Mailing, people: str, now: datetime) -> Message | None:
    """Tells somebody who can approve that an update to so many people waits for them."""
    page = links.url(f"/organise/updates/{mailing.id}")
    return store(session, "approval", organiser.email, now, mailing=mailing, people=people, page=page)


def paused(session: Session, organiser: Organiser, mailing: Mailing, because: str, now: datetime) -> Message | None:
    """Tells an organiser that a mailing paused itself, and why."""
    page = links.url(f"/organise/updates/{mailing.id}")
    return store(session, "paused", organiser.email, now, mailing=mailing, because=because, page=page)


def problems(session: Session, organiser: Organiser, rows: Sequence[Any], more: int, now: datetime) -> Message | None:
    """Tells an organiser what is wrong: rows of service/operations/problem_rows.py, and how many more there are."""
    return store(session, "problems", organiser.email, now, problems=rows, more=more, page=links.url("/organise"))


def wrong_codes(
    session: Session, organiser: Organiser, whose: Organiser, count: int, address: str, now: datetime
) -> Message | None:  # fmt: skip
    """Tells an organiser that codes or passwords were wrong: for the own account, or for somebody else's (`whose`)."""
    is_own = whose.id == organiser.id
    page = links.url("/organise/account" if is_own else "/organise/organisers")
    return store(
        session, "wrong_codes", organiser.email, now, whose=whose, mine=is_own, count=count, address=address, page=page
    )  # fmt: skip

"""Story: updates as the public reads them, at /news and in its feed, from when they go."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import placeholders
from service.errors import NotFound
from service.markdown import fill_html, fill_text, to_html, to_text
from service.models import Mailing

PUBLISHED = ("sending", "paused", "sent")


def for_the_web(mailing: Mailing) -> str:
    """The update as HTML, as somebody of whom we know nothing reads it."""
    return fill_html(to_html(placeholders.marked(mailing.body)), {})


def as_text(mailing: Mailing) -> str:
    return fill_text(to_text(placeholders.marked(mailing.body)), {})


def published(session: Session, limit: int = 50) -> list[Mailing]:
    """What stands at /news: every update from when it goes, the newest first."""
    wanted = select(Mailing).where(Mailing.state.in_(PUBLISHED)).order_by(Mailing.approved_at.desc()).limit(limit)
    return list(session.scalars(wanted))


def find_published(session: Session, slug: str) -> Mailing:
    mailing = session.scalar(select(Mailing).where(Mailing.slug == slug, Mailing.state.in_(PUBLISHED)))
    if mailing is None:
        raise NotFound(f"there is no update called {slug}")
    return mailing

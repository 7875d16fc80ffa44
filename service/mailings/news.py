"""Story: updates as the public reads them, at /news and in its feed, from when they go.

An update to some people of a list only, those who signed, of one local party, is for these and is not published.
"""

from __future__ import annotations

from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.models import Mailing
from service.text.markdown import placeholders
from service.text.markdown.rendering import fill_html, fill_text, to_html, to_text

PUBLISHED = ("sending", "paused", "sent")


def for_the_web(mailing: Mailing) -> str:
    """The update as HTML, as somebody of whom we know nothing reads it."""
    return fill_html(to_html(placeholders.marked(mailing.body)), {})


def as_text(mailing: Mailing) -> str:
    return fill_text(to_text(placeholders.marked(mailing.body)), {})


def published(session: Session, limit: int = 50) -> list[Mailing]:
    """What stands at /news, the newest first."""
    newest = select(Mailing).where(Mailing.state.in_(PUBLISHED)).order_by(Mailing.approved_at.desc())
    with session.scalars(newest.execution_options(yield_per=limit)) as mailings:
        return list(islice((mailing for mailing in mailings if not mailing.is_narrowed), limit))


def find_published(session: Session, slug: str) -> Mailing:
    mailing = session.scalar(select(Mailing).where(Mailing.slug == slug, Mailing.state.in_(PUBLISHED)))
    if mailing is None or mailing.is_narrowed:
        raise NotFound(f"there is no update called {slug}")
    return mailing

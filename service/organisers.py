"""Story: organisers sign in by a single-use link, and out; their sessions live on the server."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service import emails, links
from service.addresses import mailbox, parse
from service.errors import NotFound, Refused
from service.models import Organiser, OrganiserSession, SignInLink

ROLES = ("author", "approver", "administrator")
LINK_LASTS = timedelta(minutes=30)
MOST_LINKS = 3
SESSION_LASTS = timedelta(hours=12)


def add(session: Session, email: str, role: str, now: datetime) -> Organiser:
    """A new organiser, or a new role for one that is known; a changed role ends the sessions at once."""
    if role not in ROLES:
        raise Refused(role=f"The role is {role!r}; choose one of {', '.join(ROLES)}.")
    email = parse(email)
    organiser = _by_address(session, email)
    if organiser is None:
        organiser = Organiser(email=email, mailbox=mailbox(email), role=role, created_at=now)
        session.add(organiser)
    elif organiser.role != role:
        organiser.role = role
        session.execute(delete(OrganiserSession).where(OrganiserSession.organiser_id == organiser.id))
    session.flush()
    return organiser


def _by_address(session: Session, email: str) -> Organiser | None:
    return session.scalar(select(Organiser).where(Organiser.mailbox == mailbox(email)))


def new_link(session: Session, email: str, now: datetime) -> SignInLink:
    """A sign-in link to hand over; the oldest ends where there would be a fourth. Raises NotFound for a stranger's address."""
    organiser = _by_address(session, parse(email))
    if organiser is None:
        raise NotFound("nobody signs in under this address")
    for one in _alive(session, organiser, now)[: 1 - MOST_LINKS]:
        session.delete(one)
    link = SignInLink(key=links.new_key(), organiser_id=organiser.id, created_at=now, expires_at=now + LINK_LASTS)
    session.add(link)
    session.flush()
    return link


def _alive(session: Session, organiser: Organiser, now: datetime) -> list[SignInLink]:
    """Links that would sign in now, the oldest first."""
    mine = (SignInLink.organiser_id == organiser.id, SignInLink.used_at.is_(None), SignInLink.expires_at > now)
    return list(session.scalars(select(SignInLink).where(*mine).order_by(SignInLink.id)))


def ask(session: Session, email: str, now: datetime) -> None:
    """Mails a sign-in link, at most three alive at a time; says nothing of who is an organiser."""
    organiser = _by_address(session, email)
    if organiser is None:
        return
    session.refresh(organiser, with_for_update=True)
    if len(_alive(session, organiser, now)) < MOST_LINKS:
        emails.sign_in(session, organiser, new_link(session, email, now), now)


def find_link(session: Session, token: str, now: datetime) -> SignInLink:
    link = session.scalar(select(SignInLink).where(SignInLink.key == links.read("sign-in", token)))
    if link is None or link.used_at or link.expires_at <= now:
        raise NotFound("this sign-in link was used already, or has run out")
    return link


def sign_in(session: Session, link: SignInLink, now: datetime) -> str:
    """Spends the link, once; returns the new session's key, which only the browser's cookie keeps."""
    statement = update(SignInLink).where(SignInLink.id == link.id, SignInLink.used_at.is_(None)).values(used_at=now)
    if not session.execute(statement.returning(SignInLink.id)).first():
        raise NotFound("this sign-in link was used already")
    key = links.new_key()
    session.add(
        OrganiserSession(key_hash=_hash(key), organiser_id=link.organiser_id, created_at=now, expires_at=now + SESSION_LASTS)
    )
    return key


def signed_in(session: Session, key: str | None, now: datetime) -> Organiser | None:
    found = session.scalar(select(OrganiserSession).where(OrganiserSession.key_hash == _hash(key))) if key else None
    return found.organiser if found is not None and found.expires_at > now else None


def sign_out(session: Session, key: str) -> None:
    session.execute(delete(OrganiserSession).where(OrganiserSession.key_hash == _hash(key)))


def _hash(key: str) -> str:
    """Sessions are stored hashed: a copy of the database signs nobody in."""
    return hashlib.sha256(key.encode()).hexdigest()

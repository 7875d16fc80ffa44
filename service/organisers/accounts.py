"""Story: who is an organiser; they sign in by a single-use link or a password, and out; sessions live on the server."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import catalogue, links
from service.errors import NotFound, Refused
from service.models import Message, Organiser, OrganiserSession, SignInLink
from service.organisers import passwords
from service.organisers.roles import ROLES
from service.rate_limits import windows
from service.text.email_addresses import mailbox, parse

LINK_LASTS = timedelta(minutes=30)
MOST_LINKS = 3
SESSION_LASTS = timedelta(hours=12)
NOT_RIGHT = "The address or the password is not right. Leave the password empty, and we mail you a link."


def checked(email: str, role: str) -> str:
    """The address, as it is written. Raises Refused, all errors at once."""
    errors = {} if role in ROLES else {"role": f"Choose a role: {', '.join(ROLES)}."}
    try:
        email = parse(email)
    except Refused as refused:
        errors = refused.errors | errors
    if errors:
        raise Refused(**errors)
    return email


def is_raised(session: Session, email: str, role: str) -> bool:
    """Whether this role would give the address more than it has."""
    organiser = known(session, email)
    return organiser is None or list(ROLES).index(role) > list(ROLES).index(organiser.role)


def add(session: Session, email: str, role: str, now: datetime, invited_by_id: int | None = None) -> Organiser:
    """A new organiser, or a new role for one that is known; a changed role ends the sessions at once.

    `invited_by_id`: who proposed it, so that the new one approves nothing of theirs for now. Raises Refused.
    """
    email = checked(email, role)
    organiser = session.scalar(select(Organiser).where(Organiser.mailbox == mailbox(email)))
    if organiser is None:
        organiser = Organiser(email=email, mailbox=mailbox(email), role=role, created_at=now)
        session.add(organiser)
        _note_inviter(organiser, invited_by_id, now)
    elif organiser.role != role or organiser.removed_at:
        organiser.role, organiser.removed_at = role, None
        _note_inviter(organiser, invited_by_id, now)
        _end_all(session, organiser)
    session.flush()
    return organiser


def _note_inviter(organiser: Organiser, invited_by_id: int | None, now: datetime) -> None:
    organiser.invited_by_id, organiser.role_since = invited_by_id, now if invited_by_id is not None else None


def remove(session: Session, organiser: Organiser, now: datetime) -> None:
    """Signs in no more, from this moment. Raises Refused for the last administrator: nobody could add another."""
    others = (Organiser.role == "administrator", Organiser.removed_at.is_(None), Organiser.id != organiser.id)
    if organiser.role == "administrator" and not session.scalar(select(func.count()).select_from(Organiser).where(*others)):
        raise Refused("This is the last administrator; make somebody else one first.")
    organiser.removed_at, organiser.password_hash = now, None
    session.execute(delete(SignInLink).where(SignInLink.organiser_id == organiser.id))
    _end_all(session, organiser)


def _end_all(session: Session, organiser: Organiser, *but: ColumnElement[bool]) -> None:
    session.execute(delete(OrganiserSession).where(OrganiserSession.organiser_id == organiser.id, *but))


def end_all_sessions(session: Session, organiser: Organiser) -> None:
    _end_all(session, organiser)


def all_of_them(session: Session) -> list[Organiser]:
    return list(session.scalars(select(Organiser).where(Organiser.removed_at.is_(None)).order_by(Organiser.email)))


def names(session: Session) -> dict[int, str]:
    """Who is behind each number, those included who are organisers no more."""
    return dict(row._tuple() for row in session.execute(select(Organiser.id, Organiser.email).order_by(Organiser.email)))


def find(session: Session, number: int) -> Organiser:
    """Raises NotFound."""
    organiser = session.get(Organiser, number) if 0 < number < 2**63 else None
    if organiser is None or organiser.removed_at is not None:
        raise NotFound(f"there is no organiser {number}")
    return organiser


def known(session: Session, email: str) -> Organiser | None:
    """Who signs in under this address."""
    return session.scalar(select(Organiser).where(Organiser.mailbox == mailbox(email), Organiser.removed_at.is_(None)))


def by_address(session: Session, email: str) -> Organiser:
    """Raises NotFound for a stranger's address."""
    organiser = known(session, parse(email))
    if organiser is None:
        raise NotFound("nobody signs in under this address")
    return organiser


def new_link(session: Session, email: str, now: datetime) -> SignInLink:
    """A sign-in link to hand over; the oldest ends where there would be a fourth. Raises NotFound for a stranger's address."""
    organiser = by_address(session, email)
    for old_link in _alive(session, organiser, now)[: 1 - MOST_LINKS]:
        session.delete(old_link)
    link = SignInLink(key=links.new_key(), organiser_id=organiser.id, created_at=now, expires_at=now + LINK_LASTS)
    session.add(link)
    session.flush()
    return link


def _alive(session: Session, organiser: Organiser, now: datetime) -> list[SignInLink]:
    """Links that would sign in now, the oldest first."""
    conditions = (SignInLink.organiser_id == organiser.id, SignInLink.used_at.is_(None), SignInLink.expires_at > now)
    return list(session.scalars(select(SignInLink).where(*conditions).order_by(SignInLink.id)))


def ask(session: Session, email: str, now: datetime) -> None:
    """Mails a sign-in link, at most three alive at a time; says nothing of who is an organiser."""
    organiser = known(session, email)
    if organiser is None:
        return
    session.refresh(organiser, with_for_update=True)
    has_room = _mailed_today(session, organiser, now) < settings().limit_sign_in_day
    if has_room and len(_alive(session, organiser, now)) < MOST_LINKS:
        catalogue.sign_in(session, organiser, new_link(session, email, now), now)


def _mailed_today(session: Session, organiser: Organiser, now: datetime) -> int:
    """How many links went by e-mail in 24 hours: anybody who knows the address can ask for them."""
    conditions = (Message.mailbox == organiser.mailbox, Message.mailing_id.is_(None), Message.kind == "sign_in")
    lately = select(func.count()).select_from(Message).where(*conditions, Message.created_at > now - timedelta(days=1))
    return session.scalar(lately) or 0


def find_link(session: Session, token: str, now: datetime) -> SignInLink:
    link = session.scalar(select(SignInLink).where(SignInLink.key == links.read("sign-in", token)))
    if link is None or link.used_at or link.expires_at <= now:
        raise NotFound("this sign-in link was used already, or has run out")
    return link


def sign_in(session: Session, link: SignInLink, now: datetime, *, address: str = "", browser: str = "") -> str:
    """Spends the link, once; returns the new session's key, which only the browser's cookie keeps."""
    statement = update(SignInLink).where(SignInLink.id == link.id, SignInLink.used_at.is_(None)).values(used_at=now)
    if not session.execute(statement.returning(SignInLink.id)).first():
        raise NotFound("this sign-in link was used already")
    return _begin(session, link.organiser_id, now, address, browser)


def sign_in_with_password(session: Session, email: str, password: str, now: datetime, *, address: str, browser: str) -> str:
    """Raises Refused, in the same words and time whether nobody signs in under this address or the password is wrong."""
    windows.password(mailbox(email))
    organiser = known(session, email)
    if not passwords.matches(organiser.password_hash if organiser else None, password) or organiser is None:
        raise Refused(password=NOT_RIGHT)
    return _begin(session, organiser.id, now, address, browser)


def _begin(session: Session, organiser_id: int, now: datetime, address: str, browser: str) -> str:
    key = links.new_key()
    session.add(
        OrganiserSession(
            key_hash=_hash(key), organiser_id=organiser_id, created_at=now, expires_at=now + SESSION_LASTS,
            address=address[:60], browser=browser[:200],
        )
    )  # fmt: skip
    return key


def signed_in(session: Session, key: str | None, now: datetime) -> OrganiserSession | None:
    organiser_session = session.scalar(select(OrganiserSession).where(OrganiserSession.key_hash == _hash(key))) if key else None
    return (
        organiser_session
        if organiser_session is not None
        and organiser_session.expires_at > now
        and organiser_session.organiser.removed_at is None
        else None
    )


def rotate(session: Session, signed: OrganiserSession) -> str:
    """A new key for a session that may do more from now on: whoever knew the old one is out."""
    key = links.new_key()
    signed.key_hash = _hash(key)
    return key


def sign_out(session: Session, key: str) -> None:
    session.execute(delete(OrganiserSession).where(OrganiserSession.key_hash == _hash(key)))


def sessions(session: Session, organiser: Organiser, now: datetime) -> list[OrganiserSession]:
    """Where this one is signed in, the newest first."""
    conditions = (OrganiserSession.organiser_id == organiser.id, OrganiserSession.expires_at > now)
    return list(session.scalars(select(OrganiserSession).where(*conditions).order_by(OrganiserSession.id.desc())))


def end_session(session: Session, organiser: Organiser, number: int) -> None:
    """Ends one of this organiser's own sessions. Raises NotFound."""
    conditions = (OrganiserSession.organiser_id == organiser.id, OrganiserSession.id == (number if number < 2**63 else 0))
    if not session.execute(delete(OrganiserSession).where(*conditions).returning(OrganiserSession.id)).first():
        raise NotFound("this session has ended already")


def end_other_sessions(session: Session, signed: OrganiserSession) -> None:
    _end_all(session, signed.organiser, OrganiserSession.id != signed.id)


def set_password(session: Session, signed: OrganiserSession, password: str) -> None:
    """A new password ends every other session. Raises Refused."""
    signed.organiser.password_hash = passwords.hashed(password, unlike=signed.organiser.email)
    end_other_sessions(session, signed)


def set_zone(organiser: Organiser, zone: str) -> None:
    """Raises Refused."""
    if zone not in available_timezones():
        raise Refused(zone="Choose a time zone of the list, like Europe/London.")
    organiser.zone = zone


def _hash(key: str) -> str:
    """Sessions are stored hashed: a copy of the database signs nobody in."""
    return hashlib.sha256(key.encode()).hexdigest()

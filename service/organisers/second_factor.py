"""Story: the second factor of an organiser: codes of an authenticator (RFC 6238), recovery codes, showing it again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

import pyotp
import segno
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from service.core import encryption
from service.core.config import settings
from service.emails import links
from service.errors import NotFound, Refused
from service.models import Organiser, OrganiserSession, RecoveryCode
from service.organisers import failed_codes
from service.organisers.roles import APPROVERS
from service.rate_limits import windows

STEP_SECONDS = 30
AROUND = (-1, 0, 1)
"""Steps whose codes are taken: clocks differ, and people type slowly (RFC 6238 §5.2)."""
RECOVERY_CODES = 10
FRESH = timedelta(minutes=10)
TRIED_OUT = "Too many codes were wrong today, so none is taken until tomorrow. Use a recovery code, or ask an administrator."
WRONG = "That code is not right, or was used already. Wait for the next one."


def asked_of(organiser: Organiser) -> bool:
    """Whether this one signs in with a second factor: all who can approve or send, and who set one up."""
    return settings().second_factor and (organiser.role in APPROVERS or organiser.totp_since is not None)


def shown(organiser: Organiser, signed: OrganiserSession) -> bool:
    return not asked_of(organiser) or signed.proved_at is not None


def shown_lately(organiser: Organiser, signed: OrganiserSession, now: datetime) -> bool:
    """Whether it was shown in the last ten minutes; who has none signs in again."""
    if not settings().second_factor:
        return True
    return (signed.proved_at or signed.created_at) > now - FRESH


class Offer(NamedTuple):
    """A secret to set up, not kept by us until a code of it was typed."""

    secret: str
    token: str
    picture: str
    """Its QR code as a data: address of an SVG."""


def offer(organiser: Organiser, token: str = "") -> Offer:
    """A new secret, or the one of a form that comes back."""
    secret = _secret_in(organiser, token) if token else pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=organiser.email, issuer_name=settings().organisation.split(" (")[0])
    picture = segno.make(uri, error="m").svg_data_uri(scale=5, border=3, dark="#1d1b18", light="#ffffff")
    return Offer(secret, links.sign("second-factor", f"{organiser.id} {secret}"), picture)


def _secret_in(organiser: Organiser, token: str) -> str:
    number, _, secret = links.read("second-factor", token).partition(" ")
    if number != str(organiser.id):
        raise NotFound("this form is not yours")
    return secret


def set_up(session: Session, organiser: Organiser, signed: OrganiserSession, token: str, code: str, now: datetime) -> list[str]:
    """Keeps the offered secret once a code of it was typed; returns the recovery codes, shown once. Raises Refused."""
    windows.code(organiser.id)
    secret = _secret_in(organiser, token)
    step = _step(secret, code, now)
    if step is None:
        raise Refused(code=WRONG)
    organiser.totp_sealed, organiser.totp_since, organiser.totp_step = encryption.seal(secret), now, step
    signed.proved_at = now
    return new_recovery_codes(session, organiser)


def new_recovery_codes(session: Session, organiser: Organiser) -> list[str]:
    """Ten, each good once; those before them end."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.organiser_id == organiser.id))
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(organiser_id=organiser.id, hash=_hash(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def recovery_codes_left(session: Session, organiser: Organiser) -> int:
    conditions = (RecoveryCode.organiser_id == organiser.id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*conditions)) or 0


def show(session: Session, organiser: Organiser, signed: OrganiserSession, code: str, now: datetime) -> None:
    """Takes a code of the authenticator, or a recovery code, once. Raises Refused, or TooMany over LIMIT_CODE."""
    windows.code(organiser.id)
    tried_out = failed_codes.lately(session, organiser, now) >= failed_codes.MOST
    by_code = not tried_out and _take_code(session, organiser, code, now)
    if not (by_code or _take_recovery_code(session, organiser, code, now)):
        raise Refused(code=TRIED_OUT if tried_out else WRONG)
    signed.proved_at = now


def _take_code(session: Session, organiser: Organiser, code: str, now: datetime) -> bool:
    if organiser.totp_sealed is None or (step := _step(encryption.unseal(organiser.totp_sealed), code, now)) is None:
        return False
    conditions = (Organiser.id == organiser.id, Organiser.totp_step < step)
    return (
        session.execute(update(Organiser).where(*conditions).values(totp_step=step).returning(Organiser.id)).first() is not None
    )


def _step(secret: str, code: str, now: datetime) -> int | None:
    """The time step that this code belongs to."""
    typed, current = "".join(code.split()), int(now.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in (current + near for near in AROUND):
        if hmac.compare_digest(totp.generate_otp(step).encode(), typed.encode()):
            return step
    return None


def _take_recovery_code(session: Session, organiser: Organiser, code: str, now: datetime) -> bool:
    conditions = (RecoveryCode.organiser_id == organiser.id, RecoveryCode.used_at.is_(None))
    statement = update(RecoveryCode).where(*conditions, RecoveryCode.hash == _hash(code)).values(used_at=now)
    return session.execute(statement.returning(RecoveryCode.id)).first() is not None


def _hash(code: str) -> str:
    """Codes of 80 random bits need no slow hash."""
    return hashlib.sha256("".join(code.lower().split()).replace("-", "").encode()).hexdigest()


def take_off(session: Session, organiser: Organiser) -> None:
    """For somebody who lost it: they set up another at their next sign-in."""
    organiser.totp_sealed, organiser.totp_since, organiser.totp_step = None, None, 0
    session.execute(delete(RecoveryCode).where(RecoveryCode.organiser_id == organiser.id))

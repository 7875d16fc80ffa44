"""Whom an incoming message is for: every address that we answer to, and no other (RFC 5321 §3.3: others are refused)."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import links
from service.errors import NotFound
from service.models import MailingList

Role = Literal["bounce", "unsubscribe", "confirm", "subscribe", "leave", "request", "again", "complaints", "inbox"]
TAGGED = re.compile(r"(bounce|unsubscribe|confirm)\+([a-z2-7]{1,40})", re.IGNORECASE)
COMMAND = re.compile(r"([a-z0-9][a-z0-9-]{0,60})-(subscribe|unsubscribe|request)", re.IGNORECASE)
QUOTED = re.compile(r'"((?:[^"\\]|\\.){1,128})"(@.{1,255})?')
TAGS: dict[str, Role] = {"bounce": "bounce", "unsubscribe": "unsubscribe", "confirm": "confirm"}
VERBS: dict[str, Role] = {"subscribe": "subscribe", "unsubscribe": "leave", "request": "request"}
PURPOSES = {"unsubscribe": "unsubscribe", "confirm": "confirm by mail"}
BY_NAME: dict[str, Role] = {"postmaster": "inbox", "abuse": "complaints", "fbl": "complaints", links.AGAIN: "again"}
"""RFC 5321 §4.5.1, RFC 2142 §2 and §4; where providers send feedback; and where people ask to be written to again."""


class Destination(NamedTuple):
    """`row_id`: the message, subscription or request that a token names; `slug`: the list of a command; `former`: a bounce
    address as it was when its token stood in the Message-ID, too, where everybody could read it."""

    role: Role
    row_id: int = 0
    slug: str = ""
    former: bool = False


def find(session: Session, address: str) -> Destination | None:
    """What an address stands for, in any case; None where it is not ours, or its token is not."""
    bare = unquoted(address.strip("<> "))
    local, _, domain = (bare if "@" in bare else f"{bare}@{settings().mail_domain}").rpartition("@")
    if bare.lower() in own_mailboxes():
        return Destination("inbox")
    if domain.lower() != settings().mail_domain:
        return None
    if match := TAGGED.fullmatch(local):
        return _tagged(match[1].lower(), match[2])
    if local.lower() in BY_NAME:
        return Destination(BY_NAME[local.lower()])
    if match := COMMAND.fullmatch(local):
        return _command(session, match[1].lower(), match[2].lower())
    return None


def unquoted(address: str) -> str:
    """`"updates-request"@…` is the same mailbox as without its quotes (RFC 5321 §4.1.2), and a root's dot changes nothing."""
    match = QUOTED.fullmatch(address.removesuffix("."))
    return re.sub(r"\\(.)", r"\1", match[1]) + (match[2] or "") if match else address.removesuffix(".")


def role_of(address: str) -> Role:
    """What the shape of an address asks for, wherever it is: no list, no token and no domain is looked up."""
    local = unquoted(address.strip("<> ")).rpartition("@")[0] or address
    if match := TAGGED.fullmatch(local):
        return TAGS[match[1].lower()]
    if match := COMMAND.fullmatch(local):
        return VERBS[match[2].lower()]
    return BY_NAME.get(local.lower(), "inbox")


def names_a_list(address: str) -> bool:
    """Whether the database must be asked."""
    return COMMAND.match(unquoted(address.strip("<> "))) is not None


def names_a_row(address: str) -> bool:
    """Whether its token is one of ours: told by its MAC, whether or not its row is still there."""
    match = TAGGED.fullmatch(unquoted(address.strip("<> ")).rpartition("@")[0])
    return match is not None and _tagged(match[1].lower(), match[2]) is not None


def own_mailboxes() -> set[str]:
    """Where replies to our letters go, and where people write to us."""
    return {parseaddr(settings().mail_default_sender)[1].lower(), settings().contact_email.lower()}


def _tagged(purpose: str, token: str) -> Destination | None:
    try:
        if purpose == "bounce":
            return _bounce(token)
        row_id = links.read_compact(PURPOSES[purpose], token)
        return Destination("unsubscribe" if purpose == "unsubscribe" else "confirm", row_id)
    except NotFound:
        return None


def _bounce(token: str) -> Destination:
    try:
        return Destination("bounce", links.read_envelope_token(token))
    except NotFound:
        return Destination("bounce", links.read_message_token(token), former=True)


def _command(session: Session, slug: str, verb: str) -> Destination | None:
    if session.scalar(select(MailingList.id).where(MailingList.slug == slug)) is None:
        return None
    return Destination(VERBS[verb], slug=slug)

"""What came of a message: what every handler of incoming mail returns, and what all of them ask of it first."""

from __future__ import annotations

from typing import NamedTuple

from service.errors import Refused
from service.inbound.parsing.judgement import Judgement
from service.text import email_addresses


class Outcome(NamedTuple):
    """A sentence for organisers; where they find the message, if a person should see it; and whom it is about."""

    sentence: str
    folder: str = ""
    mailbox: str | None = None
    message_id: int | None = None


MOST_ANSWERS = 10
"""Letters a day to one mailbox that answer what it wrote."""


def why_no_person(judgement: Judgement) -> str | None:
    """Why a message may neither ask nor confirm, nor be answered (RFC 3834 §2); None for what a person wrote."""
    if judgement.machine or judgement.kind == "auto-reply":
        return judgement.machine or judgement.reason
    if not judgement.author:
        return "its From is not exactly one plain address"
    return "DMARC says that its From is forged" if judgement.failed_authentication else None


def folder_of(judgement: Judgement) -> str:
    """Where a message stands that leads to nothing: what a machine wrote stands apart, a forged From in quarantine."""
    if judgement.machine or judgement.kind == "auto-reply":
        return "automatic"
    return "quarantine" if judgement.failed_authentication else "replies"


def mailbox_of(judgement: Judgement) -> str | None:
    """The mailbox of its author; None where there is not exactly one."""
    if not judgement.author:
        return None
    try:
        return email_addresses.mailbox(email_addresses.parse(judgement.author))
    except Refused:
        return email_addresses.mailbox(judgement.author)

"""Story: what became of a delivery: attempts, delivery notices, acknowledgement, a lost answer settled by a person; and what
follows for the official's address. Each leaves its record in the chain of evidence."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from service import states
from service.emails import catalogue
from service.errors import NotFound, Refused
from service.models import Delivery, Evidence, Message, Organiser, Serving
from service.proof_store import evidence_chain
from service.servings import fallbacks
from service.text import mail_troubles

ACTIONS = {"delivered", "relayed", "expanded", "delayed", "failed"}
"""What a delivery status notification can say (RFC 3464 §2.3.3)."""
ARRIVED = (("unsure", "accepted"),)
CODES = re.compile(r"(?<![\d.])[245]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?(?![\d.])|(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
AFTER = {
    "delivered": ARRIVED, "relayed": ARRIVED, "expanded": ARRIVED,
    "failed": (("accepted", "bounced"), ("unsure", "bounced")),
}  # fmt: skip
"""How it moves the message. The message first, then the evidence, whose chain is locked: always in this order."""


def of_message(session: Session, message_id: int) -> Delivery | None:
    return session.scalar(select(Delivery).where(Delivery.message_id == message_id))


def objected(session: Session, delivery: Delivery) -> bool:
    """Whether the official of a letter that waits wants nothing more. A rehearsal goes to organisers."""
    official = delivery.official
    return (
        official is not None
        and official.objected_at is not None
        and not session.get_one(Serving, delivery.serving_id).rehearsal
    )


def is_held_back(session: Session, delivery: Delivery) -> bool:
    """Whether an organiser holds back what goes to this office. A rehearsal goes to organisers."""
    official = delivery.official
    return official is not None and official.held_at is not None and not session.get_one(Serving, delivery.serving_id).rehearsal


def attempted(session: Session, message_id: int, verdict: str, facts: dict[str, Any], *, direct: bool, now: datetime) -> None:
    """Writes an attempt into the evidence. `direct`: the server that answered is the recipient's own.

    facts: the deciding reply, the whole conversation, and what is known of the connection.
    """
    delivery = of_message(session, message_id)
    if delivery is None:
        return
    delivery.direct = direct
    evidence_chain.append(session, delivery, "attempt", {"verdict": verdict, "direct": direct} | facts, now)


def given_up(session: Session, message_id: int, now: datetime) -> None:
    """After an attempt: a letter that was refused, or is tried no more, flags its address.

    Where what it says, or who we are, was refused, the address may be right: it is not flagged.
    """
    delivery = of_message(session, message_id)
    message = session.get_one(Message, message_id, populate_existing=True)
    if delivery is not None and message.state == "refused":
        why = f"{message.reply_code or ''} {message.reply_text}".strip()
        _bounced(session, delivery, why, now, of_address=message.concern is None)


def notified(session: Session, message_id: int, action: str, text: str, now: datetime) -> bool:
    """A delivery status notification about a letter to an official came in; False where the message is none.

    delivered: it arrived, and an unsure letter is accepted. failed: it came back. relayed and expanded mean that nothing more
    will be heard, delayed that it is still tried: both go into the evidence, and the register says no more than before.
    """
    delivery = of_message(session, message_id)
    if delivery is None or action not in ACTIONS:
        return False
    text = text.replace("\0", "").encode("utf-8", "replace").decode()  # it came from outside
    again, codes = _said_before(session, delivery, action), _codes(text)
    values = {"settled_at": now, "reply_code": None, "reply_text": text[:500]}
    moved = [
        states.claim(session, Message, before, after, Message.id == message_id, **values)
        for before, after in AFTER.get(action, ())
    ]
    if any(moved) or not (again and _said_before(session, delivery, action, codes)):
        evidence_chain.append(session, delivery, "notified", {"action": action, "text": codes}, now)
    if action == "failed" and not again:
        _bounced(session, delivery, text, now)
    if action == "delivered":
        delivery.notified_at = delivery.notified_at or now
    session.flush()
    session.refresh(session.get_one(Message, message_id))
    return True


def _codes(text: str) -> str:
    """The reply code and the enhanced one (RFC 3463): nobody can prove a report's own words."""
    match = CODES.search(text[:2_000])
    return " ".join(match[0].split()) if match else ""


def _said_before(session: Session, delivery: Delivery, action: str, codes: str | None = None) -> bool:
    """Whether such a notification came in already, with these codes: some servers send two, or a thousand."""
    words = [f'"action":"{action}"'] + ([f'"text":"{codes}"'] if codes is not None else [])
    told = (Evidence.record.contains(word) for word in words)
    return session.scalar(select(Evidence.id).where(Evidence.delivery_id == delivery.id, *told).limit(1)) is not None


def acknowledge(session: Session, delivery: Delivery, now: datetime) -> None:
    """Somebody who has the letter says so; once. It arrived, then, whatever became of the final answer."""
    if delivery.acknowledged_at is not None:
        return
    states.claim(session, Message, "unsure", "accepted", Message.id == delivery.message_id, settled_at=now)
    delivery.acknowledged_at = now
    evidence_chain.append(session, delivery, "acknowledged", {}, now)


def settle(session: Session, message_id: int, verdict: str, organiser: Organiser, now: datetime) -> None:
    """An organiser decides what became of a letter whose final answer was lost. `queued` sends it once more, the same letter
    with the same Message-ID. Raises Refused, or NotFound."""
    delivery = of_message(session, message_id)
    if delivery is None:
        raise NotFound(f"message {message_id} is no letter to an official")
    if verdict not in states.MESSAGE["unsure"]:
        raise Refused("Choose one of: send again, it arrived, it did not arrive.")
    again = {"due_at": now, "settled_at": None} if verdict == "queued" else {"settled_at": now}
    if not states.claim(session, Message, "unsure", verdict, Message.id == message_id, **again):
        raise Refused("It is not unsure any more: reload the page.")
    evidence_chain.append(session, delivery, "settled", {"verdict": verdict, "by": f"organiser {organiser.id}"}, now)
    if verdict == "bounced":
        _bounced(session, delivery, "an organiser says that it did not arrive", now)


def stop(session: Session, message_id: int, who: str, now: datetime) -> bool:
    """A letter that waits is never sent; one to an official leaves its record. False where it is on its way, or settled."""
    values = {"settled_at": now, "reply_code": None, "reply_text": mail_troubles.STOPPED}
    if not states.claim(session, Message, "queued", "cancelled", Message.id == message_id, **values):
        return False
    if (delivery := of_message(session, message_id)) is not None:
        evidence_chain.append(session, delivery, "stopped", {"by": who}, now)
    return True


TOLD_BY = {
    "accepted": ('"verdict":"accepted"', '"kind":"acknowledged"', '"action":'),
    "refused": ('"verdict":"refused"',),
    "unsure": ('"verdict":"lost"',),
}
"""What a record of the chain says where the evidence knows of a message's state."""


def recover(session: Session, now: datetime) -> None:
    """Writes down what a worker that was killed could not: its answers came back by the journal, or its lease lapsed."""
    for state, by in TOLD_BY.items():
        words = (*by, f'"state":"{state}"')
        told = exists().where(Evidence.delivery_id == Delivery.id, or_(*(Evidence.record.contains(word) for word in words)))
        lacking = (
            select(Delivery).join(Message).join(Serving).where(Message.state == state, Serving.rehearsal.is_(False), ~told)
        )
        for delivery in session.scalars(lacking.order_by(Delivery.id)):
            message = delivery.message
            facts = {"state": state, "code": message.reply_code, "text": message.reply_text}
            evidence_chain.append(session, delivery, "recovered", facts, now)


def _bounced(session: Session, delivery: Delivery, why: str, now: datetime, *, of_address: bool = True) -> None:
    """Flags the address and tells the organisers. The same letter goes to the other address if two of them let it."""
    official, serving = delivery.official, session.get_one(Serving, delivery.serving_id)
    message = session.get_one(Message, delivery.message_id)
    if official is None or serving.rehearsal:
        return
    if of_address:
        official.bounced_at, official.bounced_because = now, why[:500]
    is_first = message.email == official.email and official.objected_at is None
    on_record = official.fallback_email if is_first else ""
    fallback = on_record if official.fallback_since is not None else ""
    for organiser in session.scalars(select(Organiser).where(Organiser.removed_at.is_(None)).order_by(Organiser.id)):
        catalogue.official_bounced(session, organiser, official, why[:500], fallback, on_record, now, of_address=of_address)
    if fallback:
        fallbacks.send_again(session, delivery, official, now)

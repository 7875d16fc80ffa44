"""Story: sign a notice, confirm, change the display, withdraw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests, consents, reactivations
from service.errors import Refused
from service.models import Edition, MailingList, Notice, Request, Signature
from service.signatures import count, pending_signatures
from service.subscriptions import pending_subscriptions
from service.text import email_addresses, person_names

OFFICES = {"": "none", "chair": "chair", "secretary": "secretary", "other": "other office"}
DISPLAYS = {
    "public": "My name goes to the officials and on the public list",
    "officials": "My name goes to the officials only",
    "count": "Count me, without my name",
}


@dataclass(frozen=True)
class Form:
    """What a person entered, already clean."""

    name: str
    email: str
    clp: str
    office: str
    display: str
    updates: bool

    @property
    def details(self) -> dict[str, str]:
        return {"name": self.name, "email": self.email, "clp": self.clp, "office": self.office, "display": self.display}


def read_form(fields: Mapping[str, str]) -> Form:
    """Checks a form's fields. Raises Refused with one sentence for each field that needs a change."""
    errors: dict[str, str] = {}

    def take(field: str, check: object) -> str:
        try:
            return check(fields.get(field, ""), field)  # type: ignore[operator,no-any-return]
        except Refused as refused:
            errors.update(refused.errors)
            return ""

    name, email, clp = (
        take("name", person_names.person),
        take("email", email_addresses.parse),
        take("clp", person_names.without_links),
    )
    office, display = fields.get("office", ""), fields.get("display", "")
    if office == "none":
        office = ""
    if office not in OFFICES:
        errors["office"] = "Choose one of the offices, or none."
    if display not in DISPLAYS:
        errors["display"] = "Choose how your name is shown."
    if not fields.get("consent"):
        errors["consent"] = "Tick the box if you agree; without it we may not count you."
    if errors:
        raise Refused(**errors)
    return Form(name, email, clp, office, display, bool(fields.get("updates")))


def is_open(notice: Notice) -> Edition:
    """The edition that may be signed. Raises Refused where there is none."""
    if notice.edition is None or notice.state != "live":
        raise Refused("This notice is not open for signatures.")
    return notice.edition


def ask(session: Session, notice: Notice, form: Form, now: datetime, channel: str = "web") -> None:
    """Records the wish to sign and sends the letter that asks to confirm it. What is known already is told by letter alone."""
    edition = is_open(notice)
    store_wishes = partial(_store_wishes, session, notice, edition, form, now, channel)
    if reactivations.answer(session, form.email, now, store_wishes):
        return
    wishes = store_wishes()
    if wishes:
        confirmation_requests.ask(session, form.email, wishes, now)
    if not any(isinstance(wish.row, Signature) for wish in wishes):
        why_not = pending_signatures.why_not(session, edition, email_addresses.mailbox(form.email), form.name)
        confirmation_requests.tell(session, form.email, why_not, now)


def _store_wishes(
    session: Session, notice: Notice, edition: Edition, form: Form, now: datetime, channel: str
) -> list[confirmation_requests.Item]:
    """What a form asks for that is not so yet, stored as pending."""
    wishes = []
    key = email_addresses.mailbox(form.email)
    signature = pending_signatures.pending(session, edition, key, form.details, now)
    if signature is not None:
        wishes.append(confirmation_requests.Item(signature, form.details))
        consents.record_consent(
            session, key, f"sign:{edition.hash}", "asked", channel, pending_signatures.wording(session, edition), now
        )  # fmt: skip
    if form.updates and notice.list_id:
        mailing_list = session.get_one(MailingList, notice.list_id)
        details = {"email": form.email, "name": form.name, "clp": form.clp, "office": form.office}
        wishes += pending_subscriptions.pending(session, [mailing_list], details, now, channel)
    return wishes


def confirm(
    session: Session, request: Request, now: datetime, channel: str = "web", visitor: str | None = None
) -> list[Signature]:  # fmt: skip
    """Counts the signatures that this request asked for; each gets the next number of its edition, and a receipt.

    `visitor`: the mark of who pressed.
    """
    confirmed = []
    for item in request.items:
        if (
            item.signature
            and "officials" not in item.details
            and _count(session, item.signature, item.details | {"visitor": visitor}, now)
        ):
            signature = item.signature
            edition = session.get_one(Edition, signature.edition_id)
            purpose = f"sign:{edition.hash}"
            agreed = pending_signatures.wording(session, edition)
            consents.record_consent(session, signature.mailbox, purpose, "confirmed", channel, agreed, now)
            pending_signatures.send_receipt(session, signature, edition, now)
            confirmed.append(signature)
    return confirmed


def _count(session: Session, signature: Signature, details: Mapping[str, str | None], now: datetime) -> bool:
    notice = count.hold_notice(session, signature)
    if notice.state != "live":
        raise Refused("This notice has been closed; it takes no more signatures.")
    if pending_signatures.household(session, signature.edition_id, signature.mailbox) >= pending_signatures.HOUSEHOLD:
        raise Refused(
            f"{pending_signatures.HOUSEHOLD} people have signed from this mailbox already, which is the most that we can count."
        )
    return count.count(session, signature, "pending", now, **details)


def withdraw(session: Session, signature: Signature, now: datetime, channel: str = "web") -> bool:
    """Takes a signature back; it counts no more from this moment. False where it did not count."""
    if not count.withdraw(session, signature, now):
        return False
    edition = session.get_one(Edition, signature.edition_id)
    consents.record_consent(
        session, signature.mailbox, f"sign:{edition.hash}", "withdrawn", channel,
        pending_signatures.wording(session, edition), now
    )  # fmt: skip
    return True


def show(session: Session, signature: Signature, display: str) -> None:
    """Changes how the name is shown from now on; letters that were accepted cannot be changed."""
    if display not in DISPLAYS:
        raise Refused(display="Choose how your name is shown.")
    signature.display = display


def public_list(session: Session, edition: Edition, after: int, limit: int) -> list[Signature]:
    """Public names in the order of their confirmation, a page at a time; `after` is the last sequence seen."""
    later = (*_public(edition), Signature.sequence > after)
    return list(session.scalars(select(Signature).where(*later).order_by(Signature.sequence).limit(limit)))


def newest_public(session: Session, edition: Edition, limit: int = 12) -> list[Signature]:
    """The names that joined last, for the notice's page."""
    newest = select(Signature).where(*_public(edition)).order_by(Signature.sequence.desc())
    return list(session.scalars(newest.limit(limit)))


def _public(edition: Edition) -> tuple[ColumnElement[bool], ...]:
    """The signers who chose to be named in public, but those whose names organisers hid."""
    chosen = (Signature.edition_id == edition.id, Signature.state == "confirmed", Signature.display == "public")
    return *chosen, Signature.hidden_at.is_(None)

"""One function per e-mail that the service can send; each stores a message row with its letter, and hangs a bell.

The words stand in templates/emails/<kind>/{subject.txt,body.txt,body.html}. Links come from service.emails.links alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.core import queues
from service.core.config import settings
from service.emails import links
from service.emails.compose import NOT_A_PERSON, answer_headers, headers_to_official, store
from service.emails.suppressions import Barrier
from service.models import (
    Arrival,
    Complaint,
    Edition,
    Mailing,
    MailingList,
    Manifest,
    Message,
    Notice,
    Official,
    Organiser,
    Request,
    RequestItem,
    Serving,
    Signature,
    SignInLink,
    Subscription,
)  # fmt: skip
from service.text.markdown import placeholders
from service.text.markdown.rendering import to_html, to_text
from service.text.markdown.slots import slot


def confirm(
    session: Session, request: Request, now: datetime, due_at: datetime, answering: str | None = None
) -> Message | None:  # fmt: skip
    """Asks the mailbox's owner to confirm what a form asked; who asked by e-mail may answer by e-mail.

    It holds nothing that whoever filled in the form wrote, who may be a stranger: that is shown behind the link.
    """
    by_reply = {"Reply-To": links.confirm_address(request.id)} if answering is not None else {}
    return store(
        session, "confirm", request.email, now, due_at=due_at, letter={"request_id": request.id},
        headers=answer_headers(answering) | by_reply, by_reply=bool(by_reply),
        url=links.confirm_url(request.key), request=request, asked=_asked(request), editions=_editions(session, request),
    )  # fmt: skip


def _asked(request: Request) -> list[RequestItem]:
    """What its forms asked, each edition and each list once."""
    rows = {(item.signature and item.signature.edition_id, item.subscription and item.subscription.list_id): item
            for item in request.items}  # fmt: skip
    return list(rows.values())


def _editions(session: Session, request: Request) -> dict[int, Edition]:
    numbers = {item.signature.edition_id for item in request.items if item.signature}
    return {number: session.get_one(Edition, number) for number in numbers}


def reactivate(
    session: Session, request: Request, barrier: Barrier, now: datetime, due_at: datetime, answering: str | None = None
) -> Message | None:  # fmt: skip
    """Says why we had stopped writing, and asks for a press: then we write again, and do what was asked for."""
    return store(
        session, "reactivate", request.email, now, due_at=due_at, letter={"request_id": request.id},
        headers=answer_headers(answering), url=links.confirm_url(request.key), request=request, barrier=barrier,
        by_mail=answering is not None, editions=_editions(session, request),
    )  # fmt: skip


def already(
    session: Session, request: Request, what: str, now: datetime, due_at: datetime, answering: str | None = None
) -> Message | None:  # fmt: skip
    """What was asked for is so already; the news goes to the mailbox, never on a page. `what` is a whole sentence."""
    return store(
        session, "already", request.email, now, due_at=due_at, letter={"request_id": request.id},
        headers=answer_headers(answering), what=what, url=links.manage_url(request.key),
    )  # fmt: skip


def receipt(
    session: Session, signature: Signature, request: Request, edition: Edition, document: str, now: datetime
) -> Message | None:
    """Tells a signer that the signature counts, and how to change or withdraw it; `document` opens its leaf."""
    proof = {"filename": "receipt.json", "content_type": "application/json", "content": document}
    return store(
        session, "receipt", signature.email, now, to_name=signature.name, signature=signature, edition=edition,
        url=links.manage_url(request.key), letter={"attached": proof},
    )  # fmt: skip


def welcome(session: Session, subscription: Subscription, request: Request, now: datetime) -> Message | None:
    """Tells a subscriber that updates will come, and how to leave."""
    return store(
        session, "welcome", subscription.email, now, to_name=subscription.name, subscription=subscription,
        url=links.manage_url(request.key), leave=links.unsubscribe_url(subscription.id),
    )  # fmt: skip


def manage_link(
    session: Session, request: Request, now: datetime, due_at: datetime, answering: str | None = None
) -> Message | None:  # fmt: skip
    """A fresh link to everything that we hold about a mailbox, good for an hour."""
    return store(
        session, "manage_link", request.email, now, due_at=due_at, letter={"request_id": request.id},
        headers=answer_headers(answering), url=links.manage_url(request.key),
    )  # fmt: skip


def commands(
    session: Session, email: str, mailing_list: MailingList, now: datetime, due_at: datetime, answering: str,
    request: Request | None = None,
) -> Message | None:  # fmt: skip
    """Says what can be asked of us by e-mail; of a request whose answer was no clear yes, first how to confirm it."""
    is_open = request is not None and request.used_at is None and (request.expires_at is None or request.expires_at > now)
    by_reply = {"Reply-To": links.confirm_address(request.id)} if request is not None and is_open else {}
    return store(
        session, "commands", email, now, due_at=due_at, headers=answer_headers(answering) | by_reply,
        letter={"request_id": request.id} if request else None, mailing_list=mailing_list, request=request, is_open=is_open,
        url=links.confirm_url(request.key) if request else "",
    )  # fmt: skip


def leaving(session: Session, subscription: Subscription, now: datetime, due_at: datetime, answering: str) -> Message | None:
    """Asks whether it was really its reader who wants to leave a list."""
    return store(
        session, "leaving", subscription.email, now, due_at=due_at, to_name=subscription.name,
        headers=answer_headers(answering), subscription=subscription, leave=links.unsubscribe_url(subscription.id),
        leave_address=links.unsubscribe_address(subscription.id),
    )  # fmt: skip


def forwarded(session: Session, email: str, arrival: Arrival, now: datetime) -> Message | None:
    """A reader's reply, sent on to where the organisers want it; answering it writes to its author."""
    headers = NOT_A_PERSON | ({"Reply-To": arrival.author} if arrival.author else {})
    page = links.url("/organise/inbox")
    return store(session, "forwarded", email, now, headers=headers, arrival=arrival, page=page)


def sign_in(session: Session, organiser: Organiser, link: SignInLink, now: datetime) -> Message | None:
    return store(session, "sign_in", organiser.email, now, url=links.sign_in_url(link.key), link=link)


def complaint_received(session: Session, complaint: Complaint, now: datetime, due_at: datetime) -> Message | None:
    return store(session, "complaint", complaint.email, now, due_at=due_at, to_name=complaint.name, complaint=complaint)


def test_copy(session: Session, mailing: Mailing, organiser: Organiser, now: datetime) -> Message | None:
    """One copy of an update to its author, byte for byte what members will get but for [Test] in its subject and its tokens.

    It is stored with marks in place of what differs, and with the list's slug as List-Id: from these a worker makes it with
    the same stencil as the others.
    """
    source = placeholders.marked(mailing.body)
    return store(
        session, "test_copy", organiser.email, now, mailing=mailing, update_text=to_text(source),
        update_html=to_html(source), leave=slot("leave"), headers={"List-Id": mailing.mailing_list.slug},
    )  # fmt: skip


def to_official(
    session: Session, serving: Serving, official: Official, email: str, cohort: str, context: dict[str, Any], now: datetime
) -> Message:  # fmt: skip
    """The notice's letter to one official; in rehearsal `email` is an organiser's."""
    message = store(
        session, "serving", email, now, on=queues.NOTICES, to_name=official.name, headers=headers_to_official(),
        letter={"serving_id": serving.id, "cohort": cohort}, serving=serving, official=official, **context,
    )  # fmt: skip
    assert message is not None
    return message


def counts(session: Session, official: Official, email: str, context: dict[str, Any], now: datetime) -> Message:
    """In place of a letter that waits with names which nothing could carry: the same notice and its count, without them."""
    message = store(
        session, "counts", email, now, on=queues.NOTICES, to_name=official.name, headers=headers_to_official(),
        official=official, **context,
    )  # fmt: skip
    assert message is not None
    return message


def official_bounced(
    session: Session, organiser: Organiser, official: Official, why: str, fallback: str, on_record: str, now: datetime, *,
    of_address: bool,
) -> Message | None:  # fmt: skip
    """Tells an organiser that a letter to an official came back; `fallback` is where it goes now, if anywhere,
    `on_record` where it would if two organisers said so."""
    return store(
        session, "official_bounced", organiser.email, now, official=official, why=why, fallback=fallback, on_record=on_record,
        of_address=of_address,
        page=links.url("/organise/officials"),
    )  # fmt: skip


def withdrawn(
    session: Session, signature: Signature, request: Request, edition: Edition, now: datetime, due_at: datetime
) -> Message | None:  # fmt: skip
    """Tells a signer that organisers withdrew the signature, with a link that undoes it."""
    return store(
        session, "withdrawn", signature.email, now, due_at=due_at, to_name=signature.name, letter={"request_id": request.id},
        signature=signature, edition=edition, until=request.expires_at, url=links.count_again_url(request.key),
    )  # fmt: skip


def struck(session: Session, signature: Signature, edition: Edition, now: datetime, due_at: datetime) -> Message | None:
    """Tells a signer that the signature was struck out, and to whom to object. The name may be an insult, and is left out."""
    return store(session, "struck", signature.email, now, due_at=due_at, signature=signature, edition=edition)


def correction(
    session: Session, official: Official, edition: Edition, withdrawn: list[int], struck: list[int], now: datetime
) -> Message:
    """Tells an official which signatures in our letters count no more, by their numbers (UK GDPR Art 19)."""
    message = store(
        session, "correction", official.address, now, on=queues.NOTICES, to_name=official.name,
        headers={"Reply-To": settings().contact_email}, official=official, edition=edition, withdrawn=withdrawn, struck=struck,
        page=links.url(f"/notices/{edition.notice.slug}"),
    )  # fmt: skip
    assert message is not None
    return message


def asked_again(
    session: Session, request: Request, signature: Signature, edition: Edition, offices: list[str], now: datetime
) -> Message | None:
    """Asks an earlier signer: to sign the new edition, or (with `offices`) to be named to officials added since."""
    return store(
        session, "asked_again", signature.email, now, to_name=signature.name, letter={"request_id": request.id},
        url=links.confirm_url(request.key), signature=signature, edition=edition, offices=offices, until=request.expires_at,
        page=links.url(f"/notices/{edition.notice.slug}"),
    )  # fmt: skip


def witness(session: Session, notice: Notice, manifest: Manifest, now: datetime) -> Message | None:
    """A copy of a manifest for a mailbox elsewhere, so that we could not put another in its place."""
    document = {"filename": "manifest.json", "content_type": "application/json", "content": manifest.content.decode()}
    return store(
        session, "witness", settings().witness_email, now, notice=notice, manifest=manifest, letter={"attached": document}
    )  # fmt: skip

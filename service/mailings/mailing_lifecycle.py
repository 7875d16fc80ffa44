"""Story: write an update, submit, approve, fan out, pause, watch; publish it as news."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, Subquery, exists, func, insert, literal, select
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.core.config import settings
from service.errors import NotFound, Refused
from service.mailings import audience, tallies, versions
from service.mailings.audience import Audience
from service.mailings.checks import all_checks
from service.mailings.checks.findings import Findings
from service.mailings.pausing import CHUNK, withhold
from service.models import Mailing, MailingList, Message, Organiser, Subscription
from service.models.base import UTCDateTime
from service.models.mail import IS_QUEUED, IS_SENDING
from service.organisers import small_counts
from service.organisers.roles import APPROVERS

content_hash = versions.content_hash


def draft(
    session: Session, mailing_list: MailingList, subject: str, body: str, author: Organiser | None, now: datetime,
    who: Audience | None = None, send_at: datetime | None = None,
) -> Mailing:  # fmt: skip
    """A new draft to a list, or to a narrower audience; its first version. Raises Refused."""
    subject, body = versions.check_words(subject, body)
    mailing = Mailing(slug=versions.slug(session, subject), state="draft", created_at=now)
    _write(session, mailing, mailing_list, subject, body, author, who, send_at)
    session.add(mailing)
    session.flush()
    versions.keep_version(session, mailing, author, now)
    return mailing


def revise(
    session: Session, mailing: Mailing, mailing_list: MailingList, subject: str, body: str, author: Organiser | None,
    now: datetime, who: Audience | None = None, send_at: datetime | None = None,
) -> None:  # fmt: skip
    """Whoever changed a draft last is its author: nobody approves words of their own."""
    if mailing.state != "draft":
        raise Refused("Only a draft can be changed; take it back first.")
    subject, body = versions.check_words(subject, body)
    _write(session, mailing, mailing_list, subject, body, author, who, send_at)
    versions.keep_version(session, mailing, author, now)


def _write(
    session: Session, mailing: Mailing, mailing_list: MailingList, subject: str, body: str, author: Organiser | None,
    who: Audience | None, send_at: datetime | None,
) -> None:  # fmt: skip
    who = who or Audience((mailing_list.id,))
    mailing.list_id, mailing.mailing_list = mailing_list.id, mailing_list
    mailing.subject, mailing.body = subject, body
    mailing.audience, mailing.because = who.stored(), audience.because(session, who)
    mailing.send_at = send_at
    mailing.author_id = author.id if author else None


def again(session: Session, mailing: Mailing, author: Organiser, now: datetime) -> Mailing:
    """A draft of the same words to those whom it did not reach for a reason that passes. Raises Refused."""
    who = Audience(audience.of(mailing).lists, again_of=mailing.id)
    if mailing.state != "sent" or not audience.size(session, who):
        raise Refused("Nobody was refused for a passing reason, or it is not sent to its end yet.")
    return draft(session, mailing.mailing_list, mailing.subject, mailing.body, author, now, who)


def find(session: Session, mailing_id: int) -> Mailing:
    mailing = session.get(Mailing, mailing_id) if 0 < mailing_id < 2**63 else None
    if mailing is None:
        raise NotFound(f"there is no mailing {mailing_id}")
    return mailing


def hold(session: Session, mailing_id: int) -> Mailing:
    """As `find`, for those who change it: others wait until the commit, so nobody judges a state that is no more."""
    return session.get_one(Mailing, find(session, mailing_id).id, with_for_update=True)


def submit(mailing: Mailing) -> None:
    states.move(mailing, "submitted")


def take_back(mailing: Mailing) -> None:
    states.move(mailing, "draft")


def approve(
    session: Session, mailing: Mailing, approver: Organiser | None, seen_hash: str, now: datetime, typed: int | None = None,
    dns: Findings = (),
) -> None:  # fmt: skip
    """Freezes what was seen; it goes after the minute in which it can be recalled, or at its time. Two clicks, or two
    organisers, make one send. Without an approver it is a command's, from whoever holds the server: it goes at once.

    dns: what the checks found in DNS, asked before the transaction. Raises Refused where it changed since it was seen, where
    the approver is the author and APPROVALS asks for another, where a serious check fails, or a wrong number was typed.
    """
    if seen_hash != content_hash(mailing):
        raise Refused("The update has changed since you saw it. Read it again before you approve.")
    if settings().approvals:
        if approver is None or approver.role not in APPROVERS:
            raise Refused("Approving takes an approver or an administrator.")
        if approver.id == mailing.author_id:
            raise Refused("Another organiser must approve what you wrote.")
        versions.refuse_newcomer(session, mailing, approver, now)
    goes_at = mailing.send_at
    if approver is not None:
        _judge(session, mailing, typed, now, dns)
        goes_at = max(goes_at or now, now + timedelta(seconds=settings().cooling_seconds))
    values = {"approved_hash": seen_hash, "approved_at": now, "approver_id": approver.id if approver else None}
    if states.claim(session, Mailing, "submitted", "approved", Mailing.id == mailing.id, goes_at=goes_at, **values):
        wake_due(session, now)
    session.refresh(mailing)


def _judge(session: Session, mailing: Mailing, typed: int | None, now: datetime, dns: Findings) -> None:
    """The checks again, whatever page the request came from; and above a set size the number of recipients."""
    count = audience.size(session, audience.of(mailing))
    if serious := [finding for finding in (*all_checks.of(session, mailing, now, count), *dns) if finding.serious]:
        raise Refused(" ".join(f"{finding.name}: {finding.said} {finding.remedy}" for finding in serious))
    if count > settings().typed_count_above and typed not in {count, small_counts.rounded(count)}:
        sentence = f"It goes to {small_counts.in_words(count)}."
        raise Refused(f"{sentence} Type that number, so that nobody writes to so many by mistake.")


def recall(session: Session, mailing: Mailing) -> None:
    """Back to a draft, in the minute before it goes or until its time; anybody may. Raises Refused once it goes."""
    if not states.claim(session, Mailing, "approved", "draft", Mailing.id == mailing.id, goes_at=None, approved_hash=None):
        raise Refused("It is on its way already, and cannot be recalled. Pause it, or cancel it.")
    session.refresh(mailing)


def wake_due(session: Session, now: datetime) -> None:
    """Rings for what was approved and whose minute, or time, has come."""
    due = (Mailing.state == "approved", func.coalesce(Mailing.goes_at, Mailing.approved_at) <= now)
    for mailing_id in session.scalars(select(Mailing.id).where(*due)):
        queues.wake(session, "fan_out", mailing_id, queues.BULK)


def fan_out(session: Session, mailing_id: int, now: datetime) -> bool:
    """Stores the next chunk of message rows, in the order of subscriptions; True while there are more.

    The cursor moves in the same transaction as the rows, so a crash between two chunks repeats nothing and leaves out nobody.
    Of a cancelled mailing it withholds the next chunk.
    """
    mailing = session.get_one(Mailing, mailing_id, with_for_update=True)
    if _starts(mailing, now):
        states.move(mailing, "sending")
        tallies.begin(session, mailing_id)
    if mailing.state == "cancelled":
        return withhold(session, mailing_id, now)
    if mailing.state != "sending" or mailing.fanned_out_at is not None:
        return False
    rows = (
        select(Subscription.id)
        .where(*audience.members(audience.of(mailing), mailing.approved_at), Subscription.id > mailing.fanned_out_to)
        .order_by(Subscription.id)
        .limit(CHUNK)
        .subquery()
    )
    last, count = session.execute(select(func.max(rows.c.id), func.count())).one()
    if count:
        session.execute(insert(Message).from_select(COPY, _copies(mailing_id, rows, now), include_defaults=False))
        mailing.fanned_out_to = last
        tallies.add(session, mailing_id, {"total": count})
    if count < CHUNK:
        mailing.fanned_out_at = now
    return bool(count == CHUNK)


def _starts(mailing: Mailing, now: datetime) -> bool:
    """Whether what was approved is what is there, and its time has come."""
    going = mailing.state == "approved" and mailing.approved_hash == content_hash(mailing)
    return going and (mailing.goes_at is None or mailing.goes_at <= now)


COPY = ["kind", "queue", "mailing_id", "subscription_id", "state", "due_at", "attempts", "reply_text", "created_at"]


def _copies(mailing_id: int, rows: Subquery, now: datetime) -> Select[tuple[object, ...]]:
    at = literal(now, UTCDateTime())
    constants = (literal("mailing"), literal(queues.BULK), literal(mailing_id))
    return select(*constants, rows.c.id, literal("queued"), at, literal(0), literal(""), at).order_by(rows.c.id)


def finish(session: Session, mailing_id: int, now: datetime) -> bool:
    """After a shift: marks a mailing sent once every one of its messages is settled; True where nothing is left to send.

    What the shift of a cancelled one gave back is withheld as well.
    """
    mailing = session.get_one(Mailing, mailing_id)
    if mailing.state == "cancelled":
        return not withhold(session, mailing_id, now)
    of_mailing = Message.mailing_id == mailing_id
    still_open = (session.scalar(select(Message.id).where(of_mailing, state).limit(1)) for state in (IS_QUEUED, IS_SENDING))
    if mailing.fanned_out_at is None or any(still_open):
        return False
    return bool(states.claim(session, Mailing, "sending", "sent", Mailing.id == mailing_id, finished_at=now))


def wake_unfinished(session: Session) -> None:
    """Rings for every mailing that is on its way: the bell may have been lost."""
    left_over = exists().where(Message.mailing_id == Mailing.id, IS_QUEUED)
    unfinished = (Mailing.state == "sending") | (Mailing.state == "cancelled") & left_over
    for mailing_id in session.scalars(select(Mailing.id).where(unfinished)):
        queues.wake(session, "fan_out", mailing_id, queues.BULK)


def all_of_them(session: Session, limit: int = 1_000) -> list[Mailing]:
    return list(session.scalars(select(Mailing).order_by(Mailing.id.desc()).limit(limit)))

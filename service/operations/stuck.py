"""Problems that are one row of work each: a serving, an update, an import, a message that came in, a duty of the clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from service.models import Arrival, Failure, Import, Mailing, Notice, Serving
from service.operations import failures
from service.operations.failures import DUTIES, KINDS, OF_MAIL_SERVERS
from service.operations.problem_rows import ALERT, READYZ, Button, Problem
from service.organisers.roles import ADMINISTRATORS, EVERYBODY

PROMISE = timedelta(minutes=10)
"""How long work may wait for a worker before organisers are told."""


def servings(session: Session, now: datetime) -> Iterable[Problem]:
    """Servings that fail, or whose letters were not written in time."""
    failing = _by_row(session, "serve")
    late = (Serving.state == "due") & (Serving.due_at < now - PROMISE)
    late |= (Serving.state == "started") & (Serving.started_at < now - PROMISE)
    unwritten = Serving.state.in_(("due", "started"))
    for serving in session.scalars(select(Serving).where(unwritten, or_(late, Serving.id.in_(failing))).order_by(Serving.id)):
        notice = session.get_one(Notice, serving.notice_id)
        public = not serving.rehearsal and notice.state != "rehearsal"
        which = f"Serving {serving.id}{f' of the notice {notice.slug}' if public else ', a rehearsal,'}"
        failure = failing.get(serving.id)
        why = _why(failure) if failure else "It has waited for longer than ten minutes."
        yield Problem(
            f"serving {serving.id}", "Not served", f"{which} could not be made; no letter of it has left. {why}",
            failure.first_at if failure else serving.started_at or serving.due_at, title=serving.edition.title,
            page=f"/organise/servings/{serving.id}", detail=failure.place if failure else "",
            buttons=(Button("try serving", "Try again now"), Button("stop serving", "Stop this serving", danger=True)),
        )  # fmt: skip


def mailings(session: Session, now: datetime) -> Iterable[Problem]:
    """Updates that fail on their way, or did not begin in time."""
    failing = {
        number: failure
        for number, failure in (_by_row(session, "fan_out") | _by_row(session, "shift")).items()
        if failure.kind not in OF_MAIL_SERVERS or failure.first_at < now - PROMISE
    }
    late = (Mailing.state == "approved") & (func.coalesce(Mailing.goes_at, Mailing.approved_at) < now - PROMISE)
    under_way = Mailing.state.in_(("approved", "sending", "cancelled"))
    for mailing in session.scalars(select(Mailing).where(under_way, or_(late, Mailing.id.in_(failing))).order_by(Mailing.id)):
        failure = failing.get(mailing.id)
        why = _why(failure) if failure else "It should have begun more than ten minutes ago."
        stop = Button("stop mailing", "Take it back" if mailing.state == "approved" else "Pause it", danger=True)
        yield Problem(
            f"mailing {mailing.id}", "Not sent", f"Update {mailing.id} does not go on. {why}",
            failure.first_at if failure else mailing.goes_at or mailing.approved_at, title=mailing.subject,
            page=f"/organise/updates/{mailing.id}", detail=failure.place if failure else "",
            buttons=(Button("try mailing", "Try again now"), *([] if mailing.state == "cancelled" else [stop])),
        )  # fmt: skip


def imports(session: Session, _now: datetime) -> Iterable[Problem]:
    """Files of people whose worker fails. One that cannot be read as a whole has ended, and its page says why."""
    failing = _by_row(session, "read_import")
    unfinished = (Import.state.in_(("judging", "taking")), Import.id.in_(failing))
    for import_row in session.scalars(select(Import).where(*unfinished).order_by(Import.id)):
        yield Problem(
            f"import {import_row.id}", "File not read",
            f"Import {import_row.id} does not go on. {_why(failing[import_row.id])}",
            failing[import_row.id].first_at, title=import_row.filename,
            page=f"/organise/imports/{import_row.id}", detail=failing[import_row.id].place,
            buttons=(Button("try import", "Try again now"), Button("stop import", "Drop the file", danger=True)),
            roles=ADMINISTRATORS,
        )  # fmt: skip


def arrivals(session: Session, _now: datetime) -> Iterable[Problem]:
    """Messages that came in and were not acted on, although nothing is known to be wrong with them."""
    failing = _by_row(session, "take_in")
    open_ones = (Arrival.state.in_(("waiting", "reading", "quarantined")), Arrival.put_away_at.is_(None))
    for arrival in session.scalars(select(Arrival).where(*open_ones, Arrival.id.in_(failing)).order_by(Arrival.id)):
        aside = arrival.state == "quarantined"
        put_away = Button("stop arrival", "Put it away", danger=True)
        yield Problem(
            f"arrival {arrival.id}", "Mail not acted on",
            f"Message {arrival.id} that came in was not acted on{' and lies in quarantine' if aside else ''}. "
            f"{_why(failing[arrival.id])}",
            failing[arrival.id].first_at, title="Quarantine" if aside else "",
            page="/organise/inbox?folder=quarantine" if aside else "", detail=failing[arrival.id].place,
            buttons=(Button("try arrival", "Try again now"), put_away) if aside else (), roles=ADMINISTRATORS,
        )  # fmt: skip


def reports(session: Session, _now: datetime) -> Iterable[Problem]:
    """Nobody waits for a report by the minute: the dashboard and the machine's keeper are told, but no e-mail is sent."""
    for number, failure in _by_row(session, "report").items():
        yield Problem(
            f"report {number}", "Not counted", f"The report of update {number} could not be counted. {_why(failure)}",
            failure.first_at, title=f"Update {number}", page=f"/organise/updates/{number}", detail=failure.place,
            buttons=(Button("try report", "Try again now"),), channels=frozenset({READYZ, ALERT}), urgent=False,
            roles=EVERYBODY,
        )  # fmt: skip


def duties(session: Session, _now: datetime) -> Iterable[Problem]:
    """What the clock does by itself, again and again; each is tried again within a minute."""
    for failure in failures.repeated(session, DUTIES):
        yield Problem(
            f"duty {failure.job}", "The clock",
            f"The clock cannot do one of its duties: {DUTIES[failure.job]}. {_why(failure)}", failure.first_at,
            detail=failure.place, roles=ADMINISTRATORS,
        )  # fmt: skip


def _by_row(session: Session, job: str) -> dict[int, Failure]:
    return {failure.row_id: failure for failure in failures.repeated(session, [job])}


def _why(failure: Failure) -> str:
    return f"It failed {failure.count} times in a row, because {KINDS[failure.kind]}."

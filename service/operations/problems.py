"""What is wrong now: one list, which the dashboard, /readyz, ALERT_URL and the e-mail to organisers share.

A new kind of problem is a function that yields its rows (service/operations/problem_rows.py), named in SOURCES.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.core.db import reading
from service.inbound import brake_decisions
from service.models import Mailing, Notice, Serving
from service.operations import failures, stuck, turned_away, waiting_letters
from service.operations.problem_rows import ALERT, EVERYWHERE, MAIL, READYZ, Button, Problem
from service.organisers.roles import ADMINISTRATORS, APPROVERS
from service.servings import register
from service.text.redact import without_addresses

log = logging.getLogger(__name__)

__all__ = ["ALERT", "EVERYWHERE", "MAIL", "READYZ", "Button", "Problem", "in_words", "of_parts", "present"]


WAITS = {
    "worker prompt": " Confirmations, receipts and sign-in links wait.",
    "worker notices": " Servings and letters to officials wait.",
    "worker bulk": " Updates and files of people wait.",
    "worker inbound": " Mail that comes in waits.",
    "clock": " What is to happen by itself at its time does not.",
}
"""What stands still without a part."""


def present(session: Session, now: datetime, channel: str = "") -> list[Problem]:
    """All that is wrong now, or what one channel tells of it. The parts of the service are not among them: see `of_parts`."""
    rows = [problem for source in SOURCES for problem in source(session, now)]
    return [problem for problem in rows if not channel or channel in problem.channels]


def about_servings(session: Session, numbers: Iterable[int], now: datetime) -> list[Problem]:
    """What is wrong with these servings: themselves, or letters of them that wait."""
    pages, sources = {f"/organise/servings/{number}" for number in numbers}, (stuck.servings, *OF_LETTERS)
    return [row for source in sources for row in source(session, now) if row.page in pages]


OF_LETTERS: tuple[Callable[[Session, datetime], Iterable[Problem]], ...] = (
    waiting_letters.of_servings, turned_away.of_servings,
)  # fmt: skip


def about_mailing(session: Session, number: int, now: datetime) -> list[Problem]:
    """Why an update does not go on, where it does not."""
    return [row for row in stuck.mailings(session, now) if row.page == f"/organise/updates/{number}"]


def of_parts(parts: Mapping[str, str]) -> list[Problem]:
    """The parts of the service (`health.parts`) that are not as they should be."""
    return [_of_part(part, sentence) for part, sentence in parts.items() if sentence != "ok"]


def _of_part(part: str, trouble: str) -> Problem:
    sentence = f"{trouble[:1].upper()}{trouble[1:]}.{WAITS.get(part, '')}"
    of_mail = part == "mail"
    return Problem(
        part, part[:1].upper() + part[1:], sentence, buttons=(Button("try letters", "Try again now"),) if of_mail else (),
        roles=APPROVERS if of_mail else ADMINISTRATORS,
    )  # fmt: skip


def in_words(channel: str, now: datetime) -> dict[str, str]:
    """What one channel tells, by key. Never raises: whoever looks wants to know that something is wrong, whatever it is."""
    try:
        with reading() as session:
            return {problem.key: problem.in_words for problem in present(session, now, channel)}
    except SQLAlchemyError:
        return {"database": "cannot be read"}
    except Exception as error:
        log.error("the list of what is wrong cannot be made: %s", failures.place_of(error))
        return {"problems": "cannot be listed; the log says why"}


def _paused_mailings(session: Session, _now: datetime) -> Iterable[Problem]:
    """Who paused it was told by an e-mail of its own, or did it."""
    for mailing in session.scalars(select(Mailing).where(Mailing.state == "paused").order_by(Mailing.id)):
        yield Problem(
            f"mailing {mailing.id}", "Paused", f"Paused because {without_addresses(mailing.paused_because)}.",
            title=mailing.subject, page=f"/organise/updates/{mailing.id}", channels=frozenset({ALERT}),
        )  # fmt: skip


def _unsure_letters(session: Session, _now: datetime) -> Iterable[Problem]:
    """Letters to officials that are held until a person says what became of them."""
    for delivery in register.unsure(session):
        title = session.get_one(Serving, delivery.serving_id).edition.title
        yield Problem(
            f"delivery {delivery.id}", "Unsure",
            f"Unsure whether the letter to {delivery.office} arrived: its final answer was lost. It is held until somebody "
            "finds out and says what became of it.",
            delivery.message.settled_at, title=title, page=f"/organise/servings/{delivery.serving_id}", roles=APPROVERS,
        )  # fmt: skip


def _letters_without_pdf(session: Session, _now: datetime) -> Iterable[Problem]:
    """Notices whose newest letters went without their PDF; told until a serving has one again."""
    written = select(func.max(Serving.id)).join(Notice, Notice.id == Serving.notice_id).where(Serving.state == "written")
    newest = written.where(Notice.state != "closed").group_by(Serving.notice_id)
    for serving in session.scalars(select(Serving).where(Serving.id.in_(newest), Serving.without_pdf).order_by(Serving.id)):
        yield Problem(
            f"pdf of serving {serving.id}", "Without PDF", "Its letters went without their PDF, which could not be made.",
            serving.written_at, title=serving.edition.title, page=f"/organise/servings/{serving.id}",
            channels=frozenset({ALERT, MAIL}), urgent=False,
        )  # fmt: skip


def _pulled_brakes(session: Session, _now: datetime) -> Iterable[Problem]:
    """Where far more failed than is usual: an organiser looks before anybody is given up. The service itself is well."""
    for card in brake_decisions.cards(session):
        mailing = card.first.mailing
        yield Problem(
            card.key, "Nobody given up yet", card.sentence, card.first.brake.pulled_at, page="/organise/came-back",
            title=mailing.subject if mailing else "What came back", roles=APPROVERS, channels=frozenset({ALERT, MAIL}),
        )  # fmt: skip


SOURCES: tuple[Callable[[Session, datetime], Iterable[Problem]], ...] = (
    stuck.servings,
    waiting_letters.of_servings,
    turned_away.of_servings,
    turned_away.letters,
    _unsure_letters,
    _letters_without_pdf,
    stuck.mailings,
    _paused_mailings,
    _pulled_brakes,
    waiting_letters.failing,
    waiting_letters.failing_forms,
    waiting_letters.unanswered,
    waiting_letters.put_off,
    stuck.imports,
    stuck.arrivals,
    stuck.reports,
    stuck.duties,
)

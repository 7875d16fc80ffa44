"""Story: an organiser looks at what failed, cause by cause, and says whether mailboxes are dead or it was not their fault."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from service import states
from service.core.db import among, insert_into, insert_new
from service.emails.suppressions import AFTER_FAILURE
from service.errors import NotFound, Refused
from service.inbound import outcome_counts
from service.models import Bounce, Brake, BrakeDecision, Hold, Mailing, ReplyPattern, Suppression
from service.models.base import UTCDateTime

Verdict = Literal["dead", "lift"]
VERDICTS: dict[Verdict, str] = {
    "dead": "They are dead: suppress",
    "lift": "It was not their fault: lift",
}
LIFTED_WITHIN = timedelta(days=30)
"""How old a suppression may be that is lifted with all others of its cause."""
CAUSES = 50
DOMAINS = 3
JUDGED = "bounced: an organiser judged it"


class Cause(NamedTuple):
    """One pattern of replies, and how many mailboxes it explains."""

    pattern: ReplyPattern
    mailboxes: int
    domains: list[tuple[str, int]]
    """The receiving domains that it struck most, each with how many."""
    others: int
    """How many mailboxes are at other domains."""


class Pulled(NamedTuple):
    """A brake that waits for an organiser."""

    brake: Brake
    mailing: Mailing | None
    causes: list[Cause]

    @property
    def held(self) -> int:
        return sum(cause.mailboxes for cause in self.causes)


class Card(NamedTuple):
    """What an organiser looks at together: one brake, or all that were pulled for causes that nobody had before."""

    key: str
    pulled: list[Pulled]

    @property
    def first(self) -> Pulled:
        return self.pulled[0]

    @property
    def sentence(self) -> str:
        held = sum(pulled_brake.held for pulled_brake in self.pulled)
        whom = "1 reader is" if held == 1 else f"{held:,} readers are"
        what = _new_causes(self.pulled) if self.first.brake.scope == "cause" else _what_failed(self.first.brake)
        return f"{what} That is unusual: {whom} not written to, and nobody is given up for it, until an organiser has looked."


def _new_causes(pulled: list[Pulled]) -> str:
    failed = sum(pulled_brake.brake.hard for pulled_brake in pulled)
    causes = "a cause" if len(pulled) == 1 else f"{len(pulled):,} causes"
    return f"{failed:,} messages failed for {causes} that nobody had before."


def _what_failed(brake: Brake) -> str:
    share = f"{brake.hard:,} of {brake.settled:,}"
    if brake.scope == "mailing":
        return f"{share} copies of update {brake.subject} failed as if their mailboxes did not exist."
    if brake.scope == "domain":
        return f"{share} messages to {brake.subject} failed as if their mailboxes did not exist."
    begins = datetime.fromisoformat(f"{brake.subject}:00+00:00")
    hour = f"between {begins:%H:%M} and {begins + timedelta(hours=1):%H:%M} UTC"
    return f"{share} messages sent {hour} failed as if their mailboxes did not exist."


def pulled(session: Session) -> list[Pulled]:
    """The brakes that wait, the oldest first, each with its causes. A few statements, however many there are."""
    brakes = list(session.scalars(select(Brake).where(Brake.state == "open").order_by(Brake.id)))
    if not brakes:
        return []
    numbers = [int(brake.subject) for brake in brakes if brake.scope == "mailing"]
    mailings = {
        str(mailing.id): mailing for mailing in session.scalars(select(Mailing).where(among(session, Mailing.id, numbers)))
    }
    by_domain = select(Hold.brake_id, Hold.pattern_id, Hold.domain, func.count())
    by_brake: dict[int, list[tuple[int, str, int]]] = {brake.id: [] for brake in brakes}
    for brake_id, pattern_id, host, count in session.execute(by_domain.group_by(Hold.brake_id, Hold.pattern_id, Hold.domain)):
        by_brake.setdefault(brake_id, []).append((pattern_id, host, count))
    patterns = _patterns(session, {pattern_id for rows in by_brake.values() for pattern_id, _, _ in rows})
    return [
        Pulled(brake, mailings.get(brake.subject) if brake.scope == "mailing" else None, _causes(patterns, by_brake[brake.id]))
        for brake in brakes
    ]


def cards(session: Session) -> list[Card]:
    """The same as an organiser looks at them."""
    pulled_brakes = pulled(session)
    new_causes = [pulled_brake for pulled_brake in pulled_brakes if pulled_brake.brake.scope == "cause"]
    others = [
        Card(f"brake {pulled_brake.brake.id}", [pulled_brake])
        for pulled_brake in pulled_brakes
        if pulled_brake.brake.scope != "cause"
    ]
    return others + ([Card("new causes", new_causes)] if new_causes else [])


def find(session: Session, number: int) -> Brake:
    brake = session.get(Brake, number) if 0 < number < 2**63 else None
    if brake is None:
        raise NotFound(f"there is no brake {number}")
    return brake


def _patterns(session: Session, numbers: Collection[int]) -> dict[int, ReplyPattern]:
    return {
        reply_pattern.id: reply_pattern
        for reply_pattern in session.scalars(select(ReplyPattern).where(among(session, ReplyPattern.id, numbers)))
    }


def _causes(patterns: Mapping[int, ReplyPattern], rows: Iterable[tuple[int, str, int]]) -> list[Cause]:
    """Rows of pattern, domain and count as causes, the largest first."""
    by_pattern: dict[int, list[tuple[str, int]]] = {}
    for pattern_id, host, count in rows:
        by_pattern.setdefault(pattern_id, []).append((host, count))
    causes = []
    for pattern_id, hosts in by_pattern.items():
        total = sum(count for _, count in hosts)
        largest = sorted((pair for pair in hosts if pair[0]), key=lambda pair: (-pair[1], pair[0]))[:DOMAINS]
        if pattern_id in patterns:
            causes.append(Cause(patterns[pattern_id], total, largest, total - sum(count for _, count in largest)))
    return sorted(causes, key=lambda cause: (-cause.mailboxes, cause.pattern.id))


def decide(
    session: Session, number: int, verdict: Verdict, pattern_ids: Collection[int], organiser_id: int | None, now: datetime
) -> int:
    """Says of these causes, or of all, what they are; returns how many mailboxes that settles. Raises Refused, NotFound.

    Once every cause has its verdict the brake is released. What fails there later for the same cause follows it for some days.
    """
    outcome_counts.lock(session)  # no failure is weighed meanwhile, which a brake just released would hold
    brake = find(session, number)
    conditions = [Hold.brake_id == brake.id, *([among(session, Hold.pattern_id, pattern_ids)] if pattern_ids else [])]
    seen = session.execute(select(Hold.pattern_id, func.count()).where(*conditions).group_by(Hold.pattern_id))
    patterns = dict(row._tuple() for row in seen)
    if brake.state != "open" or (pattern_ids and not patterns):
        raise Refused("Somebody has decided this meanwhile: reload the page.")
    total = _suppress(session, conditions, now) if verdict == "dead" else _release(session, conditions, now)
    same = {"brake_id": brake.id, "verdict": verdict, "at": now, "followed": 0}
    rows = [same | {"pattern_id": pattern, "mailboxes": count} for pattern, count in sorted(patterns.items())]
    insert_new(session, BrakeDecision, rows)
    if session.scalar(select(Hold.hash).where(Hold.brake_id == brake.id).limit(1)) is None:
        states.move(brake, "judged")
        brake.decided_at, brake.decided_by_id = now, organiser_id
    return total


def _suppress(session: Session, conditions: Collection[Any], now: datetime) -> int:
    """What is held is suppressed at the organiser's word."""
    constants = (literal("judged"), literal(JUDGED), literal(now, UTCDateTime()))
    rows = select(Hold.hash, *constants, Hold.pattern_id, Hold.told_at).where(*conditions)
    columns = ["hash", "cause", "reason", "at", "pattern_id", "told_at"]
    session.execute(insert_into(session, Suppression).from_select(columns, rows).on_conflict_do_nothing())
    return _delete(session, Hold, conditions)


def _release(session: Session, conditions: Collection[Any], now: datetime) -> int:
    _note_lifted(session, select(Hold.hash).where(*conditions), now)
    return _delete(session, Hold, conditions)


def recent(session: Session, now: datetime) -> list[Cause]:
    """The causes for which somebody was suppressed lately, the largest first; at which domains, as their failures tell."""
    counted = (
        select(Suppression.pattern_id, func.count())
        .where(*_lately_failed(now), Suppression.pattern_id.is_not(None))
        .group_by(Suppression.pattern_id)
        .order_by(func.count().desc(), Suppression.pattern_id)
        .limit(CAUSES)
    )
    mailboxes = {pattern_id: count for pattern_id, count in session.execute(counted) if pattern_id is not None}
    failures = (
        select(Bounce.pattern_id, Bounce.domain, func.count())
        .where(among(session, Bounce.pattern_id, mailboxes), Bounce.at > now - LIFTED_WITHIN)
        .group_by(Bounce.pattern_id, Bounce.domain)
    )
    rows = [(pattern_id, host, count) for pattern_id, host, count in session.execute(failures) if pattern_id is not None]
    causes = {cause.pattern.id: cause for cause in _causes(_patterns(session, mailboxes), rows)}
    return [causes[number]._replace(mailboxes=count) for number, count in mailboxes.items() if number in causes]


def lift_all(session: Session, pattern_id: int, now: datetime) -> int:
    """Lifts every suppression of the last thirty days that this cause explains; whoever said no themselves stays.

    Raises Refused where there is none.
    """
    conditions = (*_lately_failed(now), Suppression.pattern_id == pattern_id)
    _note_lifted(session, select(Suppression.hash).where(*conditions), now)
    count = _delete(session, Suppression, conditions)
    if not count:
        raise Refused("Nobody was suppressed for this in the last 30 days, or it has been lifted: reload the page.")
    return count


def _lately_failed(now: datetime) -> tuple[Any, ...]:
    return Suppression.cause.in_(AFTER_FAILURE), Suppression.at > now - LIFTED_WITHIN


def _note_lifted(session: Session, hashes: Any, now: datetime) -> None:
    """So that their scores of temporary failures start anew."""
    constants = (literal("lifted"), literal(""), literal("an organiser lifted all of one cause"), literal(now, UTCDateTime()))
    rows = hashes.add_columns(*constants, literal(""))
    columns = ["hash", "kind", "status", "text", "at", "domain"]
    session.execute(insert(Bounce).from_select(columns, rows, include_defaults=False))


def _delete(session: Session, model: type[Any], where: Collection[Any]) -> int:
    result = session.execute(delete(model).where(*where).execution_options(synchronize_session=False))
    return int(result.rowcount)  # type: ignore[attr-defined]

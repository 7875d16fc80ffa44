"""How many messages mail servers answered for good, and how many of those failed hard: by mailing, domain, cause and hour.

A failure is counted among the messages that were settled when its own was, because a bounce may come days later. What a brake
has taken, or an organiser has judged, is counted no more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import String, bindparam, cast, func, literal, select, text, union_all
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import among, insert_into
from service.models import Message, OutcomeCount, Subscription
from service.models.base import UTCDateTime
from service.models.mail import TO_OFFICIALS, TO_ORGANISERS

TURN = 7_203_115
"""The lock under which PostgreSQL lets one batch of failures follow another."""
TO_OURSELVES = (*TO_OFFICIALS, *TO_ORGANISERS)
"""Kinds that never suppress anybody."""
Key = tuple[str, str]
"""Scope and subject, as a row of the counts, or a brake, has them."""


def lock(session: Session) -> None:
    """Failures are weighed one batch after the other, so that none is suppressed past a brake that another worker pulls in this
    moment; taken before anything is counted. SQLite has one writer."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(TURN)))


def add_settled(session: Session, message_ids: Collection[int], now: datetime) -> None:
    """Counts messages that a mail server has just answered for good: one statement, however many they are."""
    if not message_ids or not settings().brake_failures:
        return
    mailbox = func.coalesce(Message.mailbox, Subscription.mailbox)
    sqlite = session.get_bind().dialect.name == "sqlite"
    host = func.substr(mailbox, func.instr(mailbox, "@") + 1) if sqlite else func.substring(mailbox, "[^@]*$")
    answered = (
        select(Message.mailing_id, host.label("host"))
        .outerjoin(Subscription, Subscription.id == Message.subscription_id)
        .where(among(session, Message.id, message_ids), Message.kind.not_in(TO_OURSELVES), mailbox.is_not(None))
        .cte("answered")
    )
    day, hour = literal(f"{now:%Y-%m-%d} "), literal(f"{now:%Y-%m-%dT%H}")
    mailing_id = cast(answered.c.mailing_id, String)
    rows = union_all(
        select(literal("domain").label("scope"), (day + answered.c.host).label("subject"), func.count().label("settled"))
        .group_by(answered.c.host),
        select(literal("hour"), hour, func.count()).select_from(answered).having(func.count() > 0),
        select(literal("mailing"), mailing_id, func.count()).where(mailing_id.is_not(None)).group_by(mailing_id),
    ).subquery()  # fmt: skip
    columns = (rows.c.scope, rows.c.subject, rows.c.settled, literal(0), literal(now, UTCDateTime()))
    adding = insert_into(session, OutcomeCount).from_select(
        ["scope", "subject", "settled", "hard", "at"], select(*columns).order_by(rows.c.scope, rows.c.subject)
    )
    more = {"settled": OutcomeCount.settled + adding.excluded.settled, "at": adding.excluded.at}
    session.execute(adding.on_conflict_do_update(index_elements=["scope", "subject"], set_=more))


def add_hard(session: Session, hard: Mapping[Key, int], now: datetime) -> dict[Key, tuple[int, int]]:
    """Adds hard failures; returns what has been settled there by now, and how much of it failed."""
    return _run(session, ADD, hard, now)


def take_off(session: Session, hard: Mapping[Key, int], now: datetime) -> dict[Key, tuple[int, int]]:
    """Takes hard failures off again, because a brake has them now."""
    return _run(session, TAKE_OFF, hard, now)


def _run(session: Session, statement: str, hard: Mapping[Key, int], now: datetime) -> dict[Key, tuple[int, int]]:
    rows_of = SQLITE_ROWS if session.get_bind().dialect.name == "sqlite" else POSTGRESQL_ROWS
    counting = text(statement.format(rows=rows_of))
    rows = json.dumps([[*key, count] for key, count in hard.items()])
    result = session.execute(counting.bindparams(bindparam("at", type_=UTCDateTime())), {"rows": rows, "at": now})
    return {(scope, subject): (settled, count) for scope, subject, settled, count in result}


ADD = """
INSERT INTO outcome_counts (scope, subject, settled, hard, at)
SELECT counted.scope, counted.subject, 0, counted.hard, :at FROM ({rows}) AS counted WHERE true ORDER BY 1, 2
ON CONFLICT (scope, subject) DO UPDATE SET hard = outcome_counts.hard + excluded.hard, at = excluded.at
RETURNING scope, subject, settled, hard
"""
TAKE_OFF = """
UPDATE outcome_counts SET at = :at,
hard = CASE WHEN outcome_counts.hard > counted.hard THEN outcome_counts.hard - counted.hard ELSE 0 END FROM ({rows}) AS counted
WHERE outcome_counts.scope = counted.scope AND outcome_counts.subject = counted.subject
RETURNING outcome_counts.scope, outcome_counts.subject, outcome_counts.settled, outcome_counts.hard
"""
SQLITE_ROWS = """
SELECT json_extract(value, '$[0]') AS scope, json_extract(value, '$[1]') AS subject, json_extract(value, '$[2]') AS hard
FROM json_each(:rows)
"""
POSTGRESQL_ROWS = """
SELECT value->>0 AS scope, value->>1 AS subject, (value->>2)::int AS hard FROM json_array_elements(CAST(:rows AS json))
"""

"""Why we stopped writing to somebody decides who may take it back: a column says it, never a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import bindparam, select, text

from service.core.db import reading, transaction
from service.core.keyed_hashes import keyed_hash
from service.emails import suppressions
from service.inbound import brake_decisions, reply_patterns
from service.migrations import upgrade
from service.models import OutcomeCount, ReplyPattern, Suppression
from service.models.base import UTCDateTime
from service.people import erasure_log, person_search
from service.workflows import erase
from tests.inbound.post import DOMAIN, complaint, receive
from tests.inbound.test_bounces import back, readers
from tests.support.people import OLIVE
from tests.support.world import World

READER = "p0@example.org"
OLD = {
    "bounced: no such mailbox": "hard",
    "bounced: too many temporary failures": "soft",
    "bounced: an organiser judged it": "judged",
    "an organiser: asked by telephone": "organiser",
    "erased at their own request": "erased",
    "said that it was spam": "complaint",
    "complained": "complaint",
}
"""The sentences of 0.1.0, and what they meant."""
BEFORE = "0006"
"""The last revision without causes."""
BEFORE_PATTERNS = "0015"
OLD_BOUNCE, OLD_SUPPRESSION = (
    text(statement).bindparams(bindparam("at", type_=UTCDateTime()))
    for statement in (
        "INSERT INTO bounces (hash, kind, status, text, at) VALUES (:hash, 'hard', '5.1.1', :words, :at)",
        "INSERT INTO suppressions (hash, cause, reason, at) VALUES (:hash, 'hard', 'bounced: no such mailbox', :at)",
    )
)
pytestmark = pytest.mark.settings(APPROVALS="0")


def cause(mailbox: str) -> str | None:
    with reading() as session:
        suppression = suppressions.suppression_of(session, mailbox)
        return suppression.cause if suppression else None


def test_what_was_suppressed_before_there_were_causes_gets_its_own(either_world: World) -> None:
    command.downgrade(upgrade.configuration(), BEFORE)
    insert = text("INSERT INTO suppressions (hash, reason, at) VALUES (:hash, :reason, '2026-11-01 00:00:00')")
    with transaction() as session:
        for number, reason in enumerate([*OLD, "bounced: no such mailbox"]):
            session.execute(insert, {"hash": keyed_hash(f"p{number}@example.org"), "reason": reason})
    erasure_log.note(f"p{len(OLD)}@example.org", datetime.now(UTC))  # it had failed before, and kept that sentence
    upgrade.upgrade()
    assert [cause(f"p{number}@example.org") for number in range(len(OLD) + 1)] == [*OLD.values(), "erased"]


def test_a_complaint_takes_the_place_of_a_failure(either_world: World) -> None:
    (message,) = readers(either_world)
    back(either_world, message, "5.1.1", "550 5.1.1 user unknown")
    assert cause(READER) == "hard"
    receive(either_world, complaint(message.id), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert cause(READER) == "complaint"
    olive = either_world.sign_in(OLIVE)
    where = either_world.person(READER, olive)
    assert either_world.post(where, {"act": "lift", "reason": "it was a mistake"}, olive).status_code == 422
    assert either_world.post(where, {"act": "lift", "reason": "wrote to us", "asked": "yes"}, olive).status_code == 303


def test_a_failure_never_takes_the_place_of_a_no(either_world: World) -> None:
    (message,) = readers(either_world)
    with transaction() as session:
        person_search.suppress(session, READER, "asked by telephone", datetime.now(UTC))
    back(either_world, message, "5.1.1", "550 5.1.1 user unknown")
    assert cause(READER) == "organiser"


def test_somebody_erased_after_a_failure_is_known_as_erased(either_world: World) -> None:
    (message,) = readers(either_world)
    back(either_world, message, "5.1.1", "550 5.1.1 user unknown")
    before = datetime.now(UTC)
    with transaction() as session:
        erase.erase(session, READER, datetime.now(UTC))
    assert cause(READER) == "erased"
    erasure_log.path().unlink()  # the database itself knows them, for a restore
    with reading() as session:
        assert erasure_log.since(before, session) == {keyed_hash(READER)}
    assert either_world.rows(select(Suppression.reason)) == ["erased at their own request"]


def test_who_was_suppressed_before_an_upgrade_can_be_lifted_by_cause(either_world: World) -> None:
    """Version 0.1.0 gave up whole lists for a relay's fault: the cause of each is found in what was kept of it."""
    readers(either_world, 3)
    command.downgrade(upgrade.configuration(), BEFORE_PATTERNS)
    now = datetime.now(UTC)
    failures = [(number, f"550 5.1.1 remote domains not supported here (id {number})") for number in range(6)]
    with transaction() as session:
        for number, words in [*failures, (6, "550 5.1.1 no such user")]:
            known = {"hash": keyed_hash(f"p{number}@example.org"), "at": now - timedelta(days=3), "words": words}
            session.execute(OLD_BOUNCE, known)
            session.execute(OLD_SUPPRESSION, known)
        session.execute(OLD_BOUNCE, known | {"at": now - timedelta(days=31), "words": "550 forgotten"})
    upgrade.upgrade()
    with reading() as session:
        causes = [(cause.mailboxes, cause.pattern.example) for cause in brake_decisions.recent(session, now)]
    assert causes == [(6, failures[0][1]), (1, "550 5.1.1 no such user")]
    with transaction() as session:
        pattern = reply_patterns.key_of(failures[3][1], "5.1.1")
        number = session.scalars(select(ReplyPattern.id).where(ReplyPattern.key == pattern)).one()
        assert brake_decisions.lift_all(session, number, now) == 6
    counted = select(OutcomeCount.settled).where(OutcomeCount.scope == "mailing")
    assert either_world.rows(counted) == [3]  # what is on its way may still come back

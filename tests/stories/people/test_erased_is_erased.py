"""Whoever is erased is erased: planted by the front door in every table that can hold a person, and looked for everywhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.config import settings
from service.core.db import reading, transaction
from service.models import Arrival, Complaint, Day, Message, OutcomeCount, Signature
from service.models.base import Base
from service.notices import publishing
from service.operations import backup
from service.people import retention
from service.people.retention_rules import BESIDE, RULES
from service.subscriptions import imports
from tests.support.people import SLUG
from tests.support.planted import EMAIL, NAME, in_files, in_redis, plant, stands_in, tables
from tests.support.world import World
from workers import clock

pytestmark = pytest.mark.settings(APPROVALS="0", LIMIT_GAP_MINUTES="0", LIMIT_DAY="100")
HOLDS_PEOPLE = {
    "arrivals", "bounces", "complaints", "consents", "enclosures", "letters", "messages", "outcome_counts", "raw_mail",
    "request_items", "requests", "signatures", "subscriptions",
}  # fmt: skip
"""Where she stands after all that she did."""
HOLDS_NOBODY = {
    "keyed hashes alone": {"suppressions", "holds"},
    "ends with the job that reads it": {"waiting_forms"},
    "hashes and signatures of the served": {"leaves", "tree_nodes", "manifests", "evidence", "proof_keys"},
    "numbers of signatures": {"corrections", "askings", "import_lines", "attempts"},
    "what organisers do": {
        "audit_entries", "organisers", "recovery_codes", "organiser_sessions", "sign_in_links", "proposals", "imports",
    },
    "what is public": {"officials", "notices", "editions", "demands", "milestones", "mailing_lists", "mail_policies"},
    "what was written for all": {"mailings", "mailing_versions", "mailing_seen", "servings", "deliveries"},
    "counts": {"mailing_reports", "tallies", "former_tokens", "days"},
    "what is wrong with the service, or a mail server": {
        "failures", "told_problems", "brakes", "brake_decisions", "reply_patterns",
    },
}  # fmt: skip
"""Tables without a person, and why: a new one has to be decided on."""
PARTS = ("signatures", "subscriptions", "consents", "letters", "updates", "requests", "complaints", "came_in", "failures")
DAY = timedelta(days=1)


def erase(world: World, manage: str) -> None:
    assert "Everything is erased" in world.post(manage, {"act": "erase", "sure": "yes"}).text
    world.work()


def forget_all(now: datetime) -> None:
    """The clock's hour, until nothing more is due."""
    more = True
    while more:
        with transaction() as session:
            more = any(retention.run(session, now).values())
    with transaction() as session:
        clock.forget(session, now)
    imports.forget_files(now)


def test_every_table_is_decided_on() -> None:
    nobody = set().union(*HOLDS_NOBODY.values())
    assert not HOLDS_PEOPLE & nobody
    assert HOLDS_PEOPLE | nobody == set(Base.metadata.tables)


def test_who_is_erased_leaves_no_trace_but_what_the_privacy_page_tells(either_world: World) -> None:
    world = either_world
    manage = plant(world)
    assert tables() == HOLDS_PEOPLE
    assert in_redis() == []
    erase(world, manage)
    assert tables() == {"enclosures"}  # what officials have
    assert in_redis() == []
    assert set(in_files(world)) <= {"1.csv", "undersigned.db"}  # for seven days; and the enclosures
    with transaction() as session:
        publishing.close(session, SLUG, datetime.now(UTC))
    forget_all(datetime.now(UTC) + (settings().pseudonymise_days + 1) * DAY)
    assert tables() == set()
    assert in_files(world) == []
    page = world.get("/privacy").text
    assert all(told in page for told in BESIDE)
    assert "with the address of the machine that brought them" in page


def test_what_is_left_of_a_complaint_and_of_her_domain(either_world: World) -> None:
    world = either_world
    manage = plant(world)
    erase(world, manage)
    [complaint] = world.rows(select(Complaint))
    assert (complaint.name, complaint.email, complaint.text) == ("", "", "(erased at their own request)")
    assert complaint.state == "open"
    assert complaint.reference
    with reading() as session:
        assert not [day for day in session.scalars(select(Day)) if stands_in(day.domain.encode())]
        assert not [one for one in session.scalars(select(OutcomeCount)) if stands_in(one.subject.encode())]


def test_a_domain_of_many_is_named_and_one_of_few_is_not(either_world: World) -> None:
    world = either_world
    plant(world)
    named = set(world.rows(select(Day.domain)))
    assert named == {"others"}


def test_her_copy_has_all_that_is_held(either_world: World) -> None:
    """Every text of a row that names her, and every mark that is kept of her, stands in the document that she can take."""
    world = either_world
    manage = plant(world)
    with transaction() as session:
        session.execute(update(Arrival).where(Arrival.mailbox == EMAIL).values(peer="203.0.113.77"))
    copy = world.post(manage, {"act": "export"}).text
    document = json.loads(copy)
    assert all(document[part] for part in PARTS), document
    marks = [*world.rows(select(Signature.visitor)), *world.rows(select(Message.asked_by).where(Message.mailbox == EMAIL))]
    held = [mark for mark in marks if mark]
    assert held
    for value in (*held, "203.0.113.77", NAME, EMAIL, f"{NAME} was written to twice."):
        assert value in copy, value
    assert document["updates"][0]["subject"] == "What happens next"


def test_a_copy_made_before_a_restore_has_its_end(world: World) -> None:
    old = settings().var_dir / "before-restore-20260101-000000.zip"
    backup.write(old, datetime.now(UTC))
    kept = old.stat().st_mtime
    with transaction() as session:
        clock.forget_files(session, datetime.fromtimestamp(kept, UTC) + 29 * DAY)
    assert old.exists()
    with transaction() as session:
        clock.forget_files(session, datetime.fromtimestamp(kept, UTC) + 31 * DAY)
    assert not old.exists()


def test_every_rule_is_told() -> None:
    assert all(rule.strip() for rule in (RULES | BESIDE).values())

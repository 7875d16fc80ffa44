"""What happens often looks nothing up row by row: plans of the frequent queries on both databases, and how many they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import engine_for, reading, transaction
from service.models import Attempt, Mailing, MailingList, Message, Serving
from service.notices import publishing
from service.operations import health, problems
from service.people import retention, subject_access
from service.rate_limits import asked_letters, windows
from service.servings import register, serving_lifecycle
from service.workflows import erase
from tests.support.people import SLUG
from tests.support.world import World
from workers.outbound import leases

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=400)
FREQUENT: dict[str, Callable[[Session], Any]] = {
    "a form: when may its letter go": lambda session: windows.hold_until(session, "p7@example.org", "p7@example.org", NOW),
    "a form: how many wait": lambda session: windows.held_back(session, "p7@example.org", NOW),
    "what we hold": lambda session: subject_access.of(session, "p7@example.org"),
    "erasing": lambda session: erase.erase(session, "p7@example.org", NOW),
    "a form: who asks": lambda session: asked_letters.asks_too_much(session, "a mark", NOW),
    "a letter: who asked": lambda session: asked_letters.asks_too_much(session, "a mark", NOW, 7),
    "forgetting who asked": lambda session: asked_letters.forget(session, NOW),
    "the sweep: lapsed leases": lambda session: leases.take_back(session, NOW),
    "the dashboard: what is wrong": lambda session: problems.present(session, NOW),
    "metrics": lambda session: list(health.FromDatabase().collect()),
    "forgetting": lambda session: retention.STEPS["messages"](session, NOW - timedelta(days=4000)),
}


def fill(copies: int) -> None:
    """One mailing with so many copies, a tenth as many single letters, and the attempts of these."""
    settled = {"state": "accepted", "due_at": OLD, "created_at": OLD, "settled_at": OLD}
    with transaction() as session:
        listed = MailingList(slug="filled", title="Filled", created_at=OLD)
        session.add(listed)
        session.flush()
        mailing = Mailing(slug="filled", list_id=listed.id, subject="s", body="b", state="sent", created_at=OLD)
        session.add(mailing)
        session.flush()
        copy = settled | {"kind": "mailing", "queue": "bulk", "mailing_id": mailing.id}
        session.execute(insert(Message), [copy | {"subscription_id": number} for number in range(copies)])
        letter = settled | {"kind": "receipt", "queue": "prompt"}
        addresses = [f"p{number}@example.org" for number in range(copies // 10)]
        single = [letter | {"email": address, "mailbox": address} for address in addresses]
        numbers = session.scalars(insert(Message).returning(Message.id), single).all()
        attempt = {"at": OLD, "host": "relay", "replies": [], "outcome": "accepted"}
        session.execute(insert(Attempt), [attempt | {"message_id": number} for number in numbers for _ in range(3)])
    with transaction() as session:
        session.execute(text("ANALYZE"))


@contextmanager
def statements(*, read_only: bool = False) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that this process sends while inside."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    engine = engine_for(settings().database_url, read_only=read_only)
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plan(session: Session, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN " if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    rows = session.connection().exec_driver_sql(explain + statement, parameters)
    return "\n".join(str(row[-1]) for row in rows)


def test_no_frequent_query_reads_a_whole_table(either_world: World) -> None:
    """Nor all the single letters: where the mailbox is known, its index is used."""
    fill(20_000)
    found = {}
    for name, act in FREQUENT.items():
        with statements() as seen, statements(read_only=True) as read, transaction() as session:
            act(session)
        with transaction() as session:
            plans = [
                (one[0], plan(session, *one)) for one in [*seen, *read] if one[0].startswith(("SELECT", "UPDATE", "DELETE"))
            ]
        slow = [f"{sql}\n{how}" for sql, how in plans if SLOW.search(how)]
        slow += [f"{sql}\n{how}" for sql, how in plans if "messages.mailbox = " in sql and "ix_messages_mailbox" not in how]
        if slow:
            found[name] = slow
    assert not found, "\n".join(line for lines in found.values() for line in lines)


SLOW = re.compile(r"(SCAN|Seq Scan on) (messages|attempts)\b(?! USING (COVERING )?INDEX ix_messages_(waiting|leased))")


def test_the_register_asks_the_same_number_of_questions_however_long_it_is(world: World) -> None:
    world.publish(milestones=(100,))
    counts = []
    for _ in range(3):
        with transaction() as session:
            notice = publishing.find(session, SLUG)
            assert notice.edition is not None
            notice.edition.count += 1
            number = serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC)).id
            assert session.get_one(Serving, number).state == "due"
        world.work()
        with statements(read_only=True) as seen:
            assert world.get(f"/notices/{SLUG}/deliveries.json").status_code == 200
        counts.append(len(seen))
    with reading() as session:
        assert len(register.lines(session, publishing.find(session, SLUG))["deliveries"]) == 6
    assert counts[0] == counts[2], counts

"""What a dead worker had heard is written into the ledger by the next one, also from a journal of an older version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.mailings import mailing_lifecycle, pausing
from service.models import Mailing, Message
from tests.support import crowd
from tests.support.world import World
from workers.outbound import journal

DEAD = "machine:1:abcd"


def hold(count: int) -> list[int]:
    """A mailing whose copies a worker holds that is gone."""
    number = crowd.mailing_to(count, datetime.now(UTC))
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, datetime.now(UTC))
        values = {"state": "sending", "lease": DEAD, "leased_until": datetime.now(UTC) + timedelta(minutes=1), "attempts": 1}
        session.execute(update(Message).values(**values))
        return list(session.scalars(select(Message.id).order_by(Message.id)))


@pytest.mark.settings(APPROVALS="0")
def test_lines_with_and_without_a_concern_are_read(either_world: World) -> None:
    first, second, third, fourth = hold(4)
    lines = (
        f"{first}\taccepted\t250\t2.0.0 Ok\n{second}\trefused\t550\t5.1.1 gone\n{third}\trefused\t550\t5.7.1 no\tsender\n"
        f"{fourth}\taccepted\t250\t2.0.0 cut in"
    )
    journal.folder().mkdir(parents=True, exist_ok=True)
    (journal.folder() / f"{DEAD}.journal").write_text(lines)
    assert journal.replay() == 1
    rows = {message.id: message for message in either_world.rows(select(Message))}
    assert [rows[number].state for number in (first, second, third, fourth)] == ["accepted", "refused", "queued", "queued"]
    assert (rows[third].concern, rows[second].concern) == ("sender", None)
    assert rows[third].due_at > datetime.now(UTC) + timedelta(days=20)  # held: nobody knows yet how many say so
    assert rows[fourth].due_at < datetime.now(UTC)


@pytest.mark.settings(APPROVALS="0")
def test_what_a_second_worker_holds_after_the_pause_goes_on_too(either_world: World) -> None:
    first, second = hold(2)
    with transaction() as session:
        pausing.pause(session, 1, "our mail server refuses us as the sender")
    journal.folder().mkdir(parents=True, exist_ok=True)
    (journal.folder() / f"{DEAD}.journal").write_text(f"{first}\trefused\t550\t5.7.1 no\tsender\n")
    journal.replay()
    with transaction() as session:
        assert pausing.resume(session, 1)
    either_world.work()
    assert either_world.rows(select(Message.state).order_by(Message.id)) == ["accepted", "accepted"]
    assert either_world.rows(select(Mailing.state)) == ["sent"]
    assert second

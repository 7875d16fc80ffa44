"""Who works on what: claims, leases, uniqueness and fan-out, by many at once, on both databases; and every state's arrows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import states
from service.core.config import settings
from service.core.db import engine_for, reading, transaction
from service.mailings import mailing_lifecycle
from service.models import Base, Message, Signature, Subscription
from service.subscriptions import subscribing
from tests.conftest import ROOT
from tests.support import crowd
from tests.support.people import ANN, BEN
from tests.support.world import World
from workers import jobs
from workers.outbound import leases
from workers.outbound.smtp.outcome import Outcome


def store(count: int, queue: str = "prompt") -> list[int]:
    now = datetime.now(UTC)
    with transaction() as session:
        rows = [Message(kind="confirm", queue=queue, state="queued", due_at=now, created_at=now) for _ in range(count)]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def claim(ids: list[int]) -> list[int]:
    with transaction() as session:
        return [row.id for row in leases.claim(session, ids, datetime.now(UTC))]


def message(message_id: int) -> Message:
    with reading() as session:
        return session.get_one(Message, message_id)


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_threads_that_claim_at_once_get_each_message_once(either_world: World) -> None:
    ids = store(240)
    shares = crowd.at_once([lambda at=at: [*claim(ids[at:]), *claim(ids)] for at in range(0, 240, 20)])
    assert sorted(one for share in shares for one in share) == ids


CLAIMER = """
import json, sys
from datetime import UTC, datetime
from service.core.db import transaction
from workers.outbound import leases
ids, got = json.loads(sys.stdin.readline()), []
print("ready", flush=True)
sys.stdin.readline()
for at in range(0, len(ids), 10):
    with transaction() as session:
        got += [row.id for row in leases.claim(session, ids[at:at + 10], datetime.now(UTC))]
print(json.dumps(got))
"""


def test_processes_that_claim_at_once_get_each_message_once(either_world: World, environment: dict[str, str]) -> None:
    ids = store(300)
    own = os.environ | environment | {"DATABASE_URL": either_world.settings.database_url}
    options: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": own, "cwd": ROOT}
    claimers = [subprocess.Popen([sys.executable, "-c", CLAIMER], **options) for _ in range(3)]
    for one in claimers:
        one.stdin.write(json.dumps(ids) + "\n")
        one.stdin.flush()
    assert [one.stdout.readline() for one in claimers] == ["ready\n"] * 3
    shares = [json.loads(one.communicate("go\n", timeout=60)[0]) for one in claimers]
    assert sorted(number for share in shares for number in share) == ids
    assert len({message(share[0]).lease for share in shares if share}) == len([share for share in shares if share])


def test_a_message_that_is_not_due_is_not_claimed(either_world: World) -> None:
    ids = store(2)
    with transaction() as session:
        session.get_one(Message, ids[0]).due_at = later(60)
    assert claim(ids) == ids[1:]


def test_a_lapsed_lease_is_taken_back_and_a_live_one_is_not(either_world: World) -> None:
    ids = store(1)
    claim(ids)
    for seconds, expected in ((40, "sending"), (50, "queued")):
        with transaction() as session:
            leases.take_back(session, later(seconds))
        assert message(ids[0]).state == expected
    assert message(ids[0]).lease is None


def test_a_renewed_lease_does_not_lapse(either_world: World) -> None:
    ids = store(1)
    claim(ids)
    with transaction() as session:
        leases.renew(session, later(30))
        leases.take_back(session, later(60))
    assert message(ids[0]).state == "sending"


def test_an_officials_letter_that_may_have_left_is_taken_back_as_unsure(either_world: World) -> None:
    ids = store(2, "notices")
    claim(ids)
    with transaction() as session:
        leases.note_attempt(session, ids[0], Outcome("began"), datetime.now(UTC))
    with transaction() as session:
        assert leases.take_back(session, later(50)) == 2
    assert [message(one).state for one in ids] == ["unsure", "queued"]


def test_a_worker_whose_lease_lapsed_records_nothing(either_world: World) -> None:
    [number] = store(1)
    claim([number])
    with transaction() as session:
        leases.take_back(session, later(50))
    for again in (False, True):
        with transaction() as session:
            assert not leases.record(session, number, Outcome("accepted", 250, "too late"), later(51))
            leases.settle(session, [number], "suppressed", "too late", later(51))
            leases.release(session, leases.token(), [number])
        assert (message(number).state, message(number).reply_text) == ("sending" if again else "queued", "")
        if not again:  # somebody else has it now
            claim([number])
            with transaction() as session:
                session.get_one(Message, number).lease = "another worker"
    assert message(number).lease == "another worker"


def test_what_is_unique_is_unique(either_world: World) -> None:
    """Two forms at one time are one signature and one subscription; the database itself refuses a second row."""
    either_world.publish()
    forms = [lambda: either_world.post("/lists/updates", BEN, either_world.browser()) for _ in range(4)]
    forms += [lambda: crowd.ask(range(1)) for _ in range(4)]
    assert not [one for one in crowd.at_once(forms) if isinstance(one, Exception)]
    for model in (Signature, Subscription):
        with reading() as session:
            assert session.scalar(select(func.count()).select_from(model)) == 1
    with reading() as session:
        one = session.scalars(select(Signature)).one()
    copied = {"edition_id": one.edition_id, "mailbox": one.mailbox, "name_key": one.name_key}
    add_refused(Signature(**copied, email="", name="", display="count", state="pending", created_at=one.created_at))


def add_refused(row: Base) -> None:
    session = Session(engine_for(settings().database_url))
    session.add(row)
    with session, pytest.raises(IntegrityError):
        session.flush()


@pytest.mark.settings(APPROVALS="0")
def test_a_mailing_has_one_copy_for_each_subscription(either_world: World) -> None:
    number = crowd.mailing_to(3, datetime.now(UTC))
    jobs.fan_out(number)
    with reading() as session:
        one = session.scalars(select(Message)).all()[0]
    copied = {"kind": "mailing", "queue": "bulk", "mailing_id": number, "subscription_id": one.subscription_id}
    add_refused(Message(**copied, state="queued", due_at=one.due_at, created_at=one.created_at))


@pytest.mark.settings(APPROVALS="0")
def test_fan_out_goes_on_where_it_was_killed(either_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing_lifecycle, "CHUNK", 7)
    now = datetime.now(UTC)
    number = crowd.mailing_to(50, now)
    with transaction() as session:
        assert mailing_lifecycle.fan_out(session, number, now)
    with Session(engine_for(either_world.settings.database_url)) as killed:  # ends without its commit
        assert mailing_lifecycle.fan_out(killed, number, now)
    with transaction() as session:  # one more leaves before the rest is written
        last = session.scalars(select(Subscription).where(Subscription.state == "confirmed")).all()[-1]
        subscribing.leave(session, last.id, now)
    results = crowd.at_once([lambda: jobs.fan_out(number)] * 3)
    jobs.fan_out(number)
    assert results == [None] * 3
    with reading() as session:
        copied = session.scalars(select(Message.subscription_id).where(Message.mailing_id == number).order_by(Message.id)).all()
        staying = session.scalars(
            select(Subscription.id).where(Subscription.state == "confirmed").order_by(Subscription.id)
        ).all()
    assert sorted(copied) == sorted(staying)
    assert len(staying) == 44


@pytest.mark.parametrize("model", states.MACHINES, ids=lambda model: model.__name__)
def test_only_the_arrows_of_the_table_exist(model: type[Base]) -> None:
    table = states.MACHINES[model]
    assert set().union(*table.values()) <= set(table)
    for before, arrows in table.items():
        for after in table:
            row = model(state=before)
            if after in arrows:
                states.move(row, after)
                assert row.state == after
                continue
            with pytest.raises(states.NotThatWay):
                states.move(row, after)
            assert row.state == before


def test_a_claim_along_no_arrow_is_refused_before_it_reaches_the_database(world: World) -> None:
    [number] = store(1)
    with transaction() as session, pytest.raises(states.NotThatWay):
        states.claim(session, Message, "queued", "accepted", Message.id == number)
    with transaction() as session, pytest.raises(states.NotThatWay):
        states.claim_returning(session, Message, "refused", "queued", [number], [Message.id])
    assert message(number).state == "queued"


def test_forms_at_one_time_bring_one_letter(either_world: World) -> None:
    """At most one confirmation to one address in a quarter of an hour, also where many ask together."""
    either_world.publish()
    either_world.sign(ANN)
    for person in (ANN, BEN):
        forms = [lambda person=person: either_world.post("/manage", person, either_world.browser()) for _ in range(6)]
        assert [one.status_code for one in crowd.at_once(forms)] == [200] * 6
        with reading() as session:
            mine = (Message.email == person["email"], Message.due_at <= datetime.now(UTC))
            assert session.scalar(select(func.count()).select_from(Message).where(*mine)) == 1

"""What became of a letter to an official: notices, acknowledgement, a lost answer, another address, an objection."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Delivery, Evidence, Message, Official, Proposal, Serving
from service.notices import officials
from service.proof.verify import verify
from service.servings import outcomes
from tests.support import crowd
from tests.support.people import OLIVE, PETRA
from tests.support.servers.smtp_server import DROP, SmtpServer, answer
from tests.support.servers.three_servers import (
    HOUR,
    SLOW,
    STERN,
    WILLING,
    environment,
    later,
    parsed,
    publish,
    servers,
    take_in,
    tiers,
)
from tests.support.world import World, text_of
from workers import clock, jobs


def test_a_delivery_notice_and_an_acknowledgement_raise_the_tier(world: World, servers: dict[str, SmtpServer]) -> None:
    publish({"Leader": WILLING, "Chair": SLOW})
    world.work()
    first, second = (one.message_id for one in world.rows(select(Delivery).order_by(Delivery.id)))
    for action, tier in (("delayed", "recipient"), ("relayed", "recipient"), ("delivered", "notified")):
        with transaction() as session:
            assert outcomes.notified(session, first, action, "2.0.0 ok", datetime.now(UTC))
        assert tiers(world)["Leader"] == tier
    link = world.link(parsed(servers[WILLING].taken[0].content), "acknowledge")
    assert "has arrived" in world.get(link).get_data(as_text=True)
    world.client.head(link)
    assert tiers(world)["Leader"] == "notified"
    assert "Acknowledged" in world.post(link).get_data(as_text=True)
    assert tiers(world)["Leader"] == "acknowledged"
    world.post(link)
    assert world.rows(select(Evidence.number)) == list(range(1, 7))  # two attempts, three notices, one acknowledgement
    with transaction() as session:
        assert outcomes.notified(session, second, "failed", "550 5.2.1 closed \0 \udcff", datetime.now(UTC))
        assert not outcomes.notified(session, 10**6, "failed", "", datetime.now(UTC))
    assert tiers(world)["Chair"] == "refused"


def test_a_lost_answer_is_settled_by_hand_with_the_same_message_id(world: World, servers: dict[str, SmtpServer]) -> None:
    servers[STERN].will(".", DROP)
    publish({"Secretary": STERN})
    world.work()
    assert tiers(world) == {"Secretary": "unsure"}
    later(world)
    assert len(servers[STERN].taken) == 1  # never again by itself
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/servings/1", olive).get_data(as_text=True)
    message = re.findall(r'name="message" value="(\d+)"', page)[0]
    assert world.post("/organise/servings/1", {"message": message, "act": "send again"}, olive).status_code == 303
    assert world.post("/organise/servings/1", {"message": message, "act": "it arrived"}, olive).status_code == 409
    later(world)
    assert tiers(world) == {"Secretary": "recipient"}
    first, second = (parsed(taken.content)["Message-ID"] for taken in servers[STERN].taken)
    assert first == second
    kinds = [json.loads(one.record)["kind"] for one in world.rows(select(Evidence).order_by(Evidence.number))]
    assert kinds == ["attempt", "settled", "attempt"]


def test_a_refused_letter_goes_to_the_other_address_once_two_organisers_said_so(
    either_world: World, servers: dict[str, SmtpServer]
) -> None:
    world = either_world
    world.add_organisers()
    servers[STERN].will("RCPT", answer("550 5.1.1 unknown"))
    take_in({"Secretary": STERN})
    with transaction() as session:
        session.execute(update(Official).values(fallback_email="office@willing.example"))
    publish({})
    world.work()
    assert servers[WILLING].taken == []
    assert tiers(world) == {"Secretary": "refused"}
    assert "It is used once two organisers have said so" in " ".join(text_of(world.letter(OLIVE, "did not arrive")).split())
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    assert world.post("/organise/officials/1/fallback", {}, olive, page="/organise/officials").status_code == 303
    proposal = {"act": "approve"}
    assert world.post("/organise/proposals/1", proposal, olive, page="/organise/officials").status_code == 409
    world.work()
    assert servers[WILLING].taken == []
    assert world.post("/organise/proposals/1", proposal, petra, page="/organise/officials").status_code == 303
    world.work()
    [taken] = servers[WILLING].taken
    assert taken.recipients == ["office@willing.example"]
    said = verify([("letter.eml", taken.content)], datetime.now(UTC))
    assert all(one.holds is not False for one in said), said
    assert "550 5.1.1 unknown" in text_of(world.letter(OLIVE, "did not arrive"))
    assert tiers(world) == {"Secretary": "recipient"}
    page = world.get("/organise/officials", olive).get_data(as_text=True)
    assert "A letter did not arrive" in page
    assert "its letters go to office@willing.example since" in page
    with transaction() as session:  # another address: what they said was about this one
        row = {name: str(getattr(session.get_one(Official, 1), name)) for name in officials.FIELDS}
        officials.take_in(session, [officials.read(row | {"fallback_email": "other@willing.example"})], datetime.now(UTC))
    assert world.rows(select(Official.fallback_since)) == [None]


def test_notices_that_say_the_same_leave_one_record(either_world: World, servers: dict[str, SmtpServer]) -> None:
    world = either_world
    publish({"Leader": WILLING})
    world.work()
    [letter] = (one.message_id for one in world.rows(select(Delivery)))
    for action, words in (("delayed", "451 4.2.2 full"), ("delayed", "451 4.4.1 away"), ("delivered", "250 2.0.0 ok")):
        for number in range(4):
            with transaction() as session:
                assert outcomes.notified(session, letter, action, f"{words} {number}", datetime.now(UTC))
    records = [json.loads(one.record) for one in world.rows(select(Evidence).order_by(Evidence.number))]
    told = [(one["action"], one["text"]) for one in records if one["kind"] == "notified"]
    assert told == [("delayed", "451 4.2.2"), ("delayed", "451 4.4.1"), ("delivered", "250 2.0.0")]
    assert tiers(world) == {"Leader": "notified"}


def test_the_other_address_is_for_a_first_one_that_failed(world: World, servers: dict[str, SmtpServer]) -> None:
    world.add_organisers()
    take_in({"Secretary": STERN})
    olive = world.sign_in(OLIVE)
    refused = world.post("/organise/officials/1/fallback", {}, olive, page="/organise/officials")
    assert "No other address is on record" in refused.get_data(as_text=True)
    with transaction() as session:
        session.execute(update(Official).values(fallback_email="office@willing.example"))
    refused = world.post("/organise/officials/1/fallback", {}, olive, page="/organise/officials")
    assert "have not failed" in refused.get_data(as_text=True)
    assert world.rows(select(Proposal.id)) == []


def test_a_letter_that_was_tried_for_five_days_counts_as_not_arrived(world: World, servers: dict[str, SmtpServer]) -> None:
    servers[SLOW].always("RCPT", answer("451 4.7.1 come back later"))
    publish({"Chair": SLOW})
    jobs.serve(1)
    with transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(days=6)
        session.execute(update(Message).where(Message.kind == "serving").values(created_at=long_ago))
    world.work()
    assert tiers(world) == {"Chair": "refused"}
    assert "451 4.7.1 come back later" in world.rows(select(Official.bounced_because))


def test_who_objects_gets_nothing_more(world: World, servers: dict[str, SmtpServer]) -> None:
    publish({"Leader": WILLING, "Chair": SLOW}, milestones=(3, 4))
    servers[WILLING].will("RCPT", answer("451 4.7.1 come back later"))
    world.work()
    chair = parsed(servers[SLOW].taken[0].content)
    leader = world.link(chair, "objection")  # the chair's own link
    world.get(leader)
    assert world.rows(select(Official.objected_at)) == [None, None]
    assert "You get nothing more" in world.post(leader).get_data(as_text=True)
    crowd.sign(range(3, 4))
    with transaction() as session:
        session.execute(update(Serving).where(Serving.state == "due").values(due_at=datetime.now(UTC) - HOUR))
    later(world)
    later(world)
    assert list(tiers(world)) == ["Leader", "Chair"]
    assert len(servers[SLOW].taken) == 1
    assert len(servers[WILLING].taken) == 2


def test_what_a_killed_worker_could_not_write_down_is_written_later(
    either_world: World, servers: dict[str, SmtpServer]
) -> None:
    world = either_world
    publish({"Leader": WILLING, "Chair": SLOW})
    jobs.serve(1)
    with transaction() as session:  # as a lapsed lease leaves it, and as a replayed journal does
        for number, state in enumerate(("unsure", "accepted"), 1):
            mine = select(Delivery.message_id).where(Delivery.id == number).scalar_subquery()
            session.execute(update(Message).where(Message.id == mine).values(state=state, reply_text="as the journal said"))
    for _ in range(2):
        with transaction() as session:
            clock.recover_evidence(session, datetime.now(UTC))
    records = [json.loads(one) for one in world.rows(select(Evidence.record).order_by(Evidence.number))]
    assert [(one["kind"], one["state"], one["text"]) for one in records] == [
        ("recovered", "accepted", "as the journal said"), ("recovered", "unsure", "as the journal said"),
    ]  # fmt: skip


__all__ = ["environment", "servers"]

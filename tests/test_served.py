"""Serving with proof: three mail servers that behave differently, the register that says so, a stranger who checks it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from xml.etree import ElementTree

import pytest
from sqlalchemy import select, update

from service import arrivals, evidence, notices, officials, sources
from service.db import reading, transaction
from service.models import Delivery, Evidence, Message, Official, Serving
from service.proof.encoding import encode, sha256
from service.proof.verify import verify
from tests import crowd
from tests.people import ANN, NOTICE, OLIVE, SLUG
from tests.smtp_server import DROP, SmtpServer, answer
from tests.world import World, text_of

HOUR = timedelta(hours=1)
WILLING, SLOW, STERN = "willing.example", "slow.example", "stern.example"
OFFICES = {
    "Leader": WILLING, "Deputy": WILLING, "Chair": SLOW, "Vice Chair": SLOW, "Secretary": STERN, "Treasurer": STERN,
    "Auditor": STERN,
}  # fmt: skip


@pytest.fixture
def servers() -> Iterator[dict[str, SmtpServer]]:
    with SmtpServer() as willing, SmtpServer() as slow, SmtpServer() as stern:
        willing.offered.append("DSN")
        yield {WILLING: willing, SLOW: slow, STERN: stern}


@pytest.fixture
def environment(environment: dict[str, str], servers: dict[str, SmtpServer]) -> dict[str, str]:
    routes = ",".join(f"{domain}=127.0.0.1:{server.port}" for domain, server in servers.items())
    return environment | {"MAIL_ROUTES": routes, "OFFICIALS_DIRECT": "on"}


def take_in(offices: dict[str, str], now: datetime | None = None) -> None:
    with transaction() as session:
        lines = [
            {"office": office, "name": f"The {office}", "email": f"{office.split()[0].lower()}@{domain}", "source": "website",
             "verified_on": "2026-10-01"}
            for office, domain in offices.items()
        ]  # fmt: skip
        officials.take_in(session, [officials.read(line) for line in lines], now or datetime.now(UTC) - HOUR)


def publish(offices: dict[str, str], signers: int = 3, milestones: tuple[int, ...] = (3,)) -> None:
    """A live notice with these officials, served once as the last signer confirms."""
    now = datetime.now(UTC)
    take_in(offices)
    with transaction() as session:
        notice = notices.take_in(session, sources.read_file(NOTICE), now)
        notice.wait_minutes = 0
        notices.set_milestones(notice, milestones)
        notices.publish(session, SLUG, now)
    crowd.sign(range(signers))


def tiers(world: World) -> dict[str, str]:
    lines = world.get(f"/notices/{SLUG}/deliveries.json").json["deliveries"]  # type: ignore[index]
    return {line["office"]: line["tier"] for line in lines}


def later(world: World) -> None:
    """What a server asked us to bring again is due now."""
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC) - HOUR))
    world.sweep()
    world.work()


def test_the_register_tells_what_each_server_did(either_world: World, servers: dict[str, SmtpServer]) -> None:
    world = either_world
    servers[SLOW].will("RCPT", answer("451 4.7.1 come back later"), answer("451 4.7.1 come back later"))
    servers[STERN].will("RCPT", answer("550 5.1.1 <secretary@stern.example> unknown"), answer("550 5.7.1 not wanted"))
    publish(OFFICES)
    world.work()
    assert tiers(world) == {
        "Leader": "recipient", "Deputy": "recipient", "Chair": "queued", "Vice Chair": "queued", "Secretary": "refused",
        "Treasurer": "refused", "Auditor": "recipient",
    }  # fmt: skip
    later(world)
    assert [office for office, tier in tiers(world).items() if tier != "recipient"] == ["Secretary", "Treasurer"]
    page = world.get(f"/notices/{SLUG}/deliveries").get_data(as_text=True)
    assert "550 5.1.1 …@… unknown" in page
    assert "secretary@stern.example" not in page
    feed = ElementTree.fromstring(world.get(f"/notices/{SLUG}/deliveries.atom").data)
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == len(OFFICES)


def test_a_stranger_checks_a_letter_and_a_receipt_without_us(world: World, servers: dict[str, SmtpServer]) -> None:
    publish(OFFICES, milestones=(3,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    manifest = world.get(f"/notices/{SLUG}/servings/1/manifest.json").data
    keys = world.get("/.well-known/undersigned-keys.json").data
    delivered = servers[WILLING].taken[0].content
    said = verify([("letter.eml", delivered), ("keys.json", keys)], datetime.now(UTC))
    assert all(one.holds is not False for one in said), said
    assert any("the letter to Leader" in one.sentence for one in said)
    changed = delivered.replace(b"accounts be published", b"accounts be forgotten")
    assert any(one.holds is False for one in verify([("letter.eml", changed)], datetime.now(UTC)))
    files = {part.get_filename(): part.get_payload(decode=True) for part in parsed(delivered).iter_attachments()}
    assert files["manifest.json"] == manifest
    for name in ("open-the-books.pdf", "open-the-books-signatures.csv", "edition-1.txt"):
        said = verify([(name, bytes(files[name] or b"")), ("manifest.json", manifest)], datetime.now(UTC))
        assert all(one.holds is not False for one in said), said
    leaves = world.get(f"/notices/{SLUG}/editions/1/leaves.txt").data
    said = verify([("leaves.txt", leaves), ("manifest.json", manifest)], datetime.now(UTC))
    assert any(one.holds and "these leaves" in one.sentence for one in said), said


def parsed(content: bytes):  # type: ignore[no-untyped-def]
    return message_from_bytes(content, policy=policy.default)


def test_a_signer_proves_to_have_been_counted(world: World, servers: dict[str, SmtpServer]) -> None:
    publish(OFFICES, signers=0, milestones=(1, 2))
    world.sign(ANN)
    world.confirm(ANN["email"])
    receipt = world.letter(ANN["email"], "Your signature counts")
    early = next(bytes(part.get_payload(decode=True)) for part in receipt.iter_attachments())
    assert "no serving has counted it yet" in verify([("receipt.json", early)], datetime.now(UTC))[0].sentence
    manage = world.link(receipt, "manage")
    proof = world.post(manage, {"act": "receipt", "id": "1"}).data
    said = verify([("receipt.json", proof)], datetime.now(UTC))
    assert any(one.holds and "signature number 1, is counted in serving 1" in one.sentence for one in said), said
    page = world.post("/verify", {"files": (io.BytesIO(proof), "receipt.json")})
    assert "is counted in serving 1" in page.get_data(as_text=True)
    assert "is published, and was in use then" in page.get_data(as_text=True)
    world.post(manage, {"act": "withdraw", "id": "1"})
    crowd.sign(range(2))
    with transaction() as session:
        session.execute(update(Serving).where(Serving.state == "due").values(due_at=datetime.now(UTC) - HOUR))
    world.sweep()
    world.work()
    gone = world.post(manage, {"act": "receipt of withdrawal", "id": "1"}).data
    said = verify([("gone.json", gone)], datetime.now(UTC))
    assert any(one.holds and "a withdrawal, is counted in serving 2" in one.sentence for one in said), said
    heads = [(f"{number}.json", world.get(f"/notices/{SLUG}/servings/{number}/manifest.json").data) for number in (1, 2)]
    between = world.get(f"/notices/{SLUG}/editions/1/consistency.json?from=1&to=2").data
    said = verify([*heads, ("between.json", between)], datetime.now(UTC))
    assert all(one.holds is not False for one in said), said
    assert any("3 signed, 1 withdrew, 2 stood" in one.sentence for one in said), said


def test_each_attempt_leaves_its_record_in_the_chain(world: World, servers: dict[str, SmtpServer]) -> None:
    servers[WILLING].will("RCPT", answer("451 4.7.1 come back later"))
    publish({"Leader": WILLING})
    world.work()
    later(world)
    [first, second] = [json.loads(one.record) for one in world.rows(select(Evidence).order_by(Evidence.number))]
    assert (first["verdict"], second["verdict"]) == ("later", "accepted")
    assert [reply["command"] for reply in first["replies"]][:2] == ["connect", "EHLO"]
    assert second["replies"][-1] == {"command": ".", "code": 250, "text": "2.0.0 Ok: queued as 1"}
    assert second["sha256"] == sha256(servers[WILLING].taken[0].content)
    assert (second["address"], second["tls"], second["direct"]) == ("127.0.0.1", None, True)
    assert {"dsn", "8bitmime"} <= set(second["capabilities"])
    assert second["worker"].startswith("undersigned ")
    with reading() as session:
        chain = encode(evidence.chain(session, notices.find(session, SLUG)))
    manifest = world.get(f"/notices/{SLUG}/servings/1/manifest.json").data
    said = verify([("chain.json", chain), ("1.json", manifest)], datetime.now(UTC))
    assert all(one.holds for one in said if one.holds is not None), said
    assert any("RET=HDRS" in one for one in servers[WILLING].commands)
    assert any("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;leader@willing.example" in one for one in servers[WILLING].commands)


def test_delivery_parameters_go_only_where_they_are_offered(world: World, servers: dict[str, SmtpServer]) -> None:
    publish({"Chair": SLOW})
    world.work()
    assert not any("NOTIFY" in one or "RET=" in one for one in servers[SLOW].commands)


def test_a_delivery_notice_and_an_acknowledgement_raise_the_tier(world: World, servers: dict[str, SmtpServer]) -> None:
    publish({"Leader": WILLING, "Chair": SLOW})
    world.work()
    first, second = (one.message_id for one in world.rows(select(Delivery).order_by(Delivery.id)))
    for action, tier in (("delayed", "recipient"), ("relayed", "recipient"), ("delivered", "notified")):
        with transaction() as session:
            assert arrivals.notified(session, first, action, "2.0.0 ok", datetime.now(UTC))
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
        assert arrivals.notified(session, second, "failed", "550 5.2.1 closed", datetime.now(UTC))
        assert not arrivals.notified(session, 10**6, "failed", "", datetime.now(UTC))
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


def test_a_refused_letter_goes_to_the_other_address_and_the_organisers_hear_of_it(
    world: World, servers: dict[str, SmtpServer]
) -> None:
    world.add_organisers()
    servers[STERN].will("RCPT", answer("550 5.1.1 unknown"))
    take_in({"Secretary": STERN})
    with transaction() as session:
        session.execute(update(Official).values(fallback_email="office@willing.example"))
    publish({})
    world.work()
    [taken] = servers[WILLING].taken
    assert taken.recipients == ["office@willing.example"]
    said = verify([("letter.eml", taken.content)], datetime.now(UTC))
    assert all(one.holds is not False for one in said), said
    assert "550 5.1.1 unknown" in text_of(world.letter(OLIVE, "did not arrive"))
    assert tiers(world) == {"Secretary": "recipient"}
    olive = world.sign_in(OLIVE)
    assert "A letter did not arrive" in world.get("/organise/officials", olive).get_data(as_text=True)


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

"""Serving with proof: three mail servers that behave differently, the register that says so, a stranger who checks it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from xml.etree import ElementTree

from sqlalchemy import select, update

from service.core.db import reading, transaction
from service.models import Evidence, Serving
from service.notices import publishing
from service.proof.encoding import encode, sha256
from service.proof.verify import verify
from service.proof_store import evidence_chain
from tests.support import crowd
from tests.support.people import ANN, SLUG
from tests.support.servers.smtp_server import SmtpServer, answer
from tests.support.servers.three_servers import (
    HOUR,
    OFFICES,
    SLOW,
    STERN,
    WILLING,
    environment,
    later,
    parsed,
    publish,
    servers,
    tiers,
)
from tests.support.world import World


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


def test_a_signer_proves_to_have_been_counted(world: World, servers: dict[str, SmtpServer]) -> None:
    publish(OFFICES, signers=0, milestones=(1, 2))
    world.sign(ANN)
    world.confirm(ANN["email"])
    receipt = world.letter(ANN["email"], "Your signature counts")
    early = next(bytes(part.get_payload(decode=True)) for part in receipt.iter_attachments())
    assert "no serving has counted it yet" in verify([("receipt.json", early)], datetime.now(UTC))[0].sentence
    manage = world.manage(ANN["email"])
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
        chain = encode(evidence_chain.chain(session, publishing.find(session, SLUG)))
    manifest = world.get(f"/notices/{SLUG}/servings/1/manifest.json").data
    said = verify([("chain.json", chain), ("1.json", manifest)], datetime.now(UTC))
    assert all(one.holds for one in said if one.holds is not None), said
    assert any("RET=HDRS" in one for one in servers[WILLING].commands)
    assert any("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;leader@willing.example" in one for one in servers[WILLING].commands)


def test_delivery_parameters_go_only_where_they_are_offered(world: World, servers: dict[str, SmtpServer]) -> None:
    publish({"Chair": SLOW})
    world.work()
    assert not any("NOTIFY" in one or "RET=" in one for one in servers[SLOW].commands)


__all__ = ["environment", "servers"]

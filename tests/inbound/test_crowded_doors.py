"""Mail that comes in never keeps a leave waiting, fills no disk that signers need, and no peer holds a door shut."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.emails import links
from service.inbound import spool
from service.models import Arrival, RawMail
from tests.inbound.conftest import Receiver
from tests.inbound.post import DOMAIN, letter
from tests.support.world import World
from workers.inbound import listen as doors


def test_whoever_leaves_is_read_before_a_flood(either_world: World) -> None:
    now, junk = datetime.now(UTC), letter("a@example.org", f"postmaster@{DOMAIN}")
    with transaction() as session:
        flood = [spool.Mail("smtp", "a@example.org", [f"postmaster@{DOMAIN}"], junk) for _ in range(3 * spool.BATCH)]
        later = [spool.Mail("smtp", "", [address], junk) for address in (links.bounce_address(1), links.unsubscribe_address(1))]
        spool.store(session, [*flood, *later], now)
    with transaction() as session:
        claimed = {arrival.recipient for arrival in spool.claim(session, now)}
    assert claimed >= {links.bounce_address(1), links.unsubscribe_address(1)}


@pytest.mark.settings(INBOUND_RESERVE_MB="999999999")
def test_a_full_disk_takes_no_mail_but_lets_people_leave(world: World, receiver: Receiver) -> None:
    said = []
    for to in (f"postmaster@{DOMAIN}", links.unsubscribe_address(1)):
        with receiver.client() as client:
            client.ehlo()
            client.mail("a@example.org")
            client.rcpt(to)
            said.append(client.data(letter("a@example.org", to))[0])
    assert said == [452, 250]
    assert world.rows(select(Arrival.recipient)) == [links.unsubscribe_address(1)]
    assert "are kept for signers" in (world.get("/readyz").json or {})["disk"]


def test_one_peer_holds_few_connections_and_the_other_door_stays_open(receiver: Receiver) -> None:
    idle = []
    try:
        for _ in range(doors.MOST_OF_A_PEER):
            idle.append(smtplib.SMTP("127.0.0.1", receiver.smtp, timeout=20, source_address=("127.0.0.9", 0)))
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            smtplib.SMTP("127.0.0.1", receiver.smtp, timeout=20, source_address=("127.0.0.9", 0))
        assert refused.value.smtp_code == 421
        assert receiver.client().noop()[0] == 250
        assert receiver.lmtp_client().noop()[0] == 250
    finally:
        for one in idle:
            one.close()


def memory_of(receiver: Receiver) -> int:
    """In MB, resident."""
    return int(Path(f"/proc/{receiver.process.pid}/statm").read_text().split()[1]) * 4 // 1024


def test_messages_without_an_end_lie_on_disk(receiver: Receiver) -> None:
    """Forty messages of five megabytes that do not end: 200 MB, of which the process holds few."""
    before = memory_of(receiver)
    begun = []
    for number in range(40):
        client = smtplib.LMTP("127.0.0.1", receiver.lmtp, timeout=20)
        client.ehlo()
        client.mail("a@example.org")
        client.rcpt(f"postmaster@{DOMAIN}")
        client.docmd("DATA")
        line = b"x" * 900_000 if number % 2 else b"y" * 78
        client.send((line + b"\r\n") * (5_000_000 // len(line)))
        begun.append(client)
    assert receiver.client().noop()[0] == 250
    assert memory_of(receiver) - before < 60
    for client in begun[:2]:
        client.send(b".\r\n")
        assert client.getreply()[0] == 250
    for client in begun:
        client.close()


@pytest.mark.parametrize(
    ("text", "stored", "reply"),
    [
        (b"Subject: a\r\n\r\n..\r\n...x\r\n.", b"Subject: a\r\n\r\n.\r\n..x\r\n", 250),
        (b"x" * 70_000 + b"\r\n..\r\n.", b"x" * 70_000 + b"\r\n.\r\n", 250),
        (b"x" * 65_536 + b"\r\n.", b"x" * 65_536 + b"\r\n", 250),
        (b"x" * 65_535 + b"\r\n.y\r\n.", b"x" * 65_535 + b"\r\ny\r\n", 250),
        (b"x" * 1_100_000 + b"\r\n.", None, 500),
        ((b"x" * 1_000 + b"\r\n") * 27_000 + b".", None, 552),
        (b".", b"", 250),
    ],
)
def test_a_text_is_stored_as_it_was_sent(
    world: World, receiver: Receiver, text: bytes, stored: bytes | None, reply: int
) -> None:
    with receiver.lmtp_client() as client:
        client.ehlo()
        client.mail("a@example.org")
        client.rcpt(f"postmaster@{DOMAIN}")
        client.docmd("DATA")
        client.send(text + b"\r\n")
        assert client.getreply()[0] == reply
        assert client.noop()[0] == 250  # and the next command is heard
    assert world.rows(select(RawMail.content)) == ([] if stored is None else [stored])

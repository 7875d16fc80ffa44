"""Mail that comes in never keeps a leave waiting, fills no disk that signers need, and no peer holds a door shut."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service import links, spool
from service.db import transaction
from service.models import Arrival
from tests.inbound.conftest import Receiver
from tests.inbound.post import DOMAIN, letter
from tests.world import World
from workers.inbound import receiver as doors


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

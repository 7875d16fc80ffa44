"""SIGTERM while every connection waits on a slow server: over within 4 seconds, nothing held, nothing repeated."""

from __future__ import annotations

import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from service.core.db import transaction
from service.models import Message
from tests.faults.site import Site
from tests.support.servers.smtp_server import STALL, Act, SmtpServer

CONNECTIONS = 4
READERS = 45


def waiting(relay: SmtpServer, stage: str) -> int:
    """How many connections wait for the answer to this."""
    if stage == ".":
        return sum(not taken.reply for taken in relay.taken)
    return sum((line.commands or ["connect"])[-1].upper().startswith(stage.upper()) for line in relay.lines)


def ended(site: Site) -> None:
    """SIGTERM, as honcho and most platforms send it, which kill soon after."""
    worker, began = site.workers.pop(""), time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert time.monotonic() - began < 4
    assert set(site.states()) <= {"queued", "accepted"}


def gone_on(site: Site) -> None:
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    site.start()
    site.wait(site.over, sweeping=True)
    assert site.states() == {"accepted": READERS}


def texts(relay: SmtpServer) -> Counter[str]:
    return Counter(taken.recipients[0] for taken in relay.taken)


@pytest.mark.parametrize("stage", ["connect", "RCPT", "."])
def test_a_server_that_says_nothing_more(tmp_path: Path, template: Path, stage: str) -> None:
    """What may have arrived already, one text for each connection, goes again (RFC 1047); nothing else does."""
    with SmtpServer() as relay, Site(tmp_path, database=template, MAIL_PORT=str(relay.port)) as site:
        relay.always(stage, STALL)
        relay.offered.remove("PIPELINING")
        site.write_to(READERS)
        site.start()
        site.wait(lambda: waiting(relay, stage) == CONNECTIONS)
        ended(site)
        relay.always(stage, None)
        gone_on(site)
        again = [count for count in texts(relay).values() if count > 1]
        assert again == ([2] * CONNECTIONS if stage == "." else [])


def test_answers_that_come_soon_are_waited_for(tmp_path: Path, template: Path) -> None:
    with SmtpServer() as relay, Site(tmp_path, database=template, MAIL_PORT=str(relay.port)) as site:
        relay.always(".", Act(late=1.5))
        site.write_to(READERS)
        site.start()
        site.wait(lambda: waiting(relay, ".") == CONNECTIONS)
        ended(site)
        relay.always(".", None)
        gone_on(site)
        assert set(texts(relay).values()) == {1}

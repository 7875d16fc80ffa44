"""Three mail servers that officials are behind, each with a mind of its own; a notice served on them; the register."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import update

from service.core.db import transaction
from service.models import Message
from service.notices import officials, publishing, source_file
from tests.support import crowd
from tests.support.people import NOTICE, SLUG
from tests.support.servers.smtp_server import SmtpServer
from tests.support.world import World

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
        notice = publishing.take_in(session, source_file.read_file(NOTICE), now)
        notice.wait_minutes = 0
        publishing.set_milestones(notice, milestones)
        publishing.publish(session, SLUG, now)
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


def parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)  # type: ignore[return-value]


__all__ = [
    "HOUR",
    "OFFICES",
    "SLOW",
    "STERN",
    "WILLING",
    "environment",
    "later",
    "parsed",
    "publish",
    "servers",
    "take_in",
    "tiers",
]

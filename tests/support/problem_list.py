"""The list of what is wrong, as /readyz tells it and as its buttons are pressed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import update

from service.core.db import transaction
from service.models import Arrival, Failure, Import, Mailing, Message
from tests.support.world import World

FAILED = (
    ("read_import", "files", "OSError at intake.py:31"), ("take_in", "program", "KeyError at act.py:77"),
    ("shift", "relay", "our mail server cannot be used: the server takes no connections"),
    ("report", "time", "TimeoutError at reports.py:60"),
)  # fmt: skip


def ready(world: World) -> dict[str, str]:
    return dict(world.get("/readyz").get_json())


def press(world: World, act: str, key: str, browser: FlaskClient) -> int:
    return world.post("/organise/problems", {"act": act, "key": key}, browser, page="/organise").status_code


def try_once_more(world: World, times: int = 1) -> None:
    """The clock rings, and the workers try."""
    for _ in range(times):
        world.sweep()
        world.work()


def everything_wrong() -> None:
    """A row of each kind that has no story of its own here."""
    now = datetime.now(UTC)
    ago, quarantine = now - timedelta(hours=2), {"state": "quarantined", "folder": "quarantine"}
    with transaction() as session:
        for job, kind, place in FAILED:
            session.add(Failure(job=job, row_id=1, count=7, kind=kind, place=place, first_at=ago, last_at=now))
        session.add(Failure(job="count_days", row_id=0, count=3, kind="database", place="OperationalError at days.py:50",
                            first_at=ago, last_at=now))  # fmt: skip
        session.add(Import(list_id=1, organiser_id=1, state="judging", filename="members of the harbour branch.csv",
                           source="paper forms", columns={}, created_at=now))  # fmt: skip
        session.add(Arrival(source="lmtp", recipient="x", due_at=now, received_at=now, **quarantine))
        session.add(Mailing(slug="a", list_id=1, subject="What happens next", body="b", state="sending", created_at=now))
        session.add(Mailing(slug="b", list_id=1, subject="Stuck", body="b", state="paused", created_at=now,
                            paused_because="421 4.7.28 <ann@example.org> is written to too often"))  # fmt: skip
        session.execute(update(Message).where(Message.kind == "confirm").values(due_at=ago, created_at=ago))

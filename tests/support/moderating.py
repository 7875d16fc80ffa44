"""Organisers at work on signatures: what the tests of hiding, withdrawing and striking out share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from service.core.db import transaction
from service.models import Message, Proposal, Signature
from service.servings import corrections
from tests.support.people import ANN, BEN
from tests.support.world import World

WHY = "asked on the telephone"


def two_signers(world: World, **changes: str) -> None:
    """Ann and Ben sign and confirm: signatures 1 and 2."""
    for person in (ANN, BEN):
        world.sign(person, **changes)
        world.confirm(person["email"])


def press(world: World, client: FlaskClient, act: str, number: int = 1, reason: str = WHY) -> TestResponse:
    """A button of the person's page."""
    return world.post(f"/organise/signatures/{number}", {"act": act, "reason": reason}, client, page="/organise")


def decide(world: World, client: FlaskClient, act: str = "approve") -> int:
    """Presses a button of the one proposal that is open."""
    [number] = world.rows(select(Proposal.id).where(Proposal.state == "open"))
    return world.post(f"/organise/proposals/{number}", {"act": act}, client, page="/organise/notices").status_code


def send_corrections(world: World) -> None:
    """What has waited a day is written and sent."""
    with transaction() as session:
        corrections.send(session, datetime.now(UTC) + timedelta(days=1))
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(days=1))
    world.work()


def states(world: World) -> list[str]:
    return world.rows(select(Signature.state).order_by(Signature.id))

"""After a real Postfix: what it hands on is what we wrote, and both signatures hold, by two verifiers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Enclosure, Manifest, Message, Official, Subscription
from service.notices import publishing
from service.servings import serving_lifecycle
from tests.conftest import wait_until
from tests.delivery.test_mime import the_one_address
from tests.support import asking, crowd
from tests.support.people import ANN, SLUG
from tests.support.servers.postfix import Postfix
from tests.support.servers.smtp_server import SmtpServer, Taken
from tests.support.verifiers import by_dkimpy, by_opendkim, write_keys
from tests.support.world import World, text_of

OFFERED = ["8BITMIME", "SMTPUTF8", "PIPELINING"]
NAMES = ["", ".", "..", "From here", "Zoë Ő", 'A "B" <c@d>', "=?utf-8?q?x?=", "x" * 100, "é" * 90]
BODY = "\n\n".join(
    ["Dear {name|dear friend},", ".", "..", ". dot", "From here", "wört " * 400, "x" * 3000, "a  b", "{name}: many. "]
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix() as one:
        yield one


@pytest.fixture(params=[OFFERED, ["SIZE"]], ids=["8-bit", "7-bit"])
def last(request: pytest.FixtureRequest, postfix: Postfix) -> Iterator[SmtpServer]:
    """The server behind Postfix. Where it offers no 8BITMIME, Postfix recodes what is not 7-bit, and signatures break."""
    with SmtpServer(postfix.next_port) as server:
        server.offered = request.param
        yield server


@pytest.fixture
def environment(environment: dict[str, str], postfix: Postfix, tmp_path: Path) -> dict[str, str]:
    return environment | {"MAIL_PORT": str(postfix.port), "APPROVALS": "0"} | write_keys(tmp_path)


def arrived(last: SmtpServer, count: int) -> list[Taken]:
    """The letters; what Postfix notifies us of, as we asked it to, has no sender (RFC 3464)."""

    def letters() -> list[Taken]:
        return [one for one in last.taken if one.sender]

    wait_until(lambda: len(letters()) >= count)
    assert len(letters()) == count
    return letters()


def read(taken: Taken) -> EmailMessage:
    """The message, once both verifiers have found both signatures good, and only they and Postfix's header above our own."""
    assert by_dkimpy(taken.content) == [True, True]
    assert by_opendkim(taken.content) == [True, True]
    message: EmailMessage = message_from_bytes(taken.content, policy=policy.default)  # type: ignore[assignment]
    assert "Postfix" in message["Received"]
    assert not message.defects
    return message


def test_copies_of_a_mailing(world: World, last: SmtpServer) -> None:
    crowd.mailing_to(10, datetime.now(UTC), subject="Wir sind viele, heute: " + "wört " * 20, body=BODY)
    with transaction() as session:
        for number, name in enumerate(NAMES):
            one = Subscription.email == f"reader{number}@example.org"
            session.execute(update(Subscription).where(one).values(name=name))
    world.sweep()
    world.work()
    assert set(world.rows(select(Message.state))) == {"accepted"}
    names = dict(zip([f"reader{number}@example.org" for number in range(9)], NAMES, strict=True))
    for taken in arrived(last, 9):
        message, name = read(taken), names.pop(taken.recipients[0])
        assert the_one_address(taken.content, "To") == (name, taken.recipients[0])
        lines = text_of(message).splitlines()
        greeting = " ".join(" ".join(lines[: lines.index("")]).split())  # a long name has a line of its own
        assert greeting == f"Dear {name or 'dear friend'},"
        assert {".", "..", ". dot", "From here", "x" * 3000} <= set(lines)
    assert not names


def test_an_officials_letter_with_its_attachments(world: World, last: SmtpServer) -> None:
    world.publish(milestones=(100,))
    asking.sign_at(ANN | {"name": "Zoë Ő"}, datetime.now(UTC))
    asking.confirm_at(world, ANN["email"], datetime.now(UTC))
    with transaction() as session:
        session.execute(update(Official).values(name="Änne Thornhill-Őry"))
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
    world.work("notices")
    assert world.rows(select(Message.state).where(Message.queue == "notices")) == ["accepted", "accepted"]
    made = {one.filename: one.content for one in world.rows(select(Enclosure))}
    assert len(made) >= 2
    [made["manifest.json"]] = world.rows(select(Manifest.content))
    for taken in arrived(last, 2):
        message = read(taken)
        assert {one.get_filename(): one.get_payload(decode=True) for one in message.iter_attachments()} == made
        assert "Änne Thornhill-Őry" in str(message["To"]) + text_of(message)


@pytest.mark.parametrize("last", [OFFERED], indirect=True)
def test_an_address_outside_ascii(world: World, last: SmtpServer) -> None:
    crowd.mailing_to(1, datetime.now(UTC))
    with transaction() as session:
        session.execute(update(Subscription).values(email="zoë@example.org", name="Zoë"))
    world.sweep()
    world.work()
    [taken] = arrived(last, 1)
    assert taken.recipients == ["zoë@example.org"]
    assert read(taken)["To"].addresses[0].display_name == "Zoë"

"""What a mail server says of us is told apart from what it says of a reader: nobody is settled for it, and nobody gets two.

RFC 5321 §3.3: MAIL is about the sender, RCPT about a recipient, DATA and the end of the text about what is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import reading, transaction
from service.emails import links
from service.mailings import pausing, tallies
from service.models import Bounce, Failure, Mailing, Message, Subscription, Suppression
from service.operations import problems
from service.organisers import accounts
from tests.support import crowd
from tests.support.people import OLIVE, PETRA
from tests.support.servers.smtp_server import DROP, Act, SmtpServer, answer
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("relay")
Script = Callable[[SmtpServer], None]


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1", "APPROVALS": "0"} | environment | {"MAIL_PORT": str(relay.port)}


def send(world: World, count: int, domains: tuple[str, ...] = ("example.org",)) -> int:
    number = crowd.mailing_to(count, datetime.now(UTC), domains)
    world.sweep()
    world.work("bulk")
    return number


def resume(world: World, number: int) -> None:
    with transaction() as session:
        assert pausing.resume(session, number)
    crowd.next_try(world, "bulk")


def mailing(world: World) -> Mailing:
    return world.rows(select(Mailing))[0]  # type: ignore[no-any-return]


def copies(world: World) -> Counter[str]:
    return Counter(world.rows(select(Message.state).where(Message.mailing_id.is_not(None))))


def got(relay: SmtpServer) -> Counter[str]:
    return Counter(address for taken in relay.taken for address in taken.recipients if taken.accepted)


def readers(world: World) -> dict[str, int]:
    return dict.fromkeys(world.rows(select(Subscription.email).where(Subscription.state == "confirmed")), 1)


SENDER, TEXT, CLIENT = "553 5.1.8 Sender address rejected", "550 no", "554 5.7.1 Client host rejected: Access denied"
OF_US: dict[str, tuple[str, str]] = {
    "the sender, when it is named": ("MAIL", SENDER),
    "the sender, in words that sound like a reader": ("MAIL", "550 5.1.1 User unknown"),
    "the sender, without a word": ("MAIL", "550"),
    "us, when the reader is named": ("RCPT", CLIENT),
    "us, who may not relay": ("RCPT", "554 5.7.1 <reader@example.org>: Relay access denied"),
    "us, who have not signed in": ("RCPT", "530 5.7.0 Authentication required"),
    "the text, before it": ("DATA", TEXT),
    "the text, behind it": (".", "554 5.7.1 Message content rejected"),
    "the text, for its size": (".", "552 5.3.4 Message size exceeds fixed limit"),
    "the text, without a reason": (".", "550"),
}


@pytest.mark.parametrize("count", [1, 3, 50])
@pytest.mark.parametrize(("stage", "reply"), OF_US.values(), ids=OF_US)
def test_what_is_refused_of_everybody_pauses_a_mailing_of_any_size(
    world: World, relay: SmtpServer, stage: str, reply: str, count: int
) -> None:
    world.add_organisers()
    relay.always(stage, answer(reply))
    number = send(world, count)
    assert mailing(world).state == "paused"
    assert reply.split(maxsplit=1)[0] in mailing(world).paused_because
    assert set(copies(world)) == {"queued"}
    with transaction() as session:
        assert set(tallies.read(session, number)) == {"queued"}
    assert len([command for command in relay.commands if command.upper().startswith("MAIL")]) <= (20 if stage == "MAIL" else 60)
    assert world.rows(select(Suppression)) == world.rows(select(Bounce)) == []
    relay.always(stage, None)
    world.work()
    assert OLIVE in got(relay)
    resume(world, number)
    assert mailing(world).state == "sent"
    assert {email: times for email, times in got(relay).items() if email.startswith("reader")} == readers(world)


OF_ONE: dict[str, tuple[str, str, str]] = {
    "a temporary trouble": ("RCPT", "451 4.7.0 Temporary server error, come back later", "queued"),
    "450 4.7.0": ("RCPT", "450 4.7.0 try later", "queued"),
    "greylisting": ("RCPT", "450 4.2.0 Greylisted, see postgrey", "queued"),
    "a server that will not have us": ("RCPT", "450 4.7.1 Client host rejected: cannot find your hostname", "queued"),
    "a code of a provider": ("RCPT", "450 4.7.28 unusual rate", "queued"),
    "no such reader": ("RCPT", "550 5.1.1 User unknown", "refused"),
    "a policy": ("RCPT", "550 5.7.1 blocked by our policy", "refused"),
    "an old spelling of later": ("RCPT", "552 Too many recipients", "queued"),
    "a full mailbox": (".", "552 5.2.2 Mailbox full", "refused"),
    "a filter": (".", "550 5.7.1 looks like spam", "refused"),
    "the sender, once": ("MAIL", SENDER, "queued"),
    "the sender, for now": ("MAIL", "451 4.3.0 later", "queued"),
    "a full disk": (".", "452 4.3.1 Insufficient system storage", "queued"),
}


@pytest.mark.parametrize(("stage", "reply", "state"), OF_ONE.values(), ids=OF_ONE)
def test_one_answer_decides_for_one_reader_at_most(world: World, relay: SmtpServer, stage: str, reply: str, state: str) -> None:
    relay.will(stage, Act(), Act(), answer(reply))
    send(world, 44)
    assert copies(world) == {"accepted": 39, state: 1}
    crowd.next_try(world, "bulk")
    assert mailing(world).state == "sent"
    assert copies(world) == ({"accepted": 40} if state == "queued" else {"accepted": 39, "refused": 1})
    assert set(got(relay).values()) == {1}


def test_one_receiving_domain_that_will_not_have_us_stops_nobody_else(world: World, relay: SmtpServer) -> None:
    """A tenth of the list, one after the other, behind one server that the relay asks at once."""
    relay.will("RCPT blocks.example", *[answer("550 5.7.1 Service unavailable; client host blocked using a blocklist")] * 8)
    number = crowd.mailing_to(100, datetime.now(UTC), ("a.example", "b.example", "c.example"))
    with transaction() as session:
        few = select(Subscription.id).order_by(Subscription.id).offset(20).limit(12)
        session.execute(update(Subscription).where(Subscription.id.in_(few)).values(email="x@blocks.example"))
    world.sweep()
    world.work("bulk")
    assert mailing(world).state == "sent"
    with transaction() as session:
        assert tallies.read(session, number) == {"accepted": 82, "refused": 8}


def test_a_list_that_begins_with_the_readers_of_one_domain_does_not_end_there(world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", *[answer(CLIENT)] * 12)
    send(world, 60)
    assert (mailing(world).state, copies(world)) == ("sent", {"accepted": 42, "refused": 12})


def test_many_at_several_domains_pause_it_and_none_of_them_stays_refused(either_world: World, relay: SmtpServer) -> None:
    world = either_world
    relay.will("RCPT", *[act for _ in range(24) for act in (Act(), answer(CLIENT))])
    number = send(world, 60, ("a.example", "b.example", "c.example", "d.example"))
    assert mailing(world).state == "paused"
    assert "of 54 messages were refused for what is about us: 554 5.7.1" in mailing(world).paused_because
    assert set(copies(world)) == {"accepted", "queued"}
    with transaction() as session:
        assert dict(copies(world)) == tallies.read(session, number)
    resume(world, number)
    assert got(relay) == readers(world)


def failing_since(ago: timedelta) -> None:
    with transaction() as session:
        session.execute(update(Failure).values(first_at=datetime.now(UTC) - ago))


@pytest.mark.settings(SECOND_FACTOR="off")
def test_a_relay_that_refuses_us_for_now_is_waited_for_and_pauses_it_once_that_lasts(world: World, relay: SmtpServer) -> None:
    relay.always("MAIL", answer("451 4.3.0 queue file write error"))
    number = send(world, 50)
    assert (mailing(world).state, copies(world)) == ("sending", {"queued": 45})
    assert len(relay.commands) < 60
    crowd.next_try(world, "bulk")
    failing_since(timedelta(minutes=11))
    with reading() as session:
        [problem] = problems.present(session, datetime.now(UTC), problems.MAIL)
    assert "the mail server takes nothing from us for now" in problem.sentence
    assert "451 4.3.0 queue file write error" in problem.detail
    world.add_organisers()
    with transaction() as session:
        key = accounts.new_link(session, PETRA, datetime.now(UTC)).key
    world.post(links.sign_in_url(key))
    for path in ("/organise", f"/organise/updates/{number}"):
        assert "451 4.3.0 queue file write error" in world.get(path).text, path
    crowd.next_try(world, "bulk")
    assert mailing(world).state == "sending"
    failing_since(timedelta(minutes=16))
    crowd.next_try(world, "bulk")
    assert mailing(world).state == "paused"
    relay.always("MAIL", None)
    resume(world, number)
    assert mailing(world).state == "sent"
    assert got(relay) == readers(world)
    assert world.rows(select(Failure)) == []


def test_a_relay_in_trouble_is_tried_with_little(world: World, relay: SmtpServer) -> None:
    relay.always(".", answer("452 4.3.1 Insufficient system storage"))
    send(world, 50)
    tried = len(relay.taken)
    assert tried < 20
    crowd.next_try(world, "bulk")
    assert 0 < len(relay.taken) - tried <= 10
    relay.always(".", None)
    crowd.next_try(world, "bulk")
    assert (mailing(world).state, world.rows(select(Failure))) == ("sent", [])
    assert got(relay) == readers(world)


def test_a_server_that_takes_every_text_and_answers_none_gets_few(world: World, relay: SmtpServer) -> None:
    """Each of them may have arrived: with every try a reader may get one more."""
    relay.always(".", DROP)
    send(world, 200)
    assert len(relay.taken) < 20
    for _ in range(3):
        crowd.next_try(world, "bulk")
    assert len(relay.taken) < 40
    assert mailing(world).state == "sending"
    failing_since(timedelta(minutes=16))
    crowd.next_try(world, "bulk")
    assert mailing(world).state == "paused"


def test_servers_that_ask_everybody_to_come_back_later_are_told_of_and_pause_nothing(world: World, relay: SmtpServer) -> None:
    relay.always("RCPT", answer("450 4.7.0 try later"))
    send(world, 50)
    assert copies(world) == {"queued": 45}
    failing_since(timedelta(days=1))
    crowd.next_try(world, "bulk")
    assert mailing(world).state == "sending"
    with reading() as session:
        [problem] = problems.present(session, datetime.now(UTC), problems.MAIL)
    assert "mail servers ask us to come back later" in problem.sentence


def test_five_days_of_trouble_that_is_not_theirs_settle_nobody(world: World, relay: SmtpServer) -> None:
    relay.always("MAIL", answer("451 4.3.0 later"))
    send(world, 3)
    with transaction() as session:
        session.execute(update(Message).values(created_at=datetime.now(UTC) - timedelta(days=6)))
    crowd.next_try(world, "bulk")
    assert copies(world) == {"queued": 3}

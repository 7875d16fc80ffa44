"""What came back, and what follows: for the message, the address, the mailing, and whoever waits for a confirmation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.core.db import reading, transaction
from service.core.keyed_hashes import keyed_hash
from service.emails import links, suppressions
from service.inbound import bounces, failure_scores
from service.mailings import progress, tallies
from service.models import Arrival, AuditEntry, Bounce, Mailing, Message, Subscription, Suppression
from tests.inbound.post import DOMAIN, bounce, complaint, letter, receive
from tests.inbound.test_stories import send_update
from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.world import World

SOFT = "452 4.2.2 mailbox full"
pytestmark = pytest.mark.settings(APPROVALS="0")


def readers(world: World, count: int = 1) -> list[Message]:
    """So many subscribers who have each got the update."""
    world.publish()
    world.add_organisers()
    with transaction() as session:
        now = datetime.now(UTC)
        session.add_all(
            Subscription(list_id=1, email=f"p{number}@example.org", mailbox=f"p{number}@example.org", state="confirmed",
                         created_at=now, confirmed_at=now)
            for number in range(count)
        )  # fmt: skip
    send_update(world)
    return world.rows(select(Message).where(Message.kind == "mailing").order_by(Message.id))


def back(world: World, message: Message, status: str, diagnostic: str, action: str = "failed") -> Arrival:
    receive(world, bounce(status, diagnostic, action), links.bounce_address(message.id), "")
    found: Arrival = world.rows(select(Arrival).order_by(Arrival.id.desc()).limit(1))[0]
    return found


def suppressed(world: World, mailbox: str) -> str | None:
    with reading() as session:
        found = session.get(Suppression, keyed_hash(mailbox))
        return found.reason if found else None


def test_a_hard_bounce_suppresses_at_once_and_counts_on_the_report(either_world: World) -> None:
    world = either_world
    (message,) = readers(world)
    back(world, message, "5.1.1", "550 5.1.1 <p0@example.org> user unknown")
    assert suppressed(world, "p0@example.org") == "bounced: no such mailbox"
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["bounced"]
    assert world.rows(select(Bounce.text)) == ["550 5.1.1 <…@…> user unknown"]
    with reading() as session:
        assert tallies.read(session, 1) == {"bounced": 1}
        assert progress.of(session, session.get_one(Mailing, 1), datetime.now(UTC)).settled == 1
    back(world, message, "5.1.1", "550 5.1.1 user unknown")  # a replay
    assert len(world.rows(select(Bounce))) == 1


def test_a_forged_or_truncated_address_does_nothing(world: World) -> None:
    (message,) = readers(world)
    address = links.bounce_address(message.id)
    for forged in (address.replace("+", "+a", 1), address[:-25] + address[-24:], f"bounce+{'a' * 26}@{DOMAIN}"):
        receive(world, bounce(), forged, "")
    assert suppressed(world, "p0@example.org") is None
    receive(world, bounce(), address.upper(), "")
    assert suppressed(world, "p0@example.org")


def test_temporary_failures_add_up_by_days_and_decay(world: World) -> None:
    messages = readers(world, 1)
    now = datetime.now(UTC)
    days = [50, 40, 20, 15, 15, 10, 5]  # two are too long ago, two fall on one day
    for ago in days:
        with transaction() as session:
            bounces._note(session, messages[0], "p0@example.org", "soft", "4.2.2", SOFT, now - timedelta(days=ago))
    with reading() as session:
        assert failure_scores.score(session, "p0@example.org", now) == 4
        assert failure_scores.score(session, "p0@example.org", now + timedelta(days=11)) == 3
    with transaction() as session:
        session.execute(Bounce.__table__.update().values(message_id=None))  # those were of other messages
    back(world, messages[0], "4.2.2", SOFT)
    assert suppressed(world, "p0@example.org") == "bounced: too many temporary failures"
    with transaction() as session:
        suppressions.lift(session, "p0@example.org", datetime.now(UTC), asked=False)
    with reading() as session:
        assert failure_scores.score(session, "p0@example.org", datetime.now(UTC)) == 0


def test_a_delay_scores_and_suppresses_nothing(world: World) -> None:
    (message,) = readers(world)
    back(world, message, "4.4.1", "connection timed out", "delayed")
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["accepted"]
    assert world.rows(select(Bounce.kind)) == ["delayed"]
    back(world, message, "5.1.1", "550 5.1.1 user unknown")
    assert suppressed(world, "p0@example.org")


def test_what_is_held_against_us_suppresses_nobody_and_pauses_the_mailing(world: World) -> None:
    messages = readers(world, 24)
    with transaction() as session:
        session.execute(Mailing.__table__.update().values(state="sending"))
    for message in messages[:2]:
        back(world, message, "5.7.1", "554 5.7.1 blocked using zen.spamhaus.org")
    assert suppressed(world, "p0@example.org") is None
    assert world.rows(select(Mailing.state)) == ["paused"]
    assert "2 of 24 messages were turned away" in world.rows(select(Mailing.paused_because))[0]
    world.work()
    assert world.letters(OLIVE, "Paused:")


def test_a_bounce_that_nobody_understands_waits_for_a_person(world: World) -> None:
    (message,) = readers(world)
    back(world, message, "5.0.0", "554 transaction failed")
    assert suppressed(world, "p0@example.org") is None
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/inbox?folder=unclear", olive).get_data(as_text=True)
    assert "judgement (1)" in page
    number = world.rows(select(Arrival.id).where(Arrival.folder == "unclear"))[0]
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    olive.post(f"/organise/inbox/{number}", data={"act": "give up", "csrf_token": token})
    assert suppressed(world, "p0@example.org") == "bounced: an organiser judged it"
    assert "judgement (0)" in world.get("/organise/inbox?folder=unclear", olive).get_data(as_text=True)
    where = world.person("p0@example.org", olive)
    assert "Written to no more" in world.get(where, olive).get_data(as_text=True)
    assert world.post(where, {"act": "lift", "reason": ""}, olive).status_code == 422
    world.post(where, {"act": "lift", "reason": "their provider mended it"}, olive)
    assert suppressed(world, "p0@example.org") is None
    assert "Suppression lifted" in world.get(where, olive).get_data(as_text=True)
    acts = world.rows(select(AuditEntry.act).where(AuditEntry.subject.startswith("person ")).order_by(AuditEntry.id))
    assert [act for act in acts if act != "look at"] == ["give up", "lift"]


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out"])
def test_a_complaint_ends_everything_at_once(world: World, kind: str) -> None:
    (message,) = readers(world)
    with transaction() as session:
        session.execute(Mailing.__table__.update().values(state="sending"))
    receive(world, complaint(message.id, kind), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert world.rows(select(Subscription.state)) == ["left"]
    assert suppressed(world, "p0@example.org") == "said that it was spam"
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["complained"]
    assert world.rows(select(Mailing.state)) == ["sending"]  # one reader pauses nobody's mailing
    olive = world.sign_in(OLIVE)
    assert "1 complained" in world.get("/organise/updates/1", olive).get_data(as_text=True)
    where = world.person("p0@example.org", olive)
    refused = world.post(where, {"act": "lift", "reason": "it was a mistake"}, olive)
    assert refused.status_code == 422
    assert "said no themselves" in refused.get_data(as_text=True)
    assert suppressed(world, "p0@example.org")
    world.post(where, {"act": "lift", "reason": "wrote to us", "asked": "yes"}, olive)
    assert suppressed(world, "p0@example.org") is None


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_other_feedback_is_no_complaint(world: World, kind: str) -> None:
    (message,) = readers(world)
    receive(world, complaint(message.id, kind), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    assert suppressed(world, "p0@example.org") is None


def test_a_complaint_of_a_message_that_is_not_ours_does_nothing(world: World) -> None:
    (message,) = readers(world)
    forged = complaint(message.id, secret=False).replace(
        links.message_id(message.id).encode(), b"<aaaaaaaaaaaaaaaaaaaaaaaaaa@lists.example.org>"
    )
    receive(world, forged, f"fbl@{DOMAIN}", "feedback@provider.example")
    assert world.rows(select(Subscription.state)) == ["confirmed"]


def test_a_confirmation_that_bounces_ends_what_waits_for_it(world: World) -> None:
    world.publish()
    world.sign(ANN, updates="yes")
    world.subscribe(BEN)
    world.work()
    for person in (ANN, BEN):
        (asked,) = world.rows(select(Message).where(Message.email == person["email"]))
        back(world, asked, "5.1.1", "550 5.1.1 user unknown")
    assert world.rows(select(Subscription)) == []
    page = world.get(f"/notices/{SLUG}/signatures").get_data(as_text=True)
    assert ANN["name"] not in page
    assert suppressed(world, BEN["email"])


def test_a_bounce_that_overtakes_the_answer_waits_for_it(world: World) -> None:
    (message,) = readers(world)
    with transaction() as session:
        session.execute(Message.__table__.update().where(Message.id == message.id).values(state="sending"))
    assert back(world, message, "5.1.1", "550 5.1.1 user unknown").state == "waiting"
    with transaction() as session:
        session.execute(Message.__table__.update().where(Message.id == message.id).values(state="accepted"))
        session.execute(Arrival.__table__.update().values(due_at=datetime.now(UTC) - timedelta(seconds=6)))
    world.sweep()
    world.work()
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["bounced"]


def test_an_officials_address_is_never_suppressed(world: World) -> None:
    world.publish(milestones=(1,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    message = world.rows(select(Message).where(Message.kind == "serving").order_by(Message.id))[0]
    back(world, message, "5.1.1", "550 5.1.1 user unknown")
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["bounced"]
    assert suppressed(world, str(message.mailbox)) is None


@pytest.mark.settings(INBOX_FORWARD_TO="desk@example.org")
def test_replies_go_to_the_inbox_and_on_and_automatic_answers_apart(world: World) -> None:
    world.publish()
    world.add_organisers()
    to = f"notices@{DOMAIN}"
    receive(world, letter(ANN["email"], to, "Re: The first week", "I agree with you."), to, ANN["email"])
    receive(world, letter(BEN["email"], to, "Out of office: Re: The first week", "I am away."), to, BEN["email"])
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/inbox", olive).get_data(as_text=True)
    assert "I agree with you." in page
    assert "I am away." not in page
    assert "I am away." in world.get("/organise/inbox?folder=automatic", olive).get_data(as_text=True)
    forwarded = world.letter("desk@example.org")
    assert forwarded["Reply-To"] == ANN["email"]
    assert len(world.letters("desk@example.org")) == 1

"""What a stranger can make us write to somebody: few letters, none of the stranger's words, and never in place of her own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from service.core.db import transaction
from service.models import Day, Message, OutcomeCount, Signature
from service.rate_limits import windows
from tests.inbound.post import DOMAIN, letter, receive
from tests.support.asking import asked_for, sign_at
from tests.support.people import ANN, AUGUST
from tests.support.world import World, html_of, text_of

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minutes_of(world: World, email: str) -> list[int]:
    return [round((due_at - T0) / MINUTE) for _, state, due_at in asked_for(world, email) if state != "cancelled"]


def test_a_form_takes_the_place_of_the_letter_that_waits(world: World) -> None:
    """Fifty forms of a stranger leave her two letters, and her own form is in the second one, at its time."""
    world.publish(milestones=())
    names = [f"Fake {first}{second}" for first in "ABCDE" for second in "abcdefghij"]
    for number, name in enumerate(names):
        sign_at(ANN, T0 + timedelta(seconds=number), name=name)
    sign_at(ANN, T0 + 2 * MINUTE, display="officials")
    assert minutes_of(world, ANN["email"]) == [0, 15]
    world.sweep(T0 + 16 * MINUTE)
    world.work()
    sent = world.letters(ANN["email"], "confirm")[-1]
    assert "Fake" not in sent.as_string() + text_of(sent) + html_of(sent)  # nothing that a stranger wrote
    assert ANN["name"] not in text_of(sent)
    path = world.link(sent, "confirm")
    page = world.get(path).text
    assert page.index(ANN["name"]) < page.index(names[-1]) < page.index(names[-9])
    assert page.count("Confirm this one") == 10
    assert world.post(path).status_code == 409  # which of them was not said
    assert world.post(path, {"form": "0"}).status_code == 200
    assert world.rows(select(Signature.name).where(Signature.state == "confirmed")) == [ANN["name"]]
    assert world.get(path).status_code == 410


def test_tags_and_dots_are_one_mailbox_for_counting_everywhere(world: World) -> None:
    world.publish()
    for number in range(12):
        sign_at({"name": "Ann", "email": f"boss+{number}@corp.example"}, T0 + number * MINUTE)
    due = world.rows(select(Message.due_at).where(Message.state != "cancelled"))
    assert len([at for at in due if at < T0 + timedelta(days=1)]) == 3
    assert len({windows.counted_mark(f"boss{tag}@corp.example") for tag in ("", "+1", "+a+b")}) == 1


def test_a_domain_where_nobody_confirms_is_left_in_peace_and_one_of_signers_is_not(either_world: World) -> None:
    world = either_world
    world.publish(milestones=())
    now = datetime.now(UTC)
    with transaction() as session:
        for host, confirmed in (("invented.example", 0), ("signers.example", 1)):
            session.add(Day(day=now.date(), what="signatures", domain=host, requested=500, confirmed=confirmed))
    for host in ("invented.example", "signers.example"):
        sign_at({"name": "Ann", "email": f"ann@{host}"}, now)
    assert world.rows(select(Message.email).where(Message.due_at > now)) == ["ann@invented.example"]
    world.sweep(now + timedelta(hours=2))
    world.work()
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=now))
    world.sweep(now + timedelta(minutes=1))
    world.work()  # asked again as it falls due
    assert world.rows(select(Message.state).order_by(Message.id)) == ["queued", "accepted"]


def test_a_domain_that_refuses_is_left_in_peace(world: World) -> None:
    world.publish(milestones=())
    now = datetime.now(UTC)
    with transaction() as session:
        session.add(OutcomeCount(scope="domain", subject=f"{now:%Y-%m-%d} away.example", settled=25, hard=24, at=now))
    sign_at({"name": "Ann", "email": "ann@away.example"}, now)
    assert world.rows(select(Message.due_at))[0] > now + 30 * MINUTE


@pytest.mark.settings(LIMIT_COMMANDS="5 per hour")
@pytest.mark.parametrize("one", ["server", "domain"])
def test_commands_by_mail_are_limited_by_server_and_by_claimed_domain(world: World, one: str) -> None:
    world.publish()
    for number in range(8):
        host, server = (f"d{number}.example", 7) if one == "server" else ("corp.example", number)
        hop = f"Received: from x (x [203.0.113.{server}]) by mx; x\r\n".encode()
        to = f"updates-subscribe@{DOMAIN}"
        receive(world, hop + letter(f"victim{number}@{host}", to), to, "x@corp.example", work=False)
    world.work()
    now = datetime.now(UTC)
    assert len(world.rows(select(Message.id).where(Message.kind == "confirm"))) == 8
    assert len(world.rows(select(Message.id).where(Message.kind == "confirm", Message.due_at <= now))) == 5


def test_a_forged_sender_fills_one_mailbox_by_no_tag(world: World) -> None:
    world.publish()
    to = f"updates-subscribe@{DOMAIN}"
    for number in range(40):
        receive(world, letter(f"boss+{number}@corp.example", to), to, "x@corp.example", work=False)
    world.work()
    assert len([one for number in range(40) for one in world.letters(f"boss+{number}@corp.example")]) == 1
    tomorrow = datetime.now(UTC) + timedelta(hours=23)
    assert world.rows(select(func.count()).where(Message.kind == "confirm", Message.due_at < tomorrow)) == [3]


@pytest.mark.settings(LIMIT_SIGN_IN="10000 per minute", LIMIT_SIGN_IN_DAY="4")
def test_links_to_sign_in_have_an_allowance_of_their_own(world: World) -> None:
    world.add_organisers()
    for _ in range(12):
        world.post("/organise/sign-in", {"email": AUGUST})
        with transaction() as session:
            session.execute(update(Message).values(created_at=Message.created_at))
    world.work()
    assert len(world.letters(AUGUST, "sign-in")) == 3  # alive at a time
    assert world.rows(select(func.count()).where(Message.kind == "sign_in")) == [3]


VICTIM, TAGGED, TRIES = "victim@corp.example", "victim+{}@corp.example", 40
FORM = {"office": "none", "display": "public", "consent": "yes"}


def by_form(world: World, number: int, address: str, email: str) -> None:
    where: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": address}}
    page = world.client.get("/manage", **where).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    kinds = (
        ("/manage", {}),
        ("/lists/updates", {"name": ""}),
        ("/complaints", {"name": "Ann", "text": "Hello"}),
        (
            "/notices/open-the-books/sign",
            {"name": f"Fake {'ABCDEFGHIJ'[number % 10]}", "office": "none", "display": "public", "consent": "yes"},
        ),
    )
    path, fields = kinds[number % len(kinds)]
    world.client.post(path, data=fields | {"email": email, "csrf_token": token}, **where)


def by_mail(world: World, number: int, address: str, email: str) -> None:
    to = f"updates-{('subscribe', 'request', 'unsubscribe')[number % 3]}@{DOMAIN}"
    hop = f"Received: from x (x [{address}]) by mx; x\r\n".encode()
    receive(world, hop + letter(email, to, "help"), to, "x@corp.example", work=False)


@pytest.mark.settings(LIMIT_VISITOR="60 per 10 minutes")
@pytest.mark.parametrize("tagged", [False, True], ids=["her address", "with tags"])
@pytest.mark.parametrize("thousand", [False, True], ids=["from one address", "from as many as there are tries"])
@pytest.mark.parametrize("way", [by_form, by_mail], ids=["by form", "by mail"])
def test_letters_a_day_that_one_victim_can_be_made_to_get(world: World, way: Any, *, thousand: bool, tagged: bool) -> None:
    """All kinds of forms, or of commands, in turn; what would leave within 24 hours of the first try."""
    world.publish(milestones=())
    began = datetime.now(UTC)
    for number in range(TRIES):
        address = f"203.0.{number // 250}.{number % 250 + 1}" if thousand else "203.0.113.7"
        way(world, number, address, TAGGED.format(number) if tagged else VICTIM)
    world.work()
    day = began + timedelta(days=1) - MINUTE
    going = (Message.state.in_(("queued", "sending", "accepted")), Message.due_at < day)
    assert world.rows(select(func.count()).where(*going))[0] <= 3

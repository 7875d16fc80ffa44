"""Who gets it: each way to narrow an audience, nobody twice, and what was counted is what is fanned out; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import states
from service.core.db import reading, transaction
from service.errors import Refused
from service.mailings import audience, mailing_lifecycle
from service.mailings.audience import Audience
from service.models import Edition, Mailing, MailingList, Message, Signature, Subscription
from tests.support.people import AUGUST
from tests.support.world import World

pytestmark = pytest.mark.settings(APPROVALS="0")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PEOPLE = [
    # name, list, CLP, office, joined how many days ago, signed
    ("ann", 1, "Harbour", "chair", 30, True),
    ("ann", 2, "Harbour", "", 5, True),
    ("ben", 1, "valley", "", 3, False),
    ("chi", 2, "Valley", "secretary", 10, True),
    ("dee", 2, "", "", 1, False),
]
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "one list": ({"lists": (1,)}, "ann1 ben1"),
    "two lists, nobody twice": ({"lists": (1, 2)}, "ann1 ben1 chi2 dee2"),
    "who signed": ({"lists": (1, 2), "signed": True}, "ann1 chi2"),
    "a local party, in any case": ({"lists": (1, 2), "clps": ("valley",)}, "ben1 chi2"),
    "an office": ({"lists": (1, 2), "offices": ("chair", "secretary")}, "ann1 chi2"),
    "an office that only the first row has": ({"lists": (2,), "offices": ("chair",)}, ""),
    "joined later": ({"lists": (1, 2), "joined_after": "2026-11-15"}, "ann2 ben1 dee2"),
    "joined before": ({"lists": (1, 2), "joined_before": "2026-11-15"}, "ann1 chi2"),
    "both": ({"lists": (1, 2), "clps": ("harbour", "valley"), "joined_before": "2026-11-01"}, "ann1"),
}


def fill(world: World) -> None:
    world.publish()
    with transaction() as session:
        session.add(MailingList(slug="second", title="Second", created_at=NOW))
        session.flush()
        edition = session.scalars(select(Edition)).one()
        for number, (name, listed, clp, office, days, signed) in enumerate(PEOPLE):
            address, at = f"{name}@example.org", NOW - timedelta(days=days)
            same = {"email": address, "mailbox": address, "name": name, "created_at": at, "confirmed_at": at}
            session.add(Subscription(list_id=listed, clp=clp, office=office, state="confirmed", **same))
            if (signed and listed == 1) or name == "chi":
                more = {"name_key": name, "display": "public", "sequence": number, "edition_id": edition.id}
                session.add(Signature(state="confirmed", **same, **more))
            session.flush()


def found(session: Session, who: Audience) -> str:
    rows = session.execute(
        select(Subscription.name, Subscription.list_id).where(*audience.members(who)).order_by(Subscription.name)
    )
    return " ".join(f"{name}{listed}" for name, listed in rows)


def test_each_audience_is_who_it_says_and_is_fanned_out_as_counted(either_world: World) -> None:
    fill(either_world)
    for name, (fields, expected) in CASES.items():
        who = Audience(**fields)
        with transaction() as session:
            assert found(session, who) == expected, name
            assert audience.size(session, who) == len(expected.split())
            if not expected:
                continue
            mailing = mailing_lifecycle.draft(
                session, session.get_one(MailingList, who.lists[0]), name, "Hello.", None, NOW, who
            )
            mailing_lifecycle.submit(mailing)
            session.flush()
            mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), NOW)
            mailing_lifecycle.fan_out(session, mailing.id, NOW)
            sent = select(func.count()).select_from(Message).where(Message.mailing_id == mailing.id)
            assert session.scalar(sent) == len(expected.split()), name


def test_whoever_leaves_the_first_list_between_two_chunks_does_not_get_it_by_the_second(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(either_world)
    monkeypatch.setattr(mailing_lifecycle, "CHUNK", 1)
    with transaction() as session:
        mailing = mailing_lifecycle.draft(session, session.get_one(MailingList, 1), "A", "B.", None, NOW, Audience((1, 2)))
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), NOW)
        number = mailing.id
    with transaction() as session:
        assert mailing_lifecycle.fan_out(session, number, NOW)
    with transaction() as session:
        ann = Subscription.mailbox == "ann@example.org"
        states.claim(
            session, Subscription, "confirmed", "left", ann, Subscription.list_id == 1, left_at=NOW + timedelta(seconds=5)
        )
    more = True
    while more:
        with transaction() as session:
            more = mailing_lifecycle.fan_out(session, number, NOW + timedelta(seconds=9))
    with reading() as session:
        joined = select(Subscription.name).join(Message, Message.subscription_id == Subscription.id)
        assert sorted(session.scalars(joined)) == ["ann", "ben", "chi", "dee"]


def test_two_ways_to_say_the_same_are_the_same_audience() -> None:
    assert Audience((2, 1)).stored() == Audience((1, 2), signed=False, clps=()).stored() == {"lists": [1, 2]}


def test_each_copy_says_which_lists_it_is_for(world: World) -> None:
    fill(world)
    with reading() as session:
        assert audience.because(session, Audience((1,))) == "you are on the list “Updates”"
        assert audience.because(session, Audience((1, 2))) == "you are on one of the lists “Updates”, “Second”"


@pytest.mark.parametrize(
    ("form", "lists", "field"),
    [
        ({}, [], "list"),
        ({}, ["nowhere"], "list"),
        ({"joined_after": "yesterday"}, ["updates"], "joined_after"),
        ({"clps": "=cmd"}, ["updates"], "clps"),
        ({"clps": ";".join(f"Party {number}" for number in range(51))}, ["updates"], "clps"),
    ],
)
def test_an_audience_that_cannot_be_is_refused(world: World, form: dict[str, str], lists: list[str], field: str) -> None:
    fill(world)
    with reading() as session, pytest.raises(Refused) as refused:
        audience.read_form(session, form, lists, [])
    assert set(refused.value.errors) == {field}


def test_the_editor_counts_and_saves_nothing(world: World) -> None:
    fill(world)
    world.add_organisers()
    august = world.sign_in(AUGUST)
    page = world.get("/organise/updates/count?list=updates&list=second&clps=Harbour", august).text
    assert "<strong>fewer than 5 people</strong>" in page
    assert "ann" not in page.split('id="audience"')[1]
    form = {"subject": "A", "body": "B", "list": ["updates", "second"], "clps": "Valley"}
    page = world.post("/organise/updates/count", form, august, page="/organise/updates/new").text
    assert "<strong>fewer than 5 people</strong>" in page
    assert 'value="A"' in page
    assert world.rows(select(Mailing)) == []

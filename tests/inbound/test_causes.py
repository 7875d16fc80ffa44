"""One cause explains many failures: it is told as one, judged as one, and lifted with one press or command."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from sqlalchemy import select, update

from service.core.db import reading, transaction
from service.core.keyed_hashes import keyed_hash
from service.emails import suppressions
from service.emails.suppressions import suppress
from service.inbound import bounces, reply_patterns
from service.models import AuditEntry, ReplyPattern, Subscription, Suppression
from tests.inbound.post import DOMAIN, complaint, receive
from tests.inbound.test_bounces import back, readers
from tests.inbound.test_brake import GONE, counts
from tests.inbound.test_held_readers import held_readers
from tests.stories.people.test_retention import holding
from tests.support.people import OLIVE
from tests.support.world import World

pytestmark = pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", LIMIT_GAP_MINUTES="0", BRAKE_NEW_CAUSE="0")


def flask(world: World, *words: str) -> Result:
    return world.app.test_cli_runner().invoke(args=list(words))


def test_all_that_one_cause_explains_is_lifted_with_one_press(either_world: World) -> None:
    """Seven who failed alike: two of them said no since, one failed long ago, one for another cause."""
    world = either_world
    messages = readers(world, 200)
    for message in messages[:7]:
        back(world, message, "5.1.1", GONE)
    back(world, messages[7], "5.1.1", "550 5.1.1 no such user here")
    receive(world, complaint(messages[0].id), f"fbl@{DOMAIN}", "feedback@provider.example")
    old = datetime.now(UTC) - timedelta(days=31)
    with transaction() as session:
        suppress(session, "p1@example.org", "an organiser: by telephone", datetime.now(UTC), "organiser")
        session.execute(update(Suppression).where(Suppression.hash == keyed_hash("p2@example.org")).values(at=old))
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/came-back", olive).get_data(as_text=True)
    assert "Write to these 4 mailboxes again" in page
    (cause,) = world.rows(select(ReplyPattern.id).where(ReplyPattern.key.contains("virtual mailbox")))
    where = f"/organise/came-back/causes/{cause}/lift"
    assert world.post(where, {"reason": ""}, olive, page="/organise/came-back").status_code == 422
    assert world.post(where, {"reason": "our relay"}, olive, page="/organise/came-back").status_code == 303
    left = {number for number in range(8) if suppressions_of(f"p{number}@example.org")}
    assert left == {0, 1, 2, 7}
    assert world.post(where, {"reason": "our relay"}, olive, page="/organise/came-back").status_code == 409
    assert world.post(where.replace(f"{cause}", f"{2**63}"), {"reason": "why"}, olive, page="/organise").status_code == 404
    entries = world.rows(select(AuditEntry).where(AuditEntry.subject == f"cause {cause}"))
    assert [(one.act, one.details) for one in entries] == [("lift", {"reason": "our relay", "mailboxes": 4})]


def suppressions_of(mailbox: str) -> bool:
    with reading() as session:
        return suppressions.is_suppressed(session, mailbox)


def test_the_shell_shows_judges_and_lifts(world: World) -> None:
    held_readers(world)
    said = json.loads(flask(world, "suppressions", "list", "--json").output)
    (brake,) = said["brakes"]
    assert (brake["scope"], brake["hard"], brake["settled"], brake["held"]) == ("mailing", 10, 100, 10)
    assert sum(cause["mailboxes"] for cause in brake["causes"]) == 10
    cause = str(brake["causes"][0]["id"])
    assert (
        json.loads(flask(world, "suppressions", "judge", "1", "suppress", "--cause", cause, "--json").output)["mailboxes"] == 4
    )
    assert "6 mailboxes are written to again" in flask(world, "suppressions", "judge", "1", "lift").output
    assert flask(world, "suppressions", "judge", "1", "lift").exit_code == 1
    assert counts(world) == (4, 0, 0)
    assert flask(world, "suppressions", "lift", cause, "--reason", "").exit_code == 1
    assert json.loads(flask(world, "suppressions", "lift", cause, "--reason", "our relay", "--json").output)["mailboxes"] == 4
    assert counts(world) == (0, 0, 0)
    acts = Counter(world.rows(select(AuditEntry.act).where(AuditEntry.address == "command")))
    assert acts["suppress"], acts["lift"] == (1, 2)


@pytest.mark.parametrize(("first", "second", "alike"), [
    ("550 5.1.1 <ann@example.org>: user unknown", "550 5.1.1 <ben@example.net>: user unknown", True),
    ("550-5.1.1 no such user d94si123 - gsmtp", "550-5.1.1 no such user x7si9 - gsmtp", True),
    ("550 5.1.1 mx1.example.org: unknown [192.0.2.1]", "550 5.1.1 mx7.example.net: unknown [2001:db8::1]", True),
    ("550 5.1.1 see https://a.example/x?y=1", "550 5.1.1 see https://b.example/z", True),
    ("550 user unknown", "553 user unknown", False),
    ("550 5.1.1 user unknown", "550 5.1.10 user unknown", False),
    ("550 5.1.1 user unknown", "550 5.1.1 mailbox disabled", False),
    ("", "554", False),
])  # fmt: skip
def test_one_cause_is_known_in_all_its_words(first: str, second: str, alike: bool) -> None:
    keys = [reply_patterns.key_of(text, bounces.reasons.specific("", text)) for text in (first, second)]
    assert (keys[0] == keys[1]) == alike, keys


def test_a_pattern_holds_nothing_of_a_person(world: World) -> None:
    messages = readers(world, 100)
    with transaction() as session:
        session.execute(update(Subscription).where(Subscription.id == 1).values(mailbox="pat.quill@example.org"))
    (message,) = [one for one in messages if one.subscription_id == 1]
    back(world, message, "5.1.1", "550 5.1.1 PAT.QUILL: no such user Pat Quill (pat.quill@example.org)")
    assert world.rows(select(ReplyPattern.key)) == ["5.1.1 no such user"]
    assert not holding("quill") & {"reply_patterns", "bounces"}

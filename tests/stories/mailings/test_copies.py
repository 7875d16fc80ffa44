"""Copies of a mailing from its stencil: what an independent parser reads is what was meant."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import given, settings
from sqlalchemy import select

from service.mailings import news
from service.models import Mailing, MailingList, Subscription
from tests.delivery.test_mime import ONCE, by_hand, readable, same_links, some_names, the_one_address, wire_rules
from tests.stories.mailings.test_sending import HELLO, NEW, press
from tests.support.people import ANN, AUGUST, PETRA
from tests.support.world import World, html_of, text_of
from workers.outbound.message.stencil import Recipient, Stencil, readers

MAILING = "Dear {name|dear friend},\n\n{name} of {clp|somewhere}: we are **many**. From here [on](https://example.org/x).\n\n{office|-}\n{name}"


def a_mailing(subject: str = "Wir sind viele, heute", title: str = 'Nüws, "big" <list>', body: str = MAILING) -> Mailing:
    where = MailingList(id=1, slug="updates", title=title, created_at=datetime.now(UTC))
    return Mailing(id=1, slug="first", list_id=1, subject=subject, body=body, mailing_list=where, approved_at=datetime.now(UTC))


def reader(name: str, clp: str = "", email: str = "ann@example.org") -> Recipient:
    return readers([(7, 9, email, email, name, clp, "")])[0]


def copied(mailing: Mailing, whom: Recipient) -> bytes:
    return Stencil(mailing).copy(whom).content


@settings(max_examples=60, deadline=None)
@given(some_names.map(readable), some_names.map(readable))
def test_a_copy_is_read_back_as_it_was_meant(name: str, clp: str) -> None:
    mailing = a_mailing()
    raw = copied(mailing, reader(name, clp))
    wire_rules(raw, longest=110)
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    read: EmailMessage = message_from_bytes(raw, policy=policy.default)  # type: ignore[assignment]
    assert not read.defects
    assert the_one_address(raw, "To") == (name, "ann@example.org")
    filled = " ".join(text_of(read).split())
    expected = f"Dear {name or 'dear friend'}, {name or 'friend'} of {clp or 'somewhere'}: we are many. "
    expected += f"From here on <https://example.org/x>. - {name or 'friend'}"
    assert filled.startswith(" ".join(expected.split()))
    assert f"<p>Dear {mime_html(name) or 'dear friend'},</p>" in html_of(read).replace("\r\n", "\n")


def mime_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#x27;")


def test_the_headers_of_a_copy(world: World) -> None:
    for title in ("Updates", 'Nüws, "big" <list>', "Ünser =?utf-8?q?x?= Brief", "a, b; c", "x" * 120):
        raw = copied(a_mailing(title=title), reader("Ann"))
        wire_rules(raw, longest=200)
        read = message_from_bytes(raw, policy=policy.default)
        same_links(read)  # type: ignore[arg-type]
        listed = (
            "List-Id",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "List-Help",
            "List-Subscribe",
            "List-Owner",
            "List-Archive",
            "List-Post",
            "Feedback-ID",
        )
        for name in (*ONCE, *listed):
            assert len(read.get_all(name, [])) == 1, name
        stable = re.sub(rb"\r\n(?=[ \t])", b"", raw).decode().partition("List-Id: ")[2].partition("\r\n")[0]
        assert stable.endswith(f"<updates.{world.settings.mail_domain}>"), stable
        assert (
            by_hand(f"List-Id: {stable}".replace("<updates.", "<updates@").encode()) == f"updates@{world.settings.mail_domain}"
        )
        assert str(read["List-Unsubscribe"]).startswith("<http://")
        assert read["Auto-Submitted"] is None
        assert read["Feedback-ID"].count(":") <= 3
        assert "ann" not in read["Feedback-ID"]


def test_a_link_of_an_update_stands_in_both_parts_or_in_none() -> None:
    mailing = a_mailing(
        body="[a](https://a.example/x) [b](ftp://b.example) [c](javascript:alert(1)) [d](https://d.example/ü?a=1&b=2)"
    )
    read: EmailMessage = message_from_bytes(copied(mailing, reader("Ann")), policy=policy.default)  # type: ignore[assignment]
    same_links(read)
    assert "ftp:" not in text_of(read)
    assert "https://a.example/x" in news.as_text(mailing)


TESTED = "Dear {name|friend},\n\nwe are **many**: 100 %."


def test_a_test_copy_is_byte_for_byte_what_members_get(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.subscribe(ANN | {"name": ""})  # nothing is known of an organiser who tests
    world.confirm(ANN["email"])
    august, petra = world.sign_in(AUGUST), world.sign_in(PETRA)
    where = world.post(NEW, HELLO | {"body": TESTED}, august).headers["Location"]
    press(world, where, "test", august)
    world.work()
    press(world, where, "submit", august)
    press(world, where, "send", petra)
    world.work()
    tested = world.letter(AUGUST, "[Test] Hello")
    copy = next(one for one in world.letters(ANN["email"]) if one["Subject"] == "Hello")
    assert "Dear friend," in text_of(tested)
    assert told(tested) == told(copy)
    assert world.post(world.link(tested, "unsubscribe")).status_code == 200
    assert "left" not in world.rows(select(Subscription.state))


def told(letter: EmailMessage) -> bytes:
    """A letter without what differs from copy to copy: whose it is, when, its tokens, the boundary; and the mark of a test."""
    own = {"received", "to", "date", "message-id", "dkim-signature", "return-path", "cfbl-feedback-id"}
    head = "".join(f"{name}: {value}\n" for name, value in letter.items() if name.lower() not in own)
    whole = (head + text_of(letter) + html_of(letter)).encode()
    whole = whole.replace(b"[Test] ", b"").replace(str(letter.get_boundary()).encode(), b"")
    return re.sub(rb"(/unsubscribe/|unsubscribe\+)[\w-]+", rb"\1", whole)

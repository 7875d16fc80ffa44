"""Updates as organisers paste them: addresses, tables, lists and placeholders arrive in letters, on the page, in the feed."""

from __future__ import annotations

import html
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from service.models import Mailing, Notice
from service.text.markdown.placeholders import marked
from service.text.markdown.rendering import fill_text, to_text
from tests.delivery.test_mime import Links, readable, same_links, some_names, wire_rules
from tests.stories.mailings.test_copies import a_mailing, copied, reader
from tests.stories.mailings.test_sending import HELLO, NEW, press, submitted, subscribe
from tests.support.people import ANN, AUGUST, NOTICE, PETRA
from tests.support.world import World, html_of, text_of

PAT = {"email": "pat@example.org", "name": "Pat O'Neill", "clp": "Harbour & Quay"}
FOUND = """\
The minutes: https://example.org/_minutes_/may.pdf and https://example.org/plan*2026*a.

| Day | Who |
|---|---|
| Mon | Ada |

1. First
   - inner [with [brackets]](https://example.org/a_(b))
2. Second

Read [https://www.bank.example/](https://other.example/).
"""
YOURS = """\
[Your page](https://example.org/?who={name|you}&party={clp|all}).

Dear {name|friend}, we meet on Monday, and all of {clp|your local party} is welcome to come along.

See https://example.org/{clp|all}/_map_ {name}
"""


@pytest.fixture
def studio(world: World) -> World:
    world.publish()
    world.add_organisers()
    subscribe(world, ANN, PAT)
    return world


def sent(studio: World, **changes: str) -> EmailMessage:
    """Pat's copy of an update that went."""
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august, **changes)
    assert press(studio, where, "send", petra) == 303
    studio.work()
    return studio.letter(PAT["email"], changes.get("subject", HELLO["subject"]))


def test_addresses_tables_and_lists_arrive_everywhere(studio: World) -> None:
    letter = sent(studio, body=FOUND)
    slug = studio.rows(select(Mailing.slug))[0]
    feed = ElementTree.fromstring(studio.get("/news.atom").data)
    in_feed = next(element.text or "" for element in feed.iter("{http://www.w3.org/2005/Atom}content"))
    for page in (html_of(letter), studio.get(f"/news/{slug}").text, in_feed):
        pressed = Links(page).found
        assert {"https://example.org/_minutes_/may.pdf", "https://example.org/plan*2026*a"} <= pressed
        assert {"https://example.org/a_(b)", "https://other.example/"} <= pressed
        assert re.search(r'<th scope="col">Day</th>\s*<th scope="col">Who</th>', page)
        assert re.search(r"<td>Mon</td>\s*<td>Ada</td>", page)
        assert re.search(r"<li>First\s*<ul>\s*<li>inner", page)
    text = text_of(letter).replace("\r\n", "\n")
    assert "The minutes: https://example.org/_minutes_/may.pdf and\nhttps://example.org/plan*2026*a.\n" in text
    assert "Day  Who\n---  ---\nMon  Ada\n" in text
    assert "1. First\n   - inner with [brackets] <https://example.org/a_(b)>\n2. Second\n" in text


def test_a_link_with_another_address_as_its_words_is_shown_to_the_approver(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august, body=FOUND)
    page = html.unescape(studio.get(where, petra).text)
    assert "The link “https://www.bank.example/” leads to “https://other.example/”." in page


@pytest.mark.parametrize("picture", ["![plan]", "![a [b] c](https://example.org/x.png)", "<img src=https://example.org/x.png>"])
def test_a_picture_is_refused_with_its_place(studio: World, picture: str) -> None:
    body = f"{FOUND}\n{picture}\n\n[plan]: https://example.org/plan.png"
    august = studio.sign_in(AUGUST)
    response = studio.post(NEW, HELLO | {"body": body}, august)
    assert response.status_code == 422
    assert "Line 13, column 1: “" in response.text
    for name, text, line, arguments in (
        ("update.md", f"\n# Hello\n\n{body}", 16, ["mailings", "send", "--list", "updates"]),
        ("notice.md", f"{NOTICE}\n{picture}\n", NOTICE.count("\n") + 2, ["notices", "import"]),
    ):
        file = studio.settings.var_dir / name
        file.write_text(text)
        result = studio.app.test_cli_runner().invoke(args=[*arguments, str(file)])
        assert result.exit_code == 1
        assert f"Line {line}, column 1: “" in result.output
        assert "would place a picture" in result.output
    assert studio.rows(select(Mailing.id)) == []
    assert picture not in studio.rows(select(Notice.body))[0]


def test_a_value_in_an_address_is_percent_encoded_in_both_parts(studio: World) -> None:
    letter = sent(studio, body=YOURS)
    address = "https://example.org/?who=Pat%20O%27Neill&party=Harbour%20%26%20Quay"
    assert {address, "https://example.org/Harbour%20%26%20Quay/_map_"} <= Links(html_of(letter)).found
    text = text_of(letter).replace("\r\n", "\n")
    assert text.startswith(
        f"Your page\n<{address}>.\n\n"
        "Dear Pat O'Neill, we meet on Monday, and all of Harbour & Quay is\nwelcome to come along.\n\n"
        "See https://example.org/Harbour%20%26%20Quay/_map_ Pat O'Neill\n"
    )
    assert "Dear Pat O&#x27;Neill, we meet on Monday, and all of Harbour &amp; Quay is" in html_of(letter)
    same_links(letter)


def test_the_public_page_has_no_hole_and_no_braces(studio: World) -> None:
    sent(studio, body="Dear {name}, {clp|all of you}: [yours](https://example.org/?o={office|any}).")
    page = studio.get(f"/news/{studio.rows(select(Mailing.slug))[0]}").text
    for shown in (page, html.unescape(studio.get("/news.atom").text)):
        assert 'Dear friend, all of you: <a href="https://example.org/?o=any">yours</a>.' in shown


def test_a_placeholder_without_words_of_its_own_is_warned_of(studio: World) -> None:
    where = studio.post(NEW, HELLO | {"body": "Dear {name},"}, studio.sign_in(AUGUST)).headers["Location"]
    page = studio.get(where, studio.sign_in(AUGUST)).text
    assert "{name} does not say what to write where we know none. The public page says “friend”." in page
    assert "Stops it" not in page


BODIES = st.sampled_from([
    YOURS, "# To {name}\n\n{name}", "- {name|x} and\n  - {clp|y} " + "word " * 30, "    {office}",
    "> {name} " + "word " * 20 + "\\\nnew {office}",
    "| A | B |\n|---|---|\n| {name} | {clp} |", "{name}{clp}{office}", "**{name}** `{clp}`", "100 % of {name} = 1\n. {clp}",
])  # fmt: skip


@hypothesis_settings(max_examples=120, deadline=None)
@given(BODIES, some_names.map(readable), some_names.map(readable))
def test_each_copy_has_its_lines_broken_where_its_own_are_full(body: str, name: str, clp: str) -> None:
    raw = copied(a_mailing(body=body), reader(name, clp))
    wire_rules(raw, longest=110)
    read: EmailMessage = message_from_bytes(raw, policy=policy.default)  # type: ignore[assignment]
    expected = fill_text(to_text(marked(body)), {"name": name, "clp": clp})
    assert text_of(read).replace("\r\n", "\n").startswith(expected)
    assert max(map(len, expected.split("\n"))) <= 72 or max(map(len, re.split(r"\s", expected))) > 60


@pytest.mark.parametrize(
    "forged",
    ["slotemailxslot slottokenxslot", "\ufdd0leave.\ufdd2 \ufdd0name.00\ufdd2", "%EF%B7%90leave.%EF%B7%92", "{email} {token}"],
)
def test_nobody_can_write_a_slot(forged: str) -> None:
    """What an author typed is never filled: neither somebody's address nor the link by which they leave."""
    whom = reader("Ann")
    raw = copied(a_mailing(body=f"a {forged} b [c](https://example.org/?{forged.replace(' ', '')})"), whom)
    read: EmailMessage = message_from_bytes(raw, policy=policy.default)  # type: ignore[assignment]
    text = text_of(read).partition("\n---")[0]
    assert whom.email not in text
    assert whom.leave_token not in text

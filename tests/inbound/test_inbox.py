"""What organisers see of a message in the inbox, and what whoever wrote it is given and may have erased."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.core.db import reading, transaction
from service.models import Arrival, Subscription
from service.people import subject_access
from service.workflows import erase
from tests.inbound.post import DOMAIN, letter, receive
from tests.support.people import ANN, AUGUST, BEN, OLIVE, PETRA
from tests.support.world import World, text_of

NOTICES = f"notices@{DOMAIN}"


@pytest.mark.settings(INBOX_FORWARD_TO="desk@example.org")
def test_a_message_of_a_file_alone_says_so_on_the_page_and_where_it_is_forwarded(world: World) -> None:
    world.publish()
    world.add_organisers()
    raw = (
        f'From: Ola Member <ola@example.org>\r\nTo: {NOTICES}\r\nSubject: My signed form\r\n'
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\n\r\n"
        "--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename*=utf-8''F%C3%B6rm.pdf\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n"
    )  # fmt: skip
    receive(world, raw.encode(), NOTICES, "ola@example.org")
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/inbox", olive).get_data(as_text=True)
    for words in ("Ola Member", "My signed form", "Förm.pdf", "application/pdf", "9 bytes", "It has no text."):
        assert words in page
    saved = world.get(re.findall(r'href="(/organise/inbox/\d+/message.eml)"', page)[0], olive)
    assert saved.get_data() == raw.encode()
    assert (saved.mimetype, saved.headers["Content-Disposition"]) == ("message/rfc822", 'attachment; filename="message-1.eml"')
    assert "Förm.pdf (application/pdf)" in text_of(world.letter("desk@example.org"))


def test_only_who_looks_after_people_may_save_a_message(world: World) -> None:
    world.publish()
    world.add_organisers()
    receive(world, letter(ANN["email"], NOTICES, "Hello"), NOTICES, ANN["email"])
    for email in (PETRA, AUGUST):
        assert world.get("/organise/inbox/1/message.eml", world.sign_in(email)).status_code == 403
    assert world.get("/organise/inbox/1/message.eml").status_code in {302, 303}
    assert world.get("/organise/inbox/2/message.eml", world.sign_in(OLIVE)).status_code == 404


def test_the_writers_own_words_stand_first_and_what_they_quote_is_folded_away(world: World) -> None:
    world.publish()
    world.add_organisers()
    quoted = "".join(f"> Paragraph {number} of our long update, with words enough for a line.\r\n" for number in range(60))
    text = f"On Mon, 23 Nov 2026 at 18:02, The Branch <{NOTICES}> wrote:\r\n{quoted}\r\nI can help on Saturday.\r\n"
    receive(world, letter(ANN["email"], NOTICES, "Re: Update", text), NOTICES, ANN["email"])
    page = world.get("/organise/inbox", world.sign_in(OLIVE)).get_data(as_text=True)
    assert page.index("I can help on Saturday.") < page.index("The whole message") < page.index("Paragraph 59")


def test_what_nobody_for_certain_wrote_is_shown_with_its_from_as_it_stands(world: World) -> None:
    world.publish()
    world.add_organisers()
    receive(world, letter("x@example.org", NOTICES, "Hello", From=f"{ANN['email']}, {BEN['email']}"), NOTICES, ANN["email"])
    page = world.get("/organise/inbox", world.sign_in(OLIVE)).get_data(as_text=True)
    assert f"“{ANN['email']}, {BEN['email']}”: not exactly one address" in page


def test_what_somebody_wrote_is_exported_and_erased_also_where_they_wrote_with_another(either_world: World) -> None:
    world = either_world
    world.publish()
    raw = letter("x@example.org", NOTICES, "Hello", "Ours.", From=f"{ANN['email']}, {BEN['email']}")
    receive(world, raw, NOTICES, ANN["email"])
    receive(world, letter(f"Ann <{ANN['email']}>", NOTICES, "Mine", "Mine alone."), NOTICES, ANN["email"])
    with reading() as session:
        came_in = subject_access.export(session, subject_access.of(session, ANN["email"]))["came_in"]
    assert [(one["from"], one["text"], one["files"]) for one in came_in] == [(f"Ann <{ANN['email']}>", "Mine alone.", [])]  # type: ignore[attr-defined]
    with transaction() as session:
        erase.erase(session, ANN["email"], datetime.now(UTC))
    assert world.rows(select(Arrival)) == []
    assert world.rows(select(Subscription)) == []

"""Control characters in what people type, paste and import: no page, feed, letter, table or document breaks of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from service.core.db import transaction
from service.errors import Refused
from service.mailings import versions
from service.models import AuditEntry, Complaint, Edition, Import, Mailing, Notice
from service.notices import source_file
from service.servings.documents.notice_documents import Annex, Signer, annex_csv, annex_pdf
from service.text import person_names
from service.text.characters.control import CONTROL, clean, clean_line
from tests.delivery.test_mime import wire_rules
from tests.stories.mailings.test_copies import a_mailing, copied, reader
from tests.stories.mailings.test_sending import HELLO, NEW, press, submitted, subscribe
from tests.support.people import ANN, AUGUST, NOTICE, OLIVE, PETRA, SLUG
from tests.support.world import World, html_of, text_of

CLEANED = {
    "a soft return": ("First\x0bsecond", "First second"),
    "a line separator": ("First\u2028second", "First second"),
    "a paragraph separator": ("First\u2029second", "First\nsecond"),
    "a page break": ("First\x0csecond", "First\nsecond"),
    "every line end": ("a\r\nb\rc\nd", "a\nb\nc\nd"),
    "tabs and lines stay": ("a\tb\n\n    c", "a\tb\n\n    c"),
    "NUL": ("a\0b", "a b"),
    "ESC": ("a\x1b[31mb", "a [31mb"),
    "DEL": ("a\x7fb", "a b"),
    "a byte order mark the wrong way round": ("\ufffea", " a"),
    "noncharacters of every plane": ("a\ufdd0\U0001fffe\U0010ffffb", "a b"),
    "half of a pair": ("a\ud83db", "a b"),
    "Windows-1252 read as Latin-1": ("It\x92s \x96 \x80 5\x85", "It’s \u2013 € 5…"),
    "C1 that Windows-1252 does not use": ("a\x81\x8d\x8f\x90\x9db", "a b"),
    "several, with spaces around": ("a \0\x0b \x1b b", "a b"),
    "joiners, marks and emoji stay": ("👩‍👩‍👧 क्‍ष e\u0301 \U0010fffd", "👩‍👩‍👧 क्‍ष e\u0301 \U0010fffd"),
}
PASTED = "First\x0bsecond\0third\x1bfourth\x0cfifth\u2028sixth\ufffeseventh\x92eighth"
PLAIN = "First second third fourth fifth sixth seventh’eighth"
any_text = st.text(st.characters(exclude_categories=()), max_size=200) | st.text(
    "a*_`~[]()<>|#-!{name}\n\t\0\x0b\x0c\x1b\x85\x92\u2028\ufffe\ud800:/.@&", max_size=200
)


@pytest.mark.parametrize(("text", "cleaned"), CLEANED.values(), ids=list(CLEANED))
def test_control_characters_become_line_ends_and_spaces(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


@given(any_text)
def test_whatever_was_typed_nothing_is_left_that_a_program_could_stumble_over(text: str) -> None:
    assert not CONTROL.search(clean(text))
    assert clean(clean(text)) == clean(text)
    assert "\n" not in clean_line(text)
    ElementTree.fromstring(f"<a>{clean(text).translate({38: None, 60: None, 62: None})}</a>")


def published(world: World) -> None:
    """Somebody is on the list, and an update went to them."""
    world.publish(milestones=(1,))
    world.add_organisers()
    subscribe(world, ANN)
    august, petra = world.sign_in(AUGUST), world.sign_in(PETRA)
    where = submitted(world, august, subject=f"What \x0bnext\ufffe? {PLAIN}"[:100], body=PASTED)
    assert press(world, where, "send", petra) == 303
    world.work()


def entries(world: World, path: str) -> list[str]:
    """The texts of a feed, which must be well formed."""
    page = world.get(path)
    assert page.status_code == 200
    return [" ".join("".join(entry.itertext()).split()) for entry in ElementTree.fromstring(page.data)]


def test_an_update_with_a_soft_return_leaves_the_feed_well_formed(either_world: World) -> None:
    published(either_world)
    stored = either_world.rows(select(Mailing.body))[0]
    assert " ".join(stored.split()) == PLAIN
    assert any(PLAIN in entry for entry in entries(either_world, "/news.atom"))
    letter = either_world.letter(ANN["email"], "What next ?")
    assert not letter.defects
    for text in (text_of(letter), html_of(letter)):
        assert PLAIN in " ".join(text.split())
        assert not CONTROL.search(text.replace("\r\n", "\n"))


def test_the_command_cleans_as_the_editor_does(world: World) -> None:
    world.publish()
    file = world.settings.var_dir / "soft-return.md"
    file.write_text(f"# From\x0ba slide\n\n{PASTED}\n")
    result = world.app.test_cli_runner().invoke(args=["mailings", "send", str(file), "--list", "updates"])
    assert "waits for an approver" in result.output
    assert world.rows(select(Mailing.subject)) == ["From a slide"]
    assert " ".join(world.rows(select(Mailing.body))[0].split()) == PLAIN


def test_what_was_stored_before_is_harmless_on_its_way_out(world: World) -> None:
    published(world)
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    with transaction() as session:
        session.execute(update(Mailing).values(subject="An\x0bold one", body=PASTED))
        session.execute(update(Notice).values(title="Open\x1b the\ufffe books"))
        session.execute(update(Edition).values(body=f"- {PASTED}"))
    assert "An old one" in " ".join(entries(world, "/news.atom"))
    register = entries(world, f"/notices/{SLUG}/deliveries.atom")
    assert register[0] == "Open the books: register of deliveries"
    assert len(register) > 5
    for path in (f"/news/{world.rows(select(Mailing.slug))[0]}", f"/notices/{SLUG}"):
        assert PLAIN in " ".join(world.get(path).text.split())


def test_a_notice_with_control_characters_is_cleaned(either_world: World) -> None:
    file = either_world.settings.var_dir / "notice.md"
    file.write_text(NOTICE.replace("Open the books", "Open\x0bthe books").replace("be published;", f"be {PASTED};"))
    result = either_world.app.test_cli_runner().invoke(args=["notices", "import", str(file)])
    assert result.exit_code == 0, result.output
    assert "“Open the books”" in result.output
    assert not CONTROL.search(either_world.rows(select(Notice.body))[0])


def test_no_form_of_an_organiser_keeps_a_control_character(either_world: World) -> None:
    either_world.publish()
    either_world.add_organisers()
    subscribe(either_world, ANN)
    olive = either_world.sign_in(OLIVE)
    either_world.post(
        "/organise/imports",
        {"list": "updates", "source": PASTED, "file": (io.BytesIO(b"email\nben@example.org\n"), "a\x0b\u202emembers.csv")},
        olive,
    )
    where = either_world.person(ANN["email"], olive)
    either_world.post(where, {"act": "suppress", "reason": PASTED}, olive)
    assert either_world.post(NEW, HELLO | {"office": "\0councillor"}, olive).status_code == 303
    assert either_world.post(NEW, HELLO | {"clps": "Har\ufffebour"}, olive).status_code == 422
    assert either_world.rows(select(Mailing.audience))[0]["offices"] == ["councillor"]
    assert either_world.rows(select(Import.source)) == [PLAIN]
    assert either_world.rows(select(Import.filename)) == ["a members.csv"]
    kept = " ".join(str(one) for one in either_world.rows(select(AuditEntry.details)))
    assert PLAIN.replace("’", "") in kept.replace("\\u2019", "").replace("’", "")


def test_a_complaint_is_kept_readable(either_world: World) -> None:
    fields = {"name": ANN["name"], "email": ANN["email"], "text": f"{PASTED}\r\n\u202e👩‍👩‍👧"}
    assert either_world.post("/complaints", fields).status_code == 200
    stored = either_world.rows(select(Complaint.text))[0]
    assert " ".join(stored.split()) == f"{PLAIN} 👩‍👩‍👧"


@pytest.mark.parametrize(
    "character", ["\0", "\n", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\ufffe", "\uffff", "\ud800", "\U0001fffe"]
)
def test_a_name_with_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(Refused):
        person_names.clean(f"Ann{character}Ashworth", "name")


@hypothesis_settings(max_examples=60, deadline=None)
@given(any_text, any_text)
def test_any_text_is_read_back_from_a_letter(subject: str, body: str) -> None:
    try:
        subject, body = versions.check_words(subject, body)
    except Refused:
        return
    raw = copied(a_mailing(subject=subject, body=body), reader("Ann"))
    wire_rules(raw)
    read: EmailMessage = message_from_bytes(raw, policy=policy.default)  # type: ignore[assignment]
    assert not read.defects
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    for text in (text_of(read), html_of(read)):
        assert not CONTROL.search(text.replace("\r\n", "\n"))


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_text_leaves_the_feed_well_formed(world: World, data: st.DataObject) -> None:
    if not world.rows(select(Mailing.id)):
        published(world)
    subject, body = data.draw(any_text), data.draw(any_text)
    stored = tuple(text.replace("\0", "").encode("utf-8", "ignore").decode() for text in (subject, body))
    with transaction() as session:
        session.execute(update(Mailing).values(subject=stored[0], body=stored[1]))
    assert entries(world, "/news.atom")


ANNEX = Annex(
    "Open the books", "the General Secretary", "the Network", date(2026, 11, 2), 1, "a" * 64, "body", 1, 1,
    datetime(2026, 11, 25, tzinfo=UTC), "Imprint", False, "https://example.org/notices/open-the-books/editions/1.txt",
)  # fmt: skip


@hypothesis_settings(max_examples=25, deadline=None)
@given(any_text, any_text)
def test_any_text_is_read_back_from_table_and_document(name: str, body: str) -> None:
    rows = list(csv.reader(io.StringIO(annex_csv([Signer(name, number=1)]).decode("utf-8-sig"), newline="")))
    assert len(rows) == 2
    try:
        title = person_names.clean(name, "title")
        body = source_file.read_file(f"{NOTICE.partition('We the')[0]}{body}").body
    except Refused:
        return
    assert annex_pdf(replace(ANNEX, title=title or "x", body=body), [Signer(title)]).startswith(b"%PDF")

"""Any text that the form accepts, in every script of Unicode, by page, letter, PDF, CSV, feed and export."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache
from html import unescape
from unicodedata import category
from xml.etree import ElementTree

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from service.core.db import transaction
from service.errors import Refused
from service.models import Serving
from service.notices import officials, publishing, source_file
from service.servings.documents.notice_documents import Signer, annex_csv, annex_pdf
from service.text import person_names
from service.text.characters import scripts
from service.text.tables.csv_cells import plain_cell
from tests.rules.test_scripts import NAMES
from tests.stories.servings.test_documents import ANNEX, words
from tests.stories.servings.test_letters_to_officials import said
from tests.support.people import NOTICE, SLUG
from tests.support.servers.smtp_server import SmtpServer
from tests.support.servers.three_servers import HOUR, SLOW, STERN, WILLING, environment, parsed, servers, tiers
from tests.support.world import World, html_of, text_of

OFFICES = {"ประธานสภา": WILLING, "الأمينة العامة": SLOW, "黨主席": STERN}


def publish(milestone: int) -> None:
    """A notice to three officials whose offices are named in scripts of their own."""
    now = datetime.now(UTC)
    with transaction() as session:
        lines = [
            {
                "office": office,
                "name": office,
                "email": f"office{number}@{domain}",
                "source": "website",
                "verified_on": "2026-10-01",
            }
            for number, (office, domain) in enumerate(OFFICES.items())
        ]
        officials.take_in(session, [officials.read(line) for line in lines], now - HOUR)
        notice = publishing.take_in(session, source_file.read_file(NOTICE), now)
        notice.wait_minutes = 0
        publishing.set_milestones(notice, (milestone,))
        publishing.publish(session, SLUG, now)


def sign(world: World, signers: list[str]) -> None:
    """Each fills the form and presses the button behind the letter's link."""
    for number, name in enumerate(signers):
        person = {"name": name, "email": f"signer{number}@p{number}.example"}
        page = world.sign(person, clp=signers[number - 1]).get_data(as_text=True)
        assert "Look in your mailbox" in page, (name, page)
    world.work()
    for letter in world.letters(subject="confirm"):
        assert world.post(world.link(letter, "confirm")).status_code == 200
    world.work()


def letters_of(server: SmtpServer) -> list[EmailMessage]:
    return [parsed(one.content) for one in server.taken]


def files_of(letter: EmailMessage) -> dict[str, bytes]:
    return {str(part.get_filename()).rpartition(".")[2]: part.get_payload(decode=True) for part in letter.iter_attachments()}  # type: ignore[misc]


def named_in(document: bytes) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(document.decode("utf-8-sig"), newline=""))
    return [(row["name"], row["clp"]) for row in rows]


def public_names(world: World) -> list[str]:
    """All pages of the public list, page after page."""
    found, after = [], "0"
    while after:
        page = world.get(f"/notices/{SLUG}/signatures?after={after}").get_data(as_text=True)
        found += [unescape(name) for name in re.findall(r'<tr><td>[\d,]+</td><td class="whole"><bdi>(.*?)</bdi>', page)]
        more = re.search(r'href="\?after=(\d+)"', page)
        after = more[1] if more else ""
    return found


def test_a_serving_with_signers_of_twenty_scripts_reaches_three_officials(world: World, servers: dict[str, SmtpServer]) -> None:
    signers = ["Ann Ashworth", *NAMES.values()]
    publish(len(signers))
    sign(world, signers)
    assert world.count() == len(signers) > 20
    assert tiers(world) == dict.fromkeys(OFFICES, "recipient")
    for office, domain in OFFICES.items():
        [letter] = letters_of(servers[domain])
        files = files_of(letter)
        assert office in text_of(letter)
        for name in signers:
            assert name in text_of(letter)
            assert f"<bdi>{name}</bdi>" in html_of(letter)
        assert sorted(name for name, _ in named_in(files["csv"])) == sorted(signers)
        printed = words(files["pdf"])
        assert "□" not in printed
        assert set("".join(signers)) - {" "} <= set(printed)
    assert world.rows(select(Serving.missing_scripts)) == [""]
    assert set(public_names(world)) == set(signers)
    feed = ElementTree.fromstring(world.get(f"/notices/{SLUG}/deliveries.atom").data)
    assert all(office in "".join(feed.itertext()) for office in OFFICES)


@cache
def a_name_of_every_script() -> dict[str, str]:
    """Made of letters and marks of the script at random, the same each time."""
    characters: dict[str, list[str]] = defaultdict(list)
    for number in range(0x323B0):
        if category(chr(number))[0] in "LM":
            characters[scripts.script(chr(number))].append(chr(number))
    chance = random.Random(1)
    found = {}
    for script, members in sorted(characters.items()):
        letters = [one for one in members if category(one)[0] == "L"] or ["a"]
        tries = ("".join([chance.choice(letters), *chance.choices(members, k=7)]) for _ in range(20))
        if name := next((taken for text in tries if (taken := cleaned(text))), ""):
            found[script] = name
    return found


def cleaned(text: str) -> str:
    try:
        return person_names.person(text)
    except Refused:
        return ""


def test_names_of_every_script_of_unicode_come_through(world: World, servers: dict[str, SmtpServer]) -> None:
    signers = list(dict.fromkeys(a_name_of_every_script().values()))
    assert len(signers) > 150
    publish(len(signers))
    sign(world, signers)
    for server in servers.values():
        [letter] = letters_of(server)
        files = files_of(letter)
        assert sorted(name for name, _ in named_in(files["csv"])) == sorted(signers)
        assert files["pdf"].startswith(b"%PDF")
        for name in signers:
            assert name in text_of(letter)
            assert name in unescape(html_of(letter))
        boxed = re.findall(r"\(number (\d+) in the CSV\)", words(files["pdf"]))
        assert "The PDF shows □ for letters" in said(letter) or not boxed
    assert sorted(public_names(world)) == sorted(signers)
    for number in range(0, len(signers), 40):
        export = world.post(world.manage(f"signer{number}@p{number}.example"), {"act": "export"}).data
        assert signers[number] in json.dumps(json.loads(export), ensure_ascii=False)


some_text = st.text(max_size=100)


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(some_text, some_text, st.lists(st.tuples(some_text, some_text, some_text), max_size=8))
def test_whatever_stands_in_its_texts_a_document_is_made(title: str, body: str, texts: list[tuple[str, str, str]]) -> None:
    annex = replace(ANNEX, title=title, addressed_to=title, published_by=title, imprint=title, body=body)
    assert annex_pdf(annex, [Signer(*text, number) for number, text in enumerate(texts)]).startswith(b"%PDF")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(some_text, some_text), max_size=8))
def test_whatever_stands_in_names_a_list_and_its_csv_hold_them_all(texts: list[tuple[str, str]]) -> None:
    signers = [Signer(cleaned(name) or "A", cleaned(clp), "", number) for number, (name, clp) in enumerate(texts, 1)]
    rows = named_in(annex_csv(signers))
    assert rows == [(plain_cell(signer.name), plain_cell(signer.clp)) for signer in signers]


__all__ = ["environment", "servers"]

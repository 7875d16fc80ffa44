"""A hostile link scanner: Chromium with scripts opens every link of every letter and waits; nothing may change."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests
from service.core import queues
from service.core.db import reading, transaction
from service.emails import catalogue, catalogue_for_organisers
from service.emails import links as links_of
from service.emails.suppressions import Barrier
from service.models import Arrival, Delivery, Edition, Mailing, Message, Official, Organiser, Signature, Subscription
from service.models.base import Base
from service.operations.problem_rows import Problem
from service.organisers import failed_codes
from tests.support.people import ANN, BEN, CHI, OLIVE
from tests.support.world import World, html_of, text_of

LETTERS = Path(__file__).parent.parent.parent / "templates" / "emails"
LINK = re.compile(r"https?://[^\s\"'<>]+")


def every_letter(world: World) -> None:
    """Makes the service write each kind of letter that it knows; Ben's and Olive's links are still to be pressed."""
    world.publish(milestones=(1,))
    world.add_organisers()
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])  # confirm, receipt, welcome
    world.sweep()
    world.work()  # serving
    with transaction() as session:  # paused
        olive_herself = session.scalars(select(Organiser).where(Organiser.email == OLIVE)).one()
        held = Mailing(id=0, subject="Held", slug="held")
        catalogue_for_organisers.paused(session, olive_herself, held, "many were refused", datetime.now(UTC))
        about_notices(session, olive_herself)
        catalogue_for_organisers.approval(session, olive_herself, held, "5 people", datetime.now(UTC))  # approval
    world.sign(ANN)  # already
    world.post("/manage", {"email": CHI["email"]})  # manage_link
    world.post("/complaints", CHI | {"text": "Two letters."})  # complaint
    olive = world.sign_in(OLIVE)  # sign_in
    fields = {"list": "updates", "subject": "The first week", "body": "See [us](https://example.org/)."}
    where = world.post("/organise/updates/new", fields, olive).headers["Location"]
    seen = world.get(where, olive).get_data(as_text=True).split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "test", "seen": seen}, olive)  # test_copy
    world.post(where, {"act": "send", "seen": seen}, olive)  # update
    _answer_mail(world)
    world.sign(BEN, updates="yes")
    world.post("/organise/sign-in", {"email": OLIVE})
    world.work()


def about_notices(session: Session, olive: Organiser) -> None:
    """What takes an accident, or an organiser's act: official_bounced, correction, counts, asked_again, reactivate, …"""
    now = datetime.now(UTC)
    official, edition = session.get_one(Official, 1), session.get_one(Edition, 1)
    catalogue.official_bounced(session, olive, official, "550 5.1.1 unknown", "", "office@nec.example", now, of_address=True)
    catalogue.correction(session, official, edition, [1], [2], now)
    asked = confirmation_requests.open_for(session, CHI["email"], [], timedelta(days=7), now)
    chiara = Signature(**CHI, sequence=7)
    catalogue.asked_again(session, asked, chiara, edition, [], now)
    catalogue.withdrawn(session, chiara, asked, edition, now, now)
    catalogue.struck(session, chiara, edition, now, now)
    problem = Problem("mailing 1", "Paused", "It is paused.", now, page="/organise")
    catalogue_for_organisers.problems(session, olive, [problem], 0, now)
    for _ in range(failed_codes.TOLD_AT[0]):  # wrong_codes
        failed_codes.note(session, olive, "code", "127.0.0.1", now)
    context = {
        "notice": edition.notice,
        "edition": edition,
        "count": 1,
        "key": session.scalars(select(Delivery.key)).first(),
        "body_text": "",
        "body_html": "",
        "page": links_of.url("/notices/open-the-books"),
        "edition_url": links_of.url("/notices/open-the-books/editions/1.txt"),
    }
    catalogue.counts(session, official, official.address, context, now)
    catalogue.reactivate(session, asked, Barrier("", "hard", now, None), now, now)


def _answer_mail(world: World) -> None:
    """What answers mail that came in: commands, leaving, forwarded."""
    now = datetime.now(UTC)
    with transaction() as session:
        row = session.scalars(select(Subscription).where(Subscription.email == ANN["email"])).one()
        catalogue.commands(session, CHI["email"], row.mailing_list, now, now, "")
        catalogue.leaving(session, row, now, now, "")
        came = Arrival(author=CHI["email"], subject="Re: News", body="I agree.", received_at=now)
        catalogue.forwarded(session, OLIVE, came, now)


def dump() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


def links(letters: Iterable[EmailMessage], base_url: str) -> list[str]:
    """Every address in a letter's headers, text and HTML that leads to us."""
    found = set()
    for letter in letters:
        everything = f"{letter.get('List-Unsubscribe', '')} {text_of(letter)} {html_of(letter).replace('&amp;', '&')}"
        found |= {link.rstrip(".,;") for link in LINK.findall(everything)}
    return sorted(link for link in found if link.startswith(base_url))


def ask(method: str, url: str) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()


@pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", LIMIT_GAP_MINUTES="0", LIMIT_DAY="100", WITNESS_EMAIL="w@example.net")
def test_a_scanner_that_opens_every_link_changes_nothing(site: World, chromium: Browser) -> None:
    every_letter(site)
    kinds = {"update" if kind == "mailing" else kind for kind in site.rows(select(Message.kind).distinct())}
    assert kinds >= {folder.name for folder in LETTERS.iterdir() if folder.is_dir()}, "a kind of letter is not scanned"
    letters = site.letters()
    found = links(letters, site.settings.base_url)
    purposes = ("confirm", "manage", "unsubscribe", "organise/sign-in", "notices", "news", "privacy")
    assert all(any(f"/{purpose}" in link for link in found) for purpose in purposes)
    before = dump()
    scanner = chromium.new_context()
    tabs = [scanner.new_page() for _ in found]
    for tab, link in zip(tabs, found, strict=True):
        tab.goto(link, wait_until="commit")
    for tab in tabs:
        tab.wait_for_load_state("networkidle")
    scanner.close()
    for link in found:
        for method in ("HEAD", "OPTIONS", "GET"):
            ask(method, link)
    assert dump() == before
    assert not any(queues.waiting(name) for name in queues.QUEUES)
    site.sweep(datetime.now(UTC))
    site.work()
    assert len(site.letters()) == len(letters)
    assert site.count() == 1
    site.confirm(BEN["email"])  # the scanner has spent nothing
    assert site.count() == 2
    assert "What needs you now" in site.get("/organise", _signed_in(site)).get_data(as_text=True)


def _signed_in(world: World) -> Any:
    client = world.browser()
    world.post(world.link(world.letters(OLIVE, "sign-in")[-1], "organise/sign-in"), {}, client)
    return client

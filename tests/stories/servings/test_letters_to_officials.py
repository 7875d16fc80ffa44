"""What a letter says of its own list: who is named and why others are not, what is new, and what could not be made."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Delivery, Message, Notice, Serving, Signature
from service.notices import officials, publishing, source_file
from service.operations import problems
from service.proof.verify import verify
from service.servings import serving_lifecycle
from service.servings.documents import pdf_compiler, typesetting
from service.signatures import signing
from tests.stories.notices.test_standing import CHAIR, TREASURER, serve
from tests.stories.servings.test_documents import words
from tests.support import crowd
from tests.support.people import ANN, BEN, NOTICE, OLIVE, SLUG
from tests.support.world import World, html_of, text_of
from workers import jobs


def said(letter: EmailMessage) -> str:
    """A letter's text and HTML with runs of white space folded; both say the same."""
    return " ".join(f"{text_of(letter)} {html_of(letter)}".split())


def pdf_of(letter: EmailMessage) -> str:
    [content] = [part.get_content() for part in letter.iter_attachments() if str(part.get_filename()).endswith(".pdf")]
    return words(content)


def started(signers: int) -> int:
    """A serving that has taken its cut-off and has no letters yet."""
    crowd.sign(range(signers))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        number = serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC)).id
    with transaction() as session:
        assert serving_lifecycle.start(session, number, datetime.now(UTC))
    return number


def change(signer: int, display: str = "") -> None:
    """This person hides the name, or (without a display) withdraws."""
    with transaction() as session:
        signature = session.scalars(select(Signature).where(Signature.name == crowd.person(signer).name)).one()
        if display:
            signing.show(session, signature, display)
        else:
            assert signing.withdraw(session, signature, datetime.now(UTC))


@pytest.mark.parametrize("hidden", [False, True])
def test_who_withdraws_before_the_letter_is_written_did_not_wish_to_be_counted(either_world: World, hidden: bool) -> None:
    world = either_world
    world.publish(milestones=(100,))
    number = started(4)
    if hidden:
        change(0, "count")
    change(0)
    change(1, "count")
    jobs.serve(number)
    world.work("notices")
    letter = world.letter(CHAIR)
    for text in (said(letter), pdf_of(letter)):
        assert "1 is counted without a name, as they wished; 1 has withdrawn since the count was taken." in text
        assert crowd.person(0).name not in text
        assert crowd.person(2).name in text
    assert said(letter).count("2 of them give you their name; ") == 2
    assert "2 people are listed by name; " in pdf_of(letter)


def test_if_all_withdraw_the_letter_says_so(world: World) -> None:
    world.publish(milestones=(100,))
    number = started(2)
    for signer in range(2):
        change(signer)
    jobs.serve(number)
    world.work("notices")
    letter = world.letter(CHAIR)
    assert "Of these, 2 have withdrawn since the count was taken." in said(letter)
    assert "None is listed by name: 2 have withdrawn since the count was taken." in pdf_of(letter)
    assert "as they wished" not in said(letter) + pdf_of(letter)


def test_the_first_letter_to_an_office_tells_of_no_letter_before_it(either_world: World) -> None:
    """Added after two have signed, one of whom wants to be counted only: it is told why it does not get the other's name."""
    world = either_world
    world.publish(milestones=(2, 3, 4))
    world.sign(ANN, display="count")
    world.confirm(ANN["email"])
    world.sign(BEN)
    world.confirm(BEN["email"])
    world.work()
    with transaction() as session:
        officials.take_in(session, [officials.read(TREASURER)], datetime.now(UTC))
    crowd.sign(range(1))
    serve(world)
    first = world.letter(TREASURER["email"])
    assert "last letter" not in said(first)
    assert "our letter of" not in said(first)
    assert "Up to signature number 3." in said(first)
    for text in (said(first), pdf_of(first)):
        assert "1 signed before your office was added, so their names do not go to you" in text
        assert "1 is counted without a name, as they wished" in text
        assert BEN["name"] not in text
    known = said(world.letters(CHAIR)[1])
    assert "1 more than in our last letter" in known
    assert "New since our letter of" in known
    assert "signed before" not in known
    crowd.sign(range(1, 2))
    serve(world)
    assert "1 more than in our last letter" in said(world.letters(TREASURER["email"])[1])


def test_after_a_letter_that_did_not_arrive_the_next_is_the_first(world: World) -> None:
    world.publish(milestones=(1, 2))
    crowd.sign(range(1))
    world.work()
    with transaction() as session:
        refused = select(Delivery.message_id).where(Delivery.office == "Chair of the NEC")
        session.execute(update(Message).where(Message.id.in_(refused)).values(state="bounced"))
    crowd.sign(range(1, 2))
    serve(world)
    assert "last letter" not in said(world.letters(CHAIR)[1])
    assert "1 more than in our last letter" in said(world.letters("secretary@nec.example")[1])


def test_the_first_letter_about_a_new_text_is_a_first_letter(world: World) -> None:
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work()
    with transaction() as session:
        notice = publishing.take_in(
            session, source_file.read_file(NOTICE.replace("every month", "every week")), datetime.now(UTC)
        )
        publishing.publish(session, SLUG, datetime.now(UTC))
        serving_lifecycle.order(session, notice, notice.editions[-1], datetime.now(UTC))
    serve(world)
    assert "last letter" not in said(world.letters(CHAIR)[1])


def test_where_no_pdf_can_be_made_the_letters_go_say_so_and_organisers_are_told(
    either_world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = either_world
    world.publish(milestones=(2, 3))
    world.add_organisers()
    with monkeypatch.context() as broken:  # as on a machine where typst finds nothing of ours
        broken.setattr(pdf_compiler, "TEMPLATE", tmp_path / "gone.typ")
        broken.setattr(typesetting, "ROOT", tmp_path)
        crowd.sign(range(2))
        world.work()
    letter = world.letter(CHAIR)
    assert said(letter).count("This time we could not make the PDF") == 2
    assert crowd.person(0).name in said(letter)
    files = {str(part.get_filename()): part.get_content() for part in letter.iter_attachments()}
    assert set(files) == {"edition-1.txt", "open-the-books-signatures.csv", "manifest.json"}
    assert all(one.holds is not False for one in verify([("letter.eml", letter.as_bytes())], datetime.now(UTC)))
    olive = world.sign_in(OLIVE)
    assert "No PDF of the notice and its signatures could be made" in world.get("/organise/servings/1", olive).text
    assert "Its letters went without their PDF" in world.get("/organise", olive).text
    assert "pdf of serving 1" in problems.in_words(problems.ALERT, datetime.now(UTC))
    assert "pdf of serving 1" in problems.in_words(problems.MAIL, datetime.now(UTC))
    assert "pdf of serving 1" not in (world.get("/readyz").json or {})
    crowd.sign(range(2, 3))
    serve(world)
    assert "could not make the PDF" not in said(world.letters(CHAIR)[1])
    assert problems.in_words(problems.ALERT, datetime.now(UTC)) == {}


def test_a_closed_notice_needs_no_pdf_any_more(world: World) -> None:
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work()
    with transaction() as session:
        session.execute(update(Serving).values(without_pdf=True))
    assert set(problems.in_words(problems.ALERT, datetime.now(UTC))) == {"pdf of serving 1"}
    with transaction() as session:
        publishing.close(session, SLUG, datetime.now(UTC))
    assert world.rows(select(Notice.state)) == ["closed"]
    assert problems.in_words(problems.ALERT, datetime.now(UTC)) == {}


@pytest.mark.settings(PDF_SECONDS="1")
def test_a_pdf_that_takes_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    world.publish(milestones=(1,))
    world.sign(ANN, name="ศรีสุดา มีสุข")
    world.confirm(ANN["email"])
    assert "ศรีสุดา มีสุข" in said(world.letter(CHAIR))
    assert world.rows(select(Serving.without_pdf)) == [True]

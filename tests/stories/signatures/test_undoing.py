"""Withdrawn for a signer: who is told, and can undo it for thirty days by one press, with a new number and no wider consent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from service.core.db import transaction
from service.emails import suppressions
from service.models import Consent, Correction, Leaf, Request, Signature
from service.notices import officials
from service.people import retention
from service.proof import leaves
from service.signatures import signing
from service.text.tables.csv_files import judge, lines_of
from tests.rules.proof.test_trees import head, holds, manifest, serve
from tests.stories.operations.test_commands import run, write
from tests.support import asking, crowd
from tests.support.moderating import press, send_corrections, states, two_signers
from tests.support.people import ANN, OFFICIALS, OLIVE, SLUG
from tests.support.world import World, html_of, text_of

CHAIR, TREASURER = "chair@nec.example", "treasurer@nec.example"
DAY = timedelta(days=1)


def withdrawn_for_ann(world: World) -> str:
    """Ann and Ben sign and are served, then an organiser withdraws Ann's; the path of the link that undoes it."""
    world.publish(milestones=(2,))
    world.add_organisers()
    two_signers(world)
    world.work()
    assert press(world, world.sign_in(OLIVE), "withdraw").status_code == 303
    world.work()
    return world.link(world.letter(ANN["email"], "has been withdrawn"), "count-again")


def test_she_is_told_and_one_press_counts_her_again(either_world: World) -> None:
    world = either_world
    undo = withdrawn_for_ann(world)
    told = world.letter(ANN["email"], "has been withdrawn")
    assert "If you asked for this, you need do nothing." in text_of(told)
    assert "Open the page to undo this" in html_of(told)
    assert (world.count(), states(world)) == (1, ["withdrawn", "confirmed"])
    send_corrections(world)
    assert "1 person has withdrawn their signature:\n\n1\n" in text_of(world.letter(CHAIR, "Correction")).replace("\r\n", "\n")
    stranger = world.browser()
    for _ in range(2):
        page = stranger.get(undo).text  # a link scanner changes nothing
    assert "Count my signature again" in page
    assert ANN["name"] in page
    assert world.count() == 1
    [asked_at] = world.rows(select(Signature.created_at).where(Signature.id == 1))
    done = world.post(undo, client=stranger)
    world.work()
    assert "Your signature counts again" in done.text
    assert (world.count(), states(world)) == (2, ["confirmed", "confirmed"])
    assert world.rows(select(Signature.sequence).where(Signature.id == 1)) == [3]
    assert world.rows(select(Signature.created_at).where(Signature.id == 1)) == [asked_at]
    kinds = [entry[:1] for entry in world.rows(select(Leaf.entry).order_by(Leaf.position))]
    assert kinds == [leaves.KINDS[kind] for kind in ("sign", "sign", "withdraw", "sign")]
    assert head()[0] == 4
    serve(world)
    letter = world.letters(CHAIR, "2 signatures")[-1]
    assert ANN["name"] in text_of(letter)
    [receipt] = world.letters(ANN["email"], "Your signature counts")[-1].iter_attachments()
    assert '"number":3' in str(receipt.get_payload(decode=True))
    assert holds({"1.json": manifest(world, 1), "2.json": manifest(world, 2), "letter.eml": letter.as_bytes()})
    consents = world.rows(select(Consent).where(Consent.mailbox == ANN["email"]).order_by(Consent.id))
    acts = [(one.act, one.channel) for one in consents]
    assert acts == [("asked", "web"), ("confirmed", "web"), ("withdrawn", "organiser"), ("confirmed", "web")]
    assert consents[3].wording == consents[1].wording


def test_of_many_presses_one_counts_and_the_link_works_once(either_world: World) -> None:
    undo = withdrawn_for_ann(either_world)
    assert asking.press_at_one_time(either_world, undo, 6) == [200, 410, 410, 410, 410, 410]
    assert either_world.count() == 2
    assert "counted again already" in either_world.get(undo).text
    assert either_world.get(undo[:-3]).status_code == 200  # cut off on its way
    assert "Nothing was changed" in either_world.get(undo[:-3]).text
    assert either_world.get(f"{undo}.)").status_code == 410  # what was glued on is taken off


def test_after_thirty_days_the_link_has_run_out(world: World) -> None:
    undo = withdrawn_for_ann(world)
    [until] = world.rows(select(Request.expires_at).where(Request.purpose == "count again"))
    assert timedelta(days=29.9) < until - datetime.now(UTC) < timedelta(days=30.1)
    with transaction() as session:
        session.execute(update(Request).where(Request.purpose == "count again").values(expires_at=datetime.now(UTC)))
    for page in (world.get(undo), world.post(undo, page="/manage")):
        assert page.status_code == 410
        assert "It worked for 30 days" in page.text
    assert world.count() == 1


def test_a_strangers_form_meanwhile_takes_nothing_from_her(world: World) -> None:
    """It makes the row wait for a confirmation, with a later time, and would be forgotten with it after a week."""
    undo = withdrawn_for_ann(world)
    [asked_at] = world.rows(select(Signature.created_at).where(Signature.id == 1))
    world.sign(ANN, clp="Nowhere", display="count")
    assert states(world) == ["pending", "confirmed"]
    world.post(undo)
    assert states(world) == ["confirmed", "confirmed"]
    [ann] = world.rows(select(Signature).where(Signature.id == 1))
    assert (ann.clp, ann.display, ann.created_at) == ("Harbour", "public", asked_at)


def test_whoever_had_withdrawn_and_did_not_confirm_again_has_withdrawn_still(world: World) -> None:
    undo = withdrawn_for_ann(world)
    world.sign(ANN)
    with transaction() as session:
        retention.run(session, datetime.now(UTC) + 8 * DAY)
    assert states(world) == ["withdrawn", "confirmed"]
    assert world.post(undo).status_code == 200
    assert states(world) == ["confirmed", "confirmed"]


def test_officials_added_since_do_not_get_her_name_by_it(world: World) -> None:
    undo = withdrawn_for_ann(world)
    added = OFFICIALS + f"Treasurer,Kit Vale,{TREASURER},party website,2026-10-01\n"
    with transaction() as session:
        read = judge(lines_of(Path(write(world, "o.csv", added))), lambda _, row: officials.read(row), [])
        officials.take_in(session, read, datetime.now(UTC))
    world.post(undo)
    serve(world)
    assert ANN["name"] in text_of(world.letters(CHAIR, "2 signatures")[-1])
    assert ANN["name"] not in text_of(world.letter(TREASURER, "2 signatures"))


def test_the_new_number_is_corrected_when_she_withdraws_it_herself(world: World) -> None:
    undo = withdrawn_for_ann(world)
    world.post(undo)
    serve(world)
    with transaction() as session:
        signing.withdraw(session, session.get_one(Signature, 1), datetime.now(UTC))
    assert world.rows(select(Correction.sequence).order_by(Correction.id)) == [1, 3]


def test_it_counts_again_also_when_the_notice_was_closed(world: World) -> None:
    undo = withdrawn_for_ann(world)
    assert run(world, "notices", "close", SLUG).exit_code == 0
    assert world.post(undo).status_code == 200
    assert world.count() == 2


def test_two_others_at_the_mailbox_leave_no_room(world: World) -> None:
    undo = withdrawn_for_ann(world)
    with transaction() as session:
        for number, name in ((8, "cara"), (9, "dora")):
            session.add(
                Signature(edition_id=1, email=ANN["email"], mailbox=ANN["email"], name=name, name_key=name, display="public",
                          state="confirmed", sequence=number, created_at=datetime.now(UTC))
            )  # fmt: skip
    response = world.post(undo)
    assert response.status_code == 409
    assert "2 people have signed from this mailbox" in response.text
    assert world.rows(select(Request.used_at).where(Request.purpose == "count again")) == [None]


def test_who_must_not_be_written_to_is_not_told_and_the_organiser_learns_it(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    with transaction() as session:
        suppressions.suppress(session, ANN["email"], "called a message spam", datetime.now(UTC))
    olive = world.sign_in(OLIVE)
    assert "so they are not told" in world.get("/organise/people/signature/1", olive).text
    assert press(world, olive, "withdraw").status_code == 303
    world.work()
    assert world.letters(ANN["email"], "has been withdrawn") == []
    assert states(world) == ["withdrawn", "confirmed"]


def test_more_than_ten_in_a_day_by_one_organiser_take_a_second(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    crowd.sign(range(12))
    olive = world.sign_in(OLIVE)
    for number in range(1, 13):
        assert press(world, olive, "withdraw", number).status_code == 303
    assert states(world) == ["withdrawn"] * 10 + ["confirmed"] * 2
    assert "Withdrawing it is proposed" in world.get("/organise/people/signature/11", olive).text

"""A signature struck out or withdrawn while a serving is on its way: no letter names it wrongly, and every proof holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.db import reading, transaction
from service.models import Correction, Edition, Milestone, Proposal, Serving, Signature
from service.organisers import accounts, proposals
from service.proof.encoding import decode
from service.servings import enclosures, serving_lifecycle
from service.signatures import count, moderation
from tests.rules.proof.test_trees import head, holds, manifest, serve
from tests.stories.operations.test_commands import result_of, run
from tests.stories.servings.test_servings_at_once import OFFICIALS, order, servings, start
from tests.support import crowd
from tests.support.moderating import send_corrections, states
from tests.support.people import OLIVE, PETRA, SLUG
from tests.support.world import World, text_of
from workers import jobs

NAME = crowd.person(0).name


def strike(session: Session) -> None:
    """Signature 1, by two organisers."""
    now = datetime.now(UTC)
    olive, petra = accounts.by_address(session, OLIVE), accounts.by_address(session, PETRA)
    proposal = moderation.propose(session, "strike", [1], "not a real person", olive, now)
    moderation.approve(session, proposals.hold(session, proposal.id), petra, now)


def withdraw(session: Session) -> None:
    moderation.act(session, "withdraw", moderation.find(session, 1), datetime.now(UTC))


BOTH = pytest.mark.parametrize(("act", "word"), [(strike, "struck out"), (withdraw, "withdrawn")])
Act = Callable[[Session], None]


@pytest.fixture
def signed(either_world: World) -> World:
    either_world.publish(milestones=(100,), wait=0)
    either_world.add_organisers()
    crowd.sign(range(2))
    return either_world


def do(act: Act) -> None:
    with transaction() as session:
        act(session)


def check_letters(world: World, *, named: bool) -> dict[str, bytes]:
    """The letters of the last serving, each of which must hold with its manifest."""
    letters = {to: world.letters(to)[-1] for to in OFFICIALS}
    for letter in letters.values():
        assert (NAME in text_of(letter)) == named
    files = {f"{to}.eml": letter.as_bytes() for to, letter in letters.items()}
    assert holds(files)
    return files


@BOTH
def test_before_the_cut_off_it_is_in_no_letter_and_in_no_correction(signed: World, act: Act, word: str) -> None:
    number = order()
    do(act)
    jobs.serve(number)
    signed.work("notices")
    check_letters(signed, named=False)
    assert "Signed by 1 person" in text_of(signed.letter(OFFICIALS[0]))
    assert signed.rows(select(Correction.id)) == []
    tree = decode(manifest(signed, 1))["manifest"]["tree"]
    assert (tree["signed"], tree["withdrawn"], tree["struck"]) == (2, 1, int(word == "struck out"))


@BOTH
def test_between_cut_off_and_letter_no_name_goes(signed: World, act: Act, word: str) -> None:
    number = order()
    start(number)
    with reading() as session:
        serving = session.get_one(Serving, number)
        made = [(cohort, enclosures.make(session, serving, cohort)) for cohort in enclosures.cohorts(session, serving)]
    do(act)
    with transaction() as session, pytest.raises(serving_lifecycle.ListChanged):
        serving_lifecycle.write(session, number, made, datetime.now(UTC))
    jobs.serve(number)
    signed.work("notices")
    check_letters(signed, named=False)
    said = " ".join(text_of(signed.letter(OFFICIALS[0])).split())
    since = "struck out since as false or abusive" if act is strike else "withdrawn since the count was taken"
    assert f"1 of them gives you their name; 1 {'was' if act is strike else 'has'} {since}." in said
    assert signed.rows(select(Edition.count)) == [1]


@BOTH
def test_while_the_letters_are_stored_it_waits_and_is_corrected(signed: World, act: Act, word: str) -> None:
    number = order()
    start(number)
    with reading() as session:
        serving = session.get_one(Serving, number)
        made = [(cohort, enclosures.make(session, serving, cohort)) for cohort in enclosures.cohorts(session, serving)]
    other = threading.Thread(target=do, args=(act,))
    with transaction() as session:
        assert serving_lifecycle.write(session, number, made, datetime.now(UTC))
        other.start()
        other.join(1)
        assert other.is_alive()
    other.join(20)
    signed.work("notices")
    check_letters(signed, named=True)
    send_corrections(signed)
    assert f"(1 {word})" in signed.letter(OFFICIALS[0], "Correction")["Subject"]


@BOTH
def test_after_the_letters_each_official_is_corrected_and_old_proofs_hold(signed: World, act: Act, word: str) -> None:
    jobs.serve(order())
    do(act)
    signed.work("notices")
    old = check_letters(signed, named=True)
    send_corrections(signed)
    for official in OFFICIALS:
        letter = signed.letter(official, "Correction")
        assert f"(1 {word})" in letter["Subject"]
        assert NAME not in text_of(letter)
    serve(signed)
    new = check_letters(signed, named=False)
    assert ("struck out" in text_of(signed.letters(OFFICIALS[0])[-1])) == (word == "struck out")
    leaves = signed.get(f"/notices/{SLUG}/editions/1/leaves.txt").data
    new_names = {f"new {name}": content for name, content in new.items()}
    assert holds(old | new_names | {"leaves.txt": leaves, "keys.json": signed.get("/.well-known/undersigned-keys.json").data})
    assert head()[0] == 3


def test_a_milestone_that_only_struck_ones_reached_is_to_be_reached_again(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(1, 3), wait=15)
    world.add_organisers()
    crowd.sign(range(3))
    [serving] = servings(world)
    assert serving.causes == ["milestone 1", "milestone 3"]
    do(strike)
    [serving] = servings(world)
    assert (serving.state, serving.causes) == ("due", ["milestone 1"])
    for number in (2, 3):
        with transaction() as session:
            signature = moderation.find(session, number)
            count.hold_notice(session, signature)
            count.strike(session, signature, datetime.now(UTC))
    assert [one.state for one in servings(world)] == ["stopped"]
    assert world.rows(select(Milestone.crossed_at)) == [None, None]
    assert result_of(world, "notices", "status", SLUG)["notices"][0]["next_milestone"] == 1  # type: ignore[index]
    crowd.sign(range(5, 6))
    assert [(one.state, one.causes) for one in servings(world)][1:] == [("due", ["milestone 1"])]


def test_many_strikes_and_signatures_at_once_leave_one_true_tree(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(1000,))
    world.add_organisers()
    crowd.sign(range(8))
    keys = crowd.ask(range(8, 16))

    def out(number: int, after: Callable[[Session, Signature, datetime], bool]) -> None:
        with transaction() as session:
            signature = moderation.find(session, number)
            count.hold_notice(session, signature)
            after(session, signature, datetime.now(UTC))

    acts: list[Callable[[], object]] = [lambda key=key: crowd.confirm(key) for key in keys[:6]]
    acts += [lambda n=n, how=how: out(n, how) for n in range(1, 5) for how in (count.strike, count.withdraw)]
    assert [one for one in crowd.at_once(acts) if isinstance(one, Exception)] == []
    assert world.count() == 8 + 6 - 4
    assert head()[0] == 8 + 6 + 4
    assert world.rows(select(Edition.struck)) == [states(world).count("struck")]
    serve(world)
    assert holds({"1.json": manifest(world, 1), "leaves.txt": world.get(f"/notices/{SLUG}/editions/1/leaves.txt").data})


def test_a_backup_keeps_what_was_struck_and_hidden(either_world: World, tmp_path: Path) -> None:
    world, file = either_world, str(tmp_path / "all.zip")
    world.publish(milestones=(100,))
    world.add_organisers()
    crowd.sign(range(3))
    do(strike)
    assert run(world, "signatures", "hide", "2", "--reason", "an insult").exit_code == 0
    assert run(world, "signatures", "strike", "3", "--reason", "not a real person").exit_code == 0
    assert run(world, "backup", file).exit_code == 0
    do(lambda session: moderation.act(session, "show", moderation.find(session, 2), datetime.now(UTC)))
    assert run(world, "restore", file, "--replace").exit_code == 0
    assert states(world) == ["struck", "confirmed", "confirmed"]
    assert [at is not None for at in world.rows(select(Signature.hidden_at).order_by(Signature.id))] == [False, True, False]
    assert world.rows(select(Edition.struck)) == [1]
    assert [(one.state, one.proposed_by_id) for one in world.rows(select(Proposal).order_by(Proposal.id))] == [
        ("approved", 1), ("open", None)
    ]  # fmt: skip
    assert head()[0] == 4
    serve(world)
    assert holds({"1.json": manifest(world, 1), "leaves.txt": world.get(f"/notices/{SLUG}/editions/1/leaves.txt").data})

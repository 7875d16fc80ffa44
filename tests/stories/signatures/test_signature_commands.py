"""`flask signatures …` as an operator types it: IDs are found, each act says what it did, a wrong ID is a sentence."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from service.models import AuditEntry, Proposal
from service.organisers import audit
from tests.stories.operations.test_commands import result_of, run
from tests.support import crowd
from tests.support.moderating import decide, states, two_signers
from tests.support.people import ANN, BEN, PETRA, SLUG
from tests.support.world import World, text_of

WHY = ("--reason", "asked by letter")


def test_ids_are_found_by_name_address_and_notice(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(100,))
    two_signers(world)
    world.sign({"name": "Cara Lind", "email": "cara@example.org"}, display="count")
    for words in (("Ashw",), ("ann",), ("ann@",), ("ann", "ash"), ("ANN@example.org",)):
        [row] = result_of(world, "signatures", "find", *words)["signatures"]  # type: ignore[misc]
        assert (row["id"], row["number"], row["notice"], row["state"]) == (1, 1, SLUG, "confirmed")
        assert (row["name"], row["email"], row["clp"], row["hidden"]) == (ANN["name"], ANN["email"], "Harbour", False)
    line = run(world, "signatures", "find", "cara").stdout
    assert line == f"3: Cara Lind <cara@example.org>, Harbour; {SLUG}, pending\n"
    nobody = run(world, "signatures", "find", "zzz")
    assert (nobody.exit_code, nobody.stdout, nobody.stderr) == (0, "", "No signature like this.\n")
    assert run(world, "signatures", "find", "z").exit_code == 1
    assert run(world, "signatures", "find").exit_code == 2
    listed = result_of(world, "signatures", "list", "--notice", SLUG)
    assert [row["id"] for row in listed["signatures"]] == [1, 2, 3]  # type: ignore[attr-defined]
    assert listed["more"] is False
    few = result_of(world, "signatures", "list", "--notice", SLUG, "--limit", "1", "--after", "1", "--state", "confirmed")
    assert ([row["id"] for row in few["signatures"]], few["more"]) == ([2], False)  # type: ignore[attr-defined]
    assert "add --after 1" in run(world, "signatures", "list", "--notice", SLUG, "--limit", "1").stderr
    assert run(world, "signatures", "list", "--notice", "nothing").exit_code == 1
    assert run(world, "signatures", "list").exit_code == 2


def test_one_is_hidden_shown_and_withdrawn_at_once_and_audited(world: World) -> None:
    world.publish(milestones=(100,))
    two_signers(world)
    hidden = result_of(world, "signatures", "hide", "1", *WHY)
    assert hidden == {"act": "hide", "id": 1, "state": "confirmed", "hidden": True, "told": False, "count": 2}
    assert ANN["name"] not in world.get(f"/notices/{SLUG}/signatures").text
    assert "confirmed, hidden" in run(world, "signatures", "find", "ann").stdout
    assert result_of(world, "signatures", "show", "1", *WHY)["hidden"] is False
    withdrawn = run(world, "signatures", "withdraw", "1", *WHY)
    assert withdrawn.exit_code == 0
    assert "Its signer is told, and can undo it for 30 days." in withdrawn.stdout
    world.work()
    undo = world.link(world.letter(ANN["email"], "has been withdrawn"), "count-again")
    assert world.count() == 1
    world.post(undo)
    assert world.count() == 2
    entries = world.rows(select(AuditEntry).order_by(AuditEntry.id))
    assert [(one.act, one.organiser_id, one.address, one.subject, one.details["signature"]) for one in entries] == [
        (f"{act} signature", None, "command", audit.person(ANN["email"]), 1) for act in ("hide", "show", "withdraw")
    ]
    assert "asked by letter" in str(entries[0].details)


def test_from_a_shell_striking_out_is_only_proposed(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    document = result_of(world, "signatures", "strike", "1", *WHY)
    assert document == {"act": "strike", "ids": [1], "proposal": 1, "state": "proposed"}
    assert states(world) == ["confirmed", "confirmed"]
    petra = world.sign_in(PETRA)
    page = world.get("/organise/notices", petra).text
    assert "proposed by a command" in page
    assert "asked by letter" in page
    assert decide(world, petra) == 303
    assert states(world) == ["struck", "confirmed"]
    assert run(world, "signatures", "strike", "1", *WHY).exit_code == 1
    assert run(world, "signatures", "allow", "2", *WHY).exit_code == 1
    assert result_of(world, "signatures", "allow", "1", *WHY) == {"id": 1, "state": "withdrawn"}


@pytest.mark.settings(APPROVALS="0")
def test_from_a_shell_it_is_proposed_also_where_one_organiser_does_both(world: World) -> None:
    world.publish(milestones=(100,))
    two_signers(world)
    assert "has to approve it" in run(world, "signatures", "strike", "1", *WHY).stdout
    assert states(world) == ["confirmed", "confirmed"]


@pytest.mark.parametrize("act", ["hide", "withdraw", "strike"])
def test_many_at_once_take_two(world: World, act: str) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    crowd.sign(range(40))
    numbers = [str(number) for number in range(1, 36)]
    document = result_of(world, "signatures", act, *numbers, "35", *WHY)
    assert document["ids"] == [int(number) for number in numbers]
    assert world.count() == 40
    petra = world.sign_in(PETRA)
    page = world.get("/organise", petra).text
    assert crowd.person(0).name in page
    assert decide(world, petra) == 303
    assert world.count() == (40 if act == "hide" else 5)
    names = world.get(f"/notices/{SLUG}/signatures").text
    assert crowd.person(0).name not in names
    assert crowd.person(39).name in names
    world.work()
    told = len(world.letters(subject="Your signature has been"))
    assert told == (0 if act == "hide" else 30)  # the others follow a minute later: confirmations do not wait behind them
    [proposal] = world.rows(select(Proposal))
    assert (proposal.state, proposal.proposed_by_id, proposal.decided_by_id) == ("approved", None, 2)


def test_a_wrong_id_or_state_is_one_sentence_and_changes_nothing(world: World) -> None:
    world.publish(milestones=(100,))
    two_signers(world)
    world.sign({"name": "Cara Lind", "email": "cara@example.org"})
    assert run(world, "signatures", "withdraw", "2", *WHY).exit_code == 0
    cases = [
        (("hide", "99"), 1, "There is no signature with the ID 99. See the IDs with `flask signatures find WORDS`"),
        (("strike", "1", "99"), 1, "There is no signature with the ID 99."),
        (("strike", str(2**70)), 1, "There is no signature with the ID"),
        (("hide", "3"), 1, "Signature 3 is not confirmed: it counts for nothing and stands on no page."),
        (("withdraw", "2"), 1, "Signature 2 was withdrawn on"),
        (("strike", "1", "2"), 1, "Signature 2 was withdrawn on"),
        (("show", "1"), 1, "The name of signature 1 is not hidden."),
        (("allow", "1"), 1, "Signature 1 is not struck out."),
        (("hide", "ann"), 2, "'ann' is not a valid integer"),
        (("hide", "0"), 2, "Invalid value"),
        (("hide",), 2, "Missing argument"),
    ]
    for words, code, sentence in cases:
        result = run(world, "signatures", *words, *WHY)
        assert (result.exit_code, sentence in result.stderr) == (code, True), (words, result.stderr)
        if code == 1:
            assert sentence in json.loads(run(world, "signatures", *words, *WHY, "--json").stdout)["error"]
    assert run(world, "signatures", "hide", "1").exit_code == 2
    assert run(world, "signatures", "hide", "1", "--reason", " ").exit_code == 1
    assert states(world) == ["confirmed", "withdrawn", "pending"]
    assert world.rows(select(Proposal.id)) == []
    assert world.rows(select(AuditEntry.act)) == ["withdraw signature"]


def test_who_signed_under_two_notices_or_names_is_told_by_each_signature(world: World) -> None:
    world.publish(milestones=(100,))
    two_signers(world)
    world.sign({"name": "Bea O'Malley", "email": BEN["email"]})
    assert "3: Bea O'Malley" in run(world, "signatures", "find", "ben@").stdout
    assert result_of(world, "signatures", "withdraw", "2", *WHY)["told"] is True
    world.work()
    assert "Dear Ben O'Malley" in text_of(world.letter(BEN["email"], "has been withdrawn"))

"""Every command as an operator types it: what it does, what it prints where, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select

from service.models import Consent, MailingList, Official, Organiser, OrganiserSession, Serving, SignInLink
from tests.support import people
from tests.support.world import World, text_of

ROOT = Path(__file__).parent.parent.parent.parent

FIVE_DEMANDS = """\
---
title: Keep the harbour library open
slug: harbour-library
addressed_to: the Harbourmaster and the Board
published_by: Friends of the Library (FOTL)
published_on: 2021-02-03
---
We who sign this ask of the Board:

- that the doors of the library open again;
- that every member whose card was taken gets it back, whoever took it;
- a second look at all fines of last year;
- a new way to hear complaints, from the ground up;
- and the right of reading circles to choose their own books.

Until that is so we will not pay the board’s fees, and will take no instruction from its wardens which we think unfair.

We act now and together.
"""


def run(world: World, *words: str) -> Result:
    return world.app.test_cli_runner().invoke(args=list(words))


def result_of(world: World, *words: str) -> dict[str, object]:
    """What --json prints: exactly one document, and nothing else, on standard output."""
    document = json.loads(run(world, *words, "--json").stdout)
    assert isinstance(document, dict)
    return document


def write(world: World, name: str, content: str | bytes) -> str:
    path = world.settings.var_dir / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_a_notice_of_five_demands_is_read_published_served_and_closed(world: World) -> None:
    file = write(world, "notice.md", FIVE_DEMANDS)
    taken = result_of(world, "notices", "import", file)
    assert taken["state"] == "rehearsal"
    assert taken["demands"][4] == "and the right of reading circles to choose their own books."  # type: ignore[index]
    assert len(taken["demands"]) == 5  # type: ignore[arg-type]
    assert "5. and the right" in run(world, "notices", "import", file).stdout
    published = result_of(world, "notices", "publish", "harbour-library")
    assert published["url"] == f"{world.settings.base_url}/notices/harbour-library"
    assert world.get("/notices/harbour-library").status_code == 200
    assert result_of(world, "notices", "serve", "harbour-library")["rehearsal"] is False
    assert len(world.rows(select(Serving))) == 1
    assert result_of(world, "notices", "close", "harbour-library")["state"] == "closed"
    assert run(world, "notices", "close", "harbour-library").exit_code == 1


def test_status_counts_signatures_and_deliveries(world: World) -> None:
    world.publish(milestones=(1, 5))
    world.sign(people.ANN)
    world.confirm(people.ANN["email"])
    found = result_of(world, "notices", "status")["notices"][0]  # type: ignore[index]
    assert (found["state"], found["count"], found["next_milestone"]) == ("live", 1, 5)
    assert found["deliveries"] == {"relay": 2}
    assert "1 signatures" in run(world, "notices", "status", people.SLUG).stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("---\ntitle", "title"), "does not begin with front matter"),
        (("slug: harbour-library\n", ""), "lacks slug"),
        (("slug: harbour-library", "slug: Harbour Library"), "small letters"),
        (("2021-02-03", "3 February 2021"), "write it like 2021-01-18"),
        (("published_by: ", "published_by "), "without a colon"),
        (("title: Keep", "title: =Keep"), "= + - @"),
    ],
)
def test_a_notice_that_cannot_be_read_is_refused_in_a_sentence(world: World, change: tuple[str, str], sentence: str) -> None:
    result = run(world, "notices", "import", write(world, "notice.md", FIVE_DEMANDS.replace(*change)))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert sentence in result.stderr


def test_officials_come_from_a_file_and_each_bad_line_is_named(world: World) -> None:
    rows = people.OFFICIALS + (
        "Treasurer,Kit Vale,no-address,party website,2026-10-01\n"
        "Whip,Lee Moor,whip@nec.example,party website,yesterday\n"
        "Chair of the NEC,Somebody Else,else@nec.example,party website,2026-10-02\n"
    )
    document = result_of(world, "officials", "import", write(world, "o.csv", rows))
    assert (document["added"], document["changed"]) == (2, 0)
    assert [one["line"] for one in document["bad"]] == [4, 5, 6]  # type: ignore[attr-defined]
    again = run(world, "officials", "import", write(world, "o.csv", people.OFFICIALS.replace("Morgan Fell", "Robin Oak")))
    assert (again.exit_code, again.stdout) == (0, "Officials: 0 added, 1 changed.\n")
    assert {one.name for one in world.rows(select(Official))} == {"Robin Oak", "Jamie Thornhill"}


def test_officials_want_all_their_columns(world: World) -> None:
    result = run(world, "officials", "import", write(world, "o.csv", "office,name,email\nWhip,Lee,whip@nec.example\n"))
    assert result.exit_code == 1
    assert "lacks: source, verified_on" in result.stderr


@pytest.mark.settings(APPROVALS="0")
def test_a_mailing_goes_from_a_file_to_its_list(world: World) -> None:
    world.publish()
    world.subscribe(people.BEN)
    world.confirm(people.BEN["email"])
    sent = result_of(
        world, "mailings", "send", write(world, "u.md", "\ufeff# The first week\n\nDear {name}."), "--list", "updates"
    )
    world.work()
    assert "Dear Ben O'Malley." in text_of(world.letter(people.BEN["email"], "The first week"))
    status = result_of(world, "mailings", "status", str(sent["id"]), "--watch")["mailings"]
    assert status[0]["counts"] == {"accepted": 1}  # type: ignore[index]
    assert "1 of 1 settled" in run(world, "mailings", "status").stdout


def test_a_mailing_that_needs_approval_is_done_in_part(world: World) -> None:
    world.publish()
    result = run(world, "mailings", "send", write(world, "u.md", "# Hello\n\nHello."), "--list", "updates")
    assert result.exit_code == 1
    assert "waits for an approver" in result.stdout


def test_an_organiser_is_added_and_gets_a_link(world: World) -> None:
    assert run(world, "organisers", "add", people.OLIVE, "--role", "author").exit_code == 0
    url = str(result_of(world, "organisers", "link", people.OLIVE)["url"])
    olive = world.browser()
    world.post(url, {}, olive)
    assert world.get("/organise", olive).status_code == 200
    assert len(world.rows(select(OrganiserSession))) == 1
    assert run(world, "organisers", "add", people.OLIVE, "--role", "approver").exit_code == 0
    assert world.rows(select(OrganiserSession)) == []
    assert [one.role for one in world.rows(select(Organiser))] == ["approver"]


def test_links_from_the_command_are_never_more_than_three(world: World) -> None:
    world.add_organisers()
    links = [result_of(world, "organisers", "link", people.OLIVE)["url"] for _ in range(5)]
    assert len(world.rows(select(SignInLink))) == 3
    assert [world.get(str(link)).status_code for link in links] == [404, 404, 200, 200, 200]


def test_seed_fills_an_empty_database_once(world: World) -> None:
    assert result_of(world, "seed") == {"planted": True}
    assert result_of(world, "seed") == {"planted": False}
    assert world.get("/").status_code == 200
    assert len(world.rows(select(MailingList))) == 1
    assert {one.act for one in world.rows(select(Consent))} == {"imported"}


@pytest.mark.parametrize(
    "words",
    [
        "notices publish nowhere",
        "notices serve nowhere",
        "notices close nowhere",
        "notices status nowhere",
        "notices import missing.md",
        "notices import .",
        "officials import missing.csv",
        "subscribers import missing.csv --list updates --source form",
        "subscribers import tests/support/people.py --list updates --source form",
        "subscribers export --list nowhere",
        "mailings send missing.md --list updates",
        "mailings send tests/support/people.py --list updates",
        "mailings status 7",
        "mailings status 0",
        "mailings status 99999999999999999999",
        "organisers link stranger@example.org",
        "organisers add no-address --role author",
    ],
)
def test_what_cannot_be_done_ends_with_one_sentence_and_1(world: World, words: str) -> None:
    result = run(world, *words.split())
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.strip()[0].isupper() or words.split()[2] in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "words",
    ["notices", "notices publish", "officials import", "subscribers import x.csv --list updates", "mailings status many",
     "organisers add a@example.org --role king", "subscribers export", "nonsense"],
)  # fmt: skip
def test_wrong_usage_ends_with_2(world: World, words: str) -> None:
    assert run(world, *words.split()).exit_code == 2


def test_a_refusal_is_one_json_document_too(world: World) -> None:
    result = run(world, "notices", "publish", "[/nowhere]", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": "There is no notice called [/nowhere]"}
    assert "[/nowhere]" in result.stderr


def test_text_in_another_encoding_is_refused_in_a_sentence(world: World) -> None:
    for words in (["notices", "import"], ["mailings", "send", "--list", "updates"]):
        result = run(world, *words, write(world, "latin.md", "# Café\n\nNo".encode("latin-1")))
        assert result.exit_code == 1
        assert "is not in UTF-8" in result.stderr

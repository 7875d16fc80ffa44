"""Lists of people that somebody else made: good lines are taken, each bad one is named, nobody is brought back."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from service.cli.people import BATCH
from service.core.db import transaction
from service.emails import suppressions
from service.errors import Refused
from service.models import Consent, MailingList, Subscription
from service.subscriptions import subscribing
from service.text import email_addresses, person_names
from tests.stories.operations.test_commands import run, write
from tests.support import people
from tests.support.world import World

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEADER = "email,name,clp,office\n"
GOOD = HEADER + "ann@example.org,Ann Ashworth,Harbour,chair\nBen@Example.org,Ben O'Malley,,\n"


def take(world: World, content: str | bytes, *more: str, source: str = "paper forms of 1 May") -> tuple[dict[str, object], int]:
    """Imports onto the list of updates; what --json said, and the exit code."""
    with transaction() as session:
        if session.scalar(select(MailingList.id)) is None:
            session.add(MailingList(slug="updates", title="Updates", created_at=NOW))
    file = write(world, "people.csv", content)
    result = run(world, "subscribers", "import", file, "--list", "updates", "--source", source, "--json", *more)
    return json.loads(result.stdout), result.exit_code


def reasons(document: dict[str, object]) -> dict[int, str]:
    return {one["line"]: one["reason"] for one in document["bad"]}  # type: ignore[attr-defined]


def on_list(world: World) -> dict[str, str]:
    return {one.email: one.state for one in world.rows(select(Subscription))}


def test_people_are_taken_in_with_their_consent(either_world: World) -> None:
    document, code = take(either_world, GOOD)
    assert (document["added"], code) == (2, 0)
    rows = either_world.rows(select(Subscription).order_by(Subscription.id))
    assert [(one.email, one.mailbox, one.name, one.clp, one.office, one.state) for one in rows] == [
        ("ann@example.org", "ann@example.org", "Ann Ashworth", "Harbour", "chair", "confirmed"),
        ("Ben@example.org", "ben@example.org", "Ben O'Malley", "", "", "confirmed"),
    ]
    assert all(one.created_at == one.confirmed_at and one.created_at.tzinfo for one in rows)
    consents = either_world.rows(select(Consent))
    assert [(one.mailbox, one.act, one.channel, one.wording) for one in consents] == [
        ("ann@example.org", "imported", "import", "paper forms of 1 May"),
        ("ben@example.org", "imported", "import", "paper forms of 1 May"),
    ]
    assert {len(one.wording_hash) for one in consents} == {64}
    again, code = take(either_world, GOOD + "chi@example.org,Chi,,\n")
    assert (again["added"], code, len(either_world.rows(select(Consent)))) == (1, 1, 3)
    assert reasons(again) == {2: "is on the list already", 3: "is on the list already"}


@pytest.mark.parametrize("source", ["", "   "])
def test_a_blank_source_is_no_consent(world: World, source: str) -> None:
    document, code = take(world, GOOD, source=source)
    assert code == 1
    assert "--source" in str(document["error"])
    assert on_list(world) == {}


def test_nobody_who_left_or_must_not_be_written_to_comes_back(either_world: World) -> None:
    take(either_world, GOOD)
    with transaction() as session:
        subscribing.leave(session, session.scalars(select(Subscription.id).order_by(Subscription.id)).first() or 0, NOW)
        suppressions.suppress(session, "chi@example.org", "complained", NOW)
    document, _ = take(either_world, GOOD + "Chi@example.org,Chi,,\n")
    assert reasons(document) == {2: "has left this list", 3: "is on the list already", 4: "must not be written to"}
    assert on_list(either_world) == {"ann@example.org": "left", "Ben@example.org": "confirmed"}


def test_a_dry_run_judges_all_and_stores_nothing(world: World) -> None:
    document, code = take(world, GOOD + "nobody,No,,\n", "--dry-run")
    assert (document["added"], document["good"], document["dry_run"], code) == (0, 2, True, 1)
    assert reasons(document) == {4: "email: Enter an e-mail address, like name@example.org."}
    assert on_list(world) == {}


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_mailbox_named_twice_is_found_across_batches(world: World, more: list[str]) -> None:
    lines = [f"p{number}@gmail.com,,," for number in range(BATCH + 2)]
    content = HEADER + "\n".join([*lines, "P.0+fair@googlemail.com,,,"]) + "\n"
    document, _ = take(world, content, *more)
    assert reasons(document) == {BATCH + 4: "is the same mailbox as line 2"}
    assert document["good"] == BATCH + 2


BAD_LINES = [
    ('ann@example.org,"Ann\nAshworth",,', "line break"),
    ("ann@example.org,Ann\0Ashworth,,", "cannot be seen"),
    ("ann@exa\0mple.org,Ann,,", "Enter an e-mail address"),
    ("ann@example.org,=HYPERLINK(1),,", "= + - @"),
    ("ann@example.org,Ann \u202eAshworth,,", "cannot be seen"),
    ("ann@example.org," + "A" * 101 + ",,", "at most 100 characters"),
    ("ann@example.org," + "A" * 1_000_000 + ",,", "more than 10,000 characters"),
    ("ann@example.org,Ashworth, Ann,,,extra", "has 6 columns, but the first line names 4"),
    ('ann@example.org,"Ann "the boss" Ashworth",,', "quotation mark"),
    ('ann@example.org,"Ann,,', "opens a quotation mark that is not closed"),
    (",Ann,,", "Enter an e-mail address"),
    ("ann>@example.org,Ann,,", "Enter an e-mail address"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_named_and_the_rest_is_taken(world: World, line: str | bytes, reason: str) -> None:
    bad = line.encode() if isinstance(line, str) else line
    content = HEADER.encode() + b"ben@example.org,Ben,,\n" + bad + b"\nchi@example.org,Chi,,\ndee@example.org,Dee,,\n"
    document, code = take(world, content)
    assert code == 1
    assert reason in reasons(document).pop(3), reasons(document)
    assert {"ben@example.org", "chi@example.org", "dee@example.org"} <= set(on_list(world))


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("\n", "\n\n"),
        GOOD.rstrip("\n"),
        GOOD.replace("email,name", " E-Mail , NAME ").replace("E-Mail", "Email"),
        GOOD.replace(HEADER, "email,name,clp,office,shoe size\n"),
        GOOD.replace("Ann Ashworth", '"Ann Ashworth"'),
        "sep=,\n" + GOOD,
        "\ufeffsep=;\r\n" + GOOD.replace(",", ";"),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-le"),
        GOOD.encode("utf-16-be"),
        GOOD.replace("Ben O'Malley,,", "Ben O'Malley,-,–"),
        GOOD.replace("office\n", "office,note,note\n"),
    ],
)
def test_files_as_programs_write_them_are_read(world: World, content: str) -> None:
    document, code = take(world, content)
    assert (document["added"], code) == (2, 0), document
    assert on_list(world) == {"ann@example.org": "confirmed", "Ben@example.org": "confirmed"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "it lacks: email"),
        ("name;clp\nAnn;Harbour\n", "it lacks: email"),
        ("ann@example.org,Ann\n", "it lacks: email"),
        ("email,email\n", "twice"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no table"),
        (b"PK\x03\x04" + bytes(range(256)) * 40, "spreadsheet cannot be read"),
        ("email,name,name\nann@example.org,Ann,\n", "names the column name twice"),
        ("clp,email,name,clp\nHarbour,ann@example.org,Ann,\n", "names the column clp twice"),
        ("x" * 3_000_000, "it lacks: email"),
    ],
)
def test_what_is_no_such_table_is_refused_in_a_sentence(world: World, content: str | bytes, sentence: str) -> None:
    document, code = take(world, content)
    assert code == 1
    assert sentence in str(document["error"])
    assert on_list(world) == {}


def test_an_export_is_safe_in_a_spreadsheet_and_can_be_imported(world: World) -> None:
    take(world, GOOD)
    with transaction() as session:
        ann = session.scalars(select(Subscription).where(Subscription.mailbox == people.ANN["email"])).one()
        ann.clp = "=cmd|' /C calc'!A0"
    exported = run(world, "subscribers", "export", "--list", "updates").stdout
    rows = list(csv.DictReader(io.StringIO(exported, newline="")))
    assert [one["email"] for one in rows] == ["ann@example.org", "Ben@example.org"]
    assert rows[0]["clp"] == "'=cmd|' /C calc'!A0"
    assert take(world, exported, "--dry-run")[0]["good"] == 0


def test_progress_goes_to_standard_error_in_plain_lines(world: World) -> None:
    take(world, GOOD)
    file = write(world, "many.csv", HEADER + "nobody,,,\n" * 100_001)
    result = run(world, "subscribers", "import", file, "--list", "updates", "--source", "x", "--dry-run")
    assert result.stdout == "0 people would be added to updates; 100,001 lines left out.\n"
    assert "Judging: 100,00" in result.stderr
    assert "… and 99,001 more." in result.stderr
    assert "\x1b" not in result.stderr


def test_a_race_with_a_subscriber_costs_no_batch(either_world: World) -> None:
    take(either_world, GOOD)
    with transaction() as session:
        updates = session.scalars(select(MailingList)).one()
        lines = [subscribing.read_line(number, {"email": f"p{number % 3}@example.org"}) for number in range(2, 7)]
        assert subscribing.take_in(session, updates, lines, "x", NOW) == {5: "is named twice", 6: "is named twice"}
    assert either_world.rows(select(func.count()).select_from(Subscription)) == [5]


LOCAL = st.text("abzAZ09._+-'!\"@ é\0", min_size=0, max_size=70) | st.sampled_from(["info", "Info", "POSTMASTER", "a" * 65])
LABEL = st.text("abzAZ09-_é.", min_size=1, max_size=66) | st.sampled_from(["xn--", "test", "local", "org", "a" * 63, "onion"])
HOST = st.lists(LABEL, min_size=1, max_size=6).map(".".join)


@given(st.builds("{}@{}".format, LOCAL, HOST))
@example("Info@Example.ORG")
@example("a@b.test")
@example("a@x.y--z.org")
@example(f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 60}.org")
@example("a@1.2.3.4")
@example("a@b.c1\n")
def test_a_quick_look_takes_only_what_email_validator_takes(text: str) -> None:
    quick = email_addresses._plain(text)
    if quick is not None:
        found = validate_email(text, check_deliverability=False, strict=True, test_environment=True)
        assert quick == f"{found.ascii_local_part}@{found.ascii_domain}"


@given(st.from_regex(email_addresses.PLAIN, fullmatch=True))
def test_whatever_looks_plain_is_judged_alike(text: str) -> None:
    try:
        found = validate_email(text, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError:
        assert email_addresses._plain(text) is None
        return
    assert email_addresses.parse(text) == f"{found.ascii_local_part}@{found.ascii_domain}"


@given(st.text(st.characters() | st.sampled_from("ab  \u200c\u200d\u00a0\u202e=\n"), max_size=12))
def test_a_clean_name_is_one_printable_line(text: str) -> None:
    try:
        clean = person_names.clean(text, "name")
    except Refused:
        return
    assert clean == " ".join(clean.split())
    assert not any(person_names._forbidden(character) for character in clean)
    assert person_names.clean(clean, "name") == clean
    assert not clean.startswith(person_names.FORMULA)

"""People found, looked at and taken off lists by an administrator; files of people judged before anything is stored."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from service.core.db import reading, transaction
from service.emails import suppressions
from service.errors import Refused
from service.models import AuditEntry, Import, ImportLine, Subscription
from service.people import person_search
from service.subscriptions import imports, subscribing
from tests.support.people import ANN, BEN, CHI, OLIVE
from tests.support.world import TOKEN, World
from workers import read_imports

FILE = """\
E-Mail;Member;Branch
ann@example.org;Ann Ashworth;Harbour
ben@example.org;Ben O'Malley;Valley
nobody;Nobody;
ann@example.org;Ann again;
chi@example.org;=Chi;
"""


def signed_up(world: World) -> FlaskClient:
    world.publish()
    world.add_organisers()
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    return world.sign_in(OLIVE)


def test_people_are_found_by_address_name_and_local_party(either_world: World) -> None:
    signed_up(either_world)
    with reading() as session:
        for words, clp, expected in (
            ("ann@", "", ["Ann Ashworth"]), ("ANN@example.org", "", ["Ann Ashworth"]), ("ash", "", ["Ann Ashworth"]),
            ("ann ash", "", ["Ann Ashworth"]), ("o'mal", "", ["Ben O'Malley"]), ("", "harbour", ["Ann Ashworth"]),
            ("ann", "valley", []), ("zoe", "", []), ("a*@", "", []), ("%@", "", []), ("& |", "", []), ("ann' | 'b", "", []),
        ):  # fmt: skip
            found = [one.name for one in person_search.search(session, words, clp)]
            assert found == expected or (words in {"& |"} and not expected), (words, clp)
        for words in ("", "a", " "):
            with pytest.raises(Refused):
                person_search.search(session, words, "")


def test_a_persons_page_tells_what_happened_and_searching_leaves_no_trace(world: World) -> None:
    olive = signed_up(world)
    page = world.post("/organise/people", {"words": "ann@"}, olive).text
    where = re.findall(r'href="(/organise/people/signature/\d+)"', page)[0]
    page = world.get(where, olive).text
    for told in ("Confirmed a signature", "I agree", "asked to confirm: accepted", "250", "Signed “Open the books”"):
        assert told in page, told


def test_taking_somebody_off_wants_a_reason_and_is_in_the_audit(world: World) -> None:
    olive = signed_up(world)
    where = "/organise/people/subscription/1"
    assert world.post(where, {"act": "suppress", "reason": ""}, olive).status_code == 422
    assert world.post(where, {"act": "unsubscribe", "reason": "asked by telephone"}, olive).status_code == 303
    assert world.rows(select(Subscription.state)) == ["left"]
    assert world.post(where, {"act": "suppress", "reason": "asked by telephone"}, olive).status_code == 303
    world.subscribe(BEN)
    assert world.rows(select(Subscription.state)) == ["left"]
    page = world.get(where, olive).text
    assert "We must not write to this mailbox" in page
    assert "Organiser 1: suppress" in page
    assert world.post(where, {"act": "lift", "reason": "asked to come back"}, olive).status_code == 303
    with reading() as session:
        assert not suppressions.is_suppressed(session, BEN["email"])
    acts = [
        (one.act, one.details["reason"])
        for one in world.rows(select(AuditEntry))
        if one.act != "look at" and one.subject.startswith("person")
    ]
    assert [act for act, _ in acts] == ["unsubscribe", "suppress", "lift"]
    assert not [one for one in world.rows(select(AuditEntry)) if BEN["email"] in repr(vars(one))]


def send_file(world: World, client: FlaskClient, content: str | bytes, **fields: str) -> Any:
    found = TOKEN.search(world.get("/organise/imports", client).text)
    assert found
    raw = content.encode() if isinstance(content, str) else content
    form = {"csrf_token": found[1], "list": "updates", "source": "paper forms, 2026", "file": (io.BytesIO(raw), "m.csv")}
    return client.post("/organise/imports", data=form | fields, content_type="multipart/form-data")


def test_a_file_is_told_apart_judged_and_only_then_taken_in(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, FILE).headers["Location"]
    page = world.get(where, olive).text
    assert "<option selected>e-mail</option>" in page
    columns = {"email": "e-mail", "name": "member", "clp": "branch"}
    assert world.post(where, {"act": "judge", "name": "member"}, olive).status_code == 422
    assert world.post(where, {"act": "judge", **columns}, olive).status_code == 303
    world.work()
    page = world.get(where, olive).text
    assert "2 people would be added" in page
    assert world.rows(select(func.count()).select_from(Subscription)) == [0]
    file = world.post(f"{where}/bad-lines.csv", {}, olive, page=where).text
    bad = list(csv.DictReader(io.StringIO(file)))
    assert [one["line"] for one in bad] == ["4", "5", "6"]
    assert bad[1]["reason"] == "is the same mailbox as line 2"
    assert bad[0]["what_stood_there"] == "nobody;Nobody;"
    assert world.post(where, {"act": "take in"}, olive).status_code == 303
    world.work()
    assert "2 people added" in world.get(where, olive).text
    rows = world.rows(select(Subscription).order_by(Subscription.id))
    assert [(one.email, one.name, one.clp, one.state) for one in rows] == [
        ("ann@example.org", "Ann Ashworth", "Harbour", "confirmed"),
        ("ben@example.org", "Ben O'Malley", "Valley", "confirmed"),
    ]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xfe\n\0", b"\n\n\n"])
def test_what_is_no_table_is_told_and_not_kept(world: World, content: bytes) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    page = send_file(world, olive, content)
    assert page.status_code == 422
    assert "no first line" in page.text or "This file is no table" in page.text
    assert world.rows(select(Import)) == []
    assert list((world.settings.var_dir / "uploads").iterdir()) == []


def test_a_file_larger_than_a_form_is_taken_from_an_organiser_alone(world: World) -> None:
    world.publish()
    world.add_organisers()
    large = "email\n" + "".join(f"member{number}@example.org\n" for number in range(20_000))
    olive = world.sign_in(OLIVE)
    assert send_file(world, olive, large).status_code == 303
    stranger = world.browser()
    page = world.get("/organise/sign-in", stranger).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "file": (io.BytesIO(large.encode()), "m.csv")}
    assert stranger.post("/organise/imports", data=form, content_type="multipart/form-data").status_code in {303, 413}
    assert world.rows(select(func.count()).select_from(Import)) == [1]


def test_a_killed_worker_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, "email\n" + "".join(f"m{number}@example.org\n" for number in range(25))).headers["Location"]
    world.post(where, {"act": "judge", "email": "email"}, olive)
    world.work()
    world.post(where, {"act": "take in"}, olive)
    monkeypatch.setattr(read_imports, "BATCH", 10)
    take_in, calls = subscribing.take_in, []

    def dies(*arguments: Any) -> dict[int, str]:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return take_in(*arguments)

    monkeypatch.setattr(subscribing, "take_in", dies)
    with pytest.raises(RuntimeError):
        read_imports.run(1)
    assert world.rows(select(Import.done)) == [10]
    read_imports.run(1)
    assert world.rows(select(func.count()).select_from(Subscription)) == [25]
    assert world.rows(select(Import.good)) == [25]
    assert world.rows(select(Import.state)) == ["done"]


def test_of_two_workers_only_one_goes_on(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, "email\na@example.org\n").headers["Location"]
    world.post(where, {"act": "judge", "email": "email"}, olive)
    with transaction() as session:
        assert imports.begin(session, 1, 1) is not None
        assert imports.note(session, 1, 0, 1, 1, {})
        assert not imports.note(session, 1, 0, 1, 1, {})


def test_files_are_forgotten_after_a_week(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    send_file(world, olive, FILE)
    assert imports.forget_files(datetime.now(UTC) + timedelta(days=6)) == 0
    assert imports.forget_files(datetime.now(UTC) + timedelta(days=8)) == 1
    assert "send it again" in world.get("/organise/imports/1", olive).text
    with transaction() as session:
        session.execute(update(Import).values(state="judging", columns={"email": "email"}))
    read_imports.run(1)
    assert world.rows(select(Import.state)) == ["failed"]
    assert world.rows(select(ImportLine)) == []


def test_chi_is_found_by_any_of_her_names(either_world: World) -> None:
    either_world.publish()
    either_world.sign(CHI)
    either_world.confirm(CHI["email"])
    with reading() as session:
        assert [one.email for one in person_search.search(session, "bianchi", "")] == [CHI["email"]]

"""A complaint is taken, acknowledged, due in 30 days, seen by organisers, answered; and who we are stands everywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Complaint
from service.organisers import accounts
from service.people import complaints
from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.world import World, html_of, text_of

WORDS = {"text": "You wrote to me after I left.\n\nPlease stop."}
US = {
    "ORGANISATION": "Harbour & Valley Members",
    "POSTAL_ADDRESS": "7 Quay Road, Sampleton SA1 1AA",
    "IMPRINT": "Promoted by R. Vale on behalf of Harbour & Valley Members.",
    "CONTACT_EMAIL": "us@harbour.example",
}


def test_a_complaint_gets_a_reference_a_letter_and_a_date(world: World) -> None:
    page = world.post("/complaints", ANN | WORDS).get_data(as_text=True)
    taken = world.rows(select(Complaint))[0]
    assert re.fullmatch(r"C-\d{4}-[0-9A-F]{8}", taken.reference)
    assert taken.reference in page
    assert taken.due_at - taken.received_at == timedelta(days=30)
    world.work()
    letter = world.letter(ANN["email"], f"Your complaint {taken.reference}")
    day = f"{taken.due_at.day} {taken.due_at:%B %Y}"
    for said in (page, text_of(letter), html_of(letter)):
        assert taken.reference in said
        assert day in said
        assert "Information Commissioner" in said


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": ""}, "name"), ({"email": "nobody"}, "email"), ({"text": " "}, "text"), ({"text": "x" * 5001}, "text"),
     ({"name": "Ann\r\nBcc: x@example.org"}, "name"), ({"email": "a@example.org\r\nBcc: x@example.org"}, "email")],
)  # fmt: skip
def test_a_complaint_with_a_mistake_says_where(world: World, change: dict[str, str], field: str) -> None:
    response = world.post("/complaints", ANN | WORDS | change)
    assert response.status_code == 422
    assert f'href="#{field}"' in response.get_data(as_text=True)
    assert world.rows(select(Complaint)) == []


def test_organisers_see_what_is_overdue_and_mark_it_answered(world: World) -> None:
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    world.post("/complaints", ANN | WORDS)
    world.post("/complaints", BEN | {"text": "<script>alert(1)</script>"})
    with transaction() as session:
        session.execute(update(Complaint).where(Complaint.id == 2).values(due_at=datetime.now(UTC) - timedelta(minutes=1)))
    page = world.get("/organise", olive).get_data(as_text=True)
    first, second = world.rows(select(Complaint).order_by(Complaint.id))
    assert page.count("Overdue:") == 1
    assert page.index(second.reference) < page.index(first.reference)
    assert "<script>alert" not in page
    token = {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}
    for _ in range(2):  # a double press
        assert olive.post(f"/organise/complaints/{second.reference}/answered", data=token).status_code == 303
    assert "Overdue:" not in world.get("/organise", olive).get_data(as_text=True)
    assert [one.state for one in world.rows(select(Complaint).order_by(Complaint.id))] == ["open", "answered"]
    assert olive.post("/organise/complaints/C-0/answered", data=token).status_code == 404


def test_the_most_urgent_complaint_comes_first(world: World) -> None:
    fields = {"name": "Ann", "email": ANN["email"], "text": "Why?"}
    start = datetime(2026, 11, 22, tzinfo=UTC)
    with transaction() as session:
        for day in (3, 1, 2):
            complaints.take(session, fields, start + timedelta(days=day))
        assert [one.received_at.day for one in complaints.to_answer(session)] == [23, 24, 25]


@pytest.mark.settings(**US)
def test_the_legal_pages_are_made_from_settings(world: World) -> None:
    pages = {path: unescape(world.get(path).get_data(as_text=True)) for path in ("/privacy", "/imprint", "/accessibility")}
    for page in pages.values():
        assert all(said in page for said in US.values())
        assert "(sample)" not in page
    for said in ("Art 9(2)(a)", "PECR", "Cookies", "How long we keep what", "Information Commissioner"):
        assert said in pages["/privacy"]
    assert "Web Content Accessibility Guidelines 2.2" in pages["/accessibility"]


@pytest.mark.settings(**US)
def test_imprint_and_postal_address_stand_on_every_page(world: World) -> None:
    world.publish()
    paths = ["/", f"/notices/{SLUG}", f"/notices/{SLUG}/sign", f"/notices/{SLUG}/signatures", f"/notices/{SLUG}/deliveries",
             "/lists/updates", "/news", "/privacy", "/imprint", "/complaints", "/accessibility", "/manage", "/organise/sign-in",
             "/nowhere", "/confirm/nonsense"]  # fmt: skip
    for path in paths:
        page = unescape(world.get(path).get_data(as_text=True))
        assert US["IMPRINT"] in page, path
        assert US["POSTAL_ADDRESS"] in page, path


@pytest.mark.settings(**US, APPROVALS="0")
def test_imprint_and_postal_address_stand_in_every_letter(world: World) -> None:
    world.publish(milestones=(1,))
    with transaction() as session:
        accounts.add(session, OLIVE, "administrator", datetime.now(UTC))
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])
    world.post("/complaints", ANN | WORDS)
    world.post("/manage", {"email": BEN["email"]})
    olive = world.sign_in(OLIVE)
    update_fields = {"list": "updates", "subject": "News", "body": "Hello."}
    where = world.post("/organise/updates/new", update_fields, olive).headers["Location"]
    seen = world.get(where, olive).get_data(as_text=True).split('name="seen" value="')[1].split('"')[0]
    for act in ("test", "send"):
        world.post(where, {"act": act, "seen": seen}, olive)
    world.work()
    letters = world.letters()
    assert len(letters) >= 9
    for letter in letters:
        for part in (text_of(letter), unescape(html_of(letter))):
            said = " ".join(part.split())
            assert US["IMPRINT"] in said, letter["Subject"]
            assert US["POSTAL_ADDRESS"] in said, letter["Subject"]

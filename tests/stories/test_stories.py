"""The three stories by the front door: post the form, run the workers, read the letter, press its link."""

from __future__ import annotations

import csv
import io

import pytest

from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.world import World, html_of, text_of


def test_a_member_signs_and_is_counted_once_confirmed(world: World) -> None:
    world.publish()
    page = world.sign(ANN)
    assert page.status_code == 200
    assert world.count() == 0
    response = world.confirm(ANN["email"])
    assert "number <strong>1</strong>" in response.get_data(as_text=True)
    assert world.count() == 1
    receipt = world.letter(ANN["email"], "Your signature counts")
    assert "signature number 1" in text_of(receipt)
    assert ANN["name"] in world.get(f"/notices/{SLUG}/signatures").get_data(as_text=True)


def test_a_signer_withdraws_by_the_link_in_the_receipt(world: World) -> None:
    world.publish(milestones=(100,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    manage = world.link(world.letter(ANN["email"], "Your signature counts"), "manage")
    page = world.get(manage).get_data(as_text=True)
    assert "Signature number 1 counts" in page
    assert ANN["name"] not in page  # letters are forwarded
    response = world.post(manage, {"act": "withdraw", "id": "1"})
    assert "withdrawn" in response.get_data(as_text=True)
    assert world.count() == 0
    assert ANN["name"] not in world.get(f"/notices/{SLUG}/signatures").get_data(as_text=True)


def test_the_first_milestone_serves_each_official_once(world: World) -> None:
    world.publish(milestones=(1, 2))
    for person in (ANN, BEN):
        world.sign(person)
        world.confirm(person["email"])
    world.sweep()
    world.work()
    for official in ("secretary@nec.example", "chair@nec.example"):
        letter = world.letter(official)
        assert "(1 signature)" in letter["Subject"]
        assert ANN["name"] in text_of(letter)
        assert ANN["name"] in html_of(letter)
    register = world.get(f"/notices/{SLUG}/deliveries.json").json["deliveries"]  # type: ignore[index]
    assert [(line["office"], line["tier"], line["count"]) for line in register] == [
        ("General Secretary", "relay", 1),
        ("Chair of the NEC", "relay", 1),
    ]
    assert "250" in register[0]["reply"]


def test_the_letter_carries_the_list_as_pdf_and_csv(world: World) -> None:
    world.publish(milestones=(1,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    attached = {part.get_filename(): part for part in world.letter("chair@nec.example").iter_attachments()}
    assert set(attached) == {"edition-1.txt", f"{SLUG}.pdf", f"{SLUG}-signatures.csv", "manifest.json"}
    assert attached[f"{SLUG}.pdf"].get_content().startswith(b"%PDF")
    content = attached[f"{SLUG}-signatures.csv"].get_content()
    rows = list(
        csv.DictReader(io.StringIO(content.decode("utf-8-sig") if isinstance(content, bytes) else content.lstrip("\ufeff")))
    )
    assert rows == [{"number": "1", "name": ANN["name"], "clp": "Harbour", "office": ""}]


@pytest.mark.settings(APPROVALS="0")
def test_an_organiser_writes_tests_and_sends_an_update(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    olive = world.sign_in(OLIVE)
    fields = {"list": "updates", "subject": "The first week", "body": "Dear {name|friend},\n\nwe are **many**."}
    where = world.post("/organise/updates/new", fields, olive).headers["Location"]
    page = world.get(where, olive).get_data(as_text=True)
    assert "<strong>many</strong>" in world.get(f"{where}/preview", olive).get_data(as_text=True)
    seen = page.split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "test", "seen": seen}, olive)
    world.post(where, {"act": "send", "seen": seen}, olive)
    world.work()
    assert "Dear friend," in html_of(world.letter(OLIVE, "[Test] The first week"))
    copy = world.letter(BEN["email"], "The first week")
    assert f"Dear {BEN['name']}," in text_of(copy)
    assert "State: <strong>sent</strong>" in world.get(where, olive).get_data(as_text=True)
    assert world.get("/news/the-first-week").status_code == 200
    assert "The first week" in world.get("/news.atom").get_data(as_text=True)
    assert "/news/the-first-week" in world.get("/news").get_data(as_text=True)


@pytest.mark.settings(APPROVALS="0")
def test_leaving_works_from_header_body_and_manage_page(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    olive = world.sign_in(OLIVE)
    fields = {"list": "updates", "subject": "Hello", "body": "Hello."}
    where = world.post("/organise/updates/new", fields, olive).headers["Location"]
    seen = world.get(where, olive).get_data(as_text=True).split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "send", "seen": seen}, olive)
    world.work()
    copy = world.letter(BEN["email"], "Hello")
    header = copy["List-Unsubscribe"].split(">")[0].strip("<")
    assert header == f"{world.settings.base_url}{world.link(copy, 'unsubscribe')}"
    assert copy["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stranger = world.browser()
    response = stranger.post(header.removeprefix(world.settings.base_url), data={"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    welcome = world.letter(BEN["email"], "You will get our updates")
    assert "counts no more" in world.get(world.link(welcome, "manage")).get_data(as_text=True)
    assert "You left on" in world.get(world.manage(BEN["email"])).get_data(as_text=True)

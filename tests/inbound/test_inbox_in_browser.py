"""The organisers' inbox and a person's timeline in a real browser, passed by axe at both widths."""

from __future__ import annotations

from sqlalchemy import select

from service.emails import links
from service.models import Message
from tests.browser.test_browser import wide_or_narrow
from tests.inbound.post import DOMAIN, bounce, letter, receive
from tests.support.browser import Visitor
from tests.support.people import ANN, BEN, OLIVE
from tests.support.studio import sign_in
from tests.support.world import World


@wide_or_narrow
def test_an_organiser_reads_a_reply_and_looks_a_person_up(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    to = f"notices@{DOMAIN}"
    receive(world, letter(ANN["email"], to, "Re: The first week", "I agree with you.\n\n" + "word " * 300), to, ANN["email"])
    receive(world, bounce("5.0.0", "554 transaction failed"), _bounce_of_the_welcome(world), "")
    sign_in(visitor, OLIVE)
    visitor.follow("Inbox")
    assert visitor.says("I agree with you.")
    visitor.follow("Who is this?")
    assert visitor.says("On no list.")
    assert visitor.says("Mail came in: reply")
    visitor.open("/organise/people")
    page.get_by_label("Address or name").fill(ANN["email"])
    visitor.press("Search")
    assert visitor.says("wrote to us")
    visitor.follow("Inbox")
    visitor.press("Put away")
    assert visitor.says("Nobody has answered an update")
    visitor.follow("Failures that need a person’s judgement (1)")
    visitor.press("Write to this address no more")
    visitor.follow("People")
    visitor.press("Search")
    assert visitor.says("There is a problem")
    page.get_by_label("Address or name").fill(BEN["email"])
    visitor.press("Search")
    page.locator("table").get_by_role("link").first.click()
    assert visitor.says("Written to no more")
    page.locator("summary").filter(has_text="Lift the suppression").click()
    page.get_by_label("Why").fill("their provider mended it")
    visitor.press("Lift the suppression")
    assert visitor.says("Suppression lifted")


@wide_or_narrow
def test_an_organiser_sees_files_and_finds_what_was_quoted(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    world.publish()
    world.add_organisers()
    to = f"notices@{DOMAIN}"
    long = letter(
        "x@example.org", to, "very" * 80, "On 23 Nov 2026 at 18:02, N <n@x.example> wrote:\n> Ours\n\n" + "word" * 200
    )
    file = b"From: Ola <ola@example.org>\r\nSubject: Form\r\nContent-Type: image/png; name=sheet.png\r\n\r\nx\r\n"
    for raw in (long, file):
        receive(world, raw, to, "x@example.org")
    sign_in(visitor, OLIVE)
    visitor.follow("Inbox")
    assert visitor.says("sheet.png, image/png, 2 bytes")
    assert not visitor.says("Ours")
    page.locator("summary").filter(has_text="The whole message").click()
    assert visitor.says("> Ours")
    visitor.look()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save it as it came, with its files").click()
    assert download.value.suggested_filename == "message-2.eml"


def _bounce_of_the_welcome(world: World) -> str:
    (row,) = world.rows(select(Message.id).where(Message.kind == "welcome"))
    return links.bounce_address(row)

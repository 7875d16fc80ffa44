"""The organisers' inbox and a person's timeline in a real browser, passed by axe at both widths."""

from __future__ import annotations

from sqlalchemy import select

from service import links
from service.models import Message
from tests.browser import Visitor, chromium, site, visitor
from tests.inbound.post import DOMAIN, bounce, letter, receive
from tests.people import ANN, BEN, OLIVE
from tests.test_browser import whole_link, wide_or_narrow
from tests.world import World


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
    world.post("/organise/sign-in", {"email": OLIVE})
    world.work()
    visitor.open(whole_link(world, OLIVE, "sign-in", "organise/sign-in"))
    visitor.press("Sign in")
    visitor.follow("Inbox")
    assert visitor.says("I agree with you.")
    visitor.press("Put away")
    assert visitor.says("Nothing here.")
    visitor.follow("Failures that need a person’s judgement (1)")
    visitor.press("Write to this address no more")
    visitor.follow("One person")
    visitor.press("Show the timeline")
    assert visitor.says("There is a problem")
    page.get_by_label("E-mail").fill(BEN["email"])
    visitor.press("Show the timeline")
    assert visitor.says("Written to no more")
    visitor.press("Lift: write to it again")
    assert visitor.says("Suppression lifted")


def _bounce_of_the_welcome(world: World) -> str:
    (row,) = world.rows(select(Message.id).where(Message.kind == "welcome"))
    return links.bounce_address(row)


__all__ = ["chromium", "site", "visitor"]

"""Striking out, hiding and undoing as people press it: wide and on a phone, with and without scripts; axe finds nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from service.models import Signature
from tests.support.browser import NARROW, WIDE
from tests.support.moderating import states, two_signers
from tests.support.people import ANN, OLIVE, PETRA, SLUG
from tests.support.studio import at_a_browser, sign_in
from tests.support.world import World

PERSON = "/organise/people/signature/1"


@pytest.mark.parametrize(("first", "second"), [(WIDE, NARROW), (NARROW, WIDE)])
def test_a_name_is_hidden_and_its_signature_struck_out_by_two(chromium: Browser, site: World, first: int, second: int) -> None:
    site.publish()
    site.add_organisers()
    two_signers(site)
    with at_a_browser(chromium, site, first) as olive, at_a_browser(chromium, site, second) as petra:
        sign_in(olive, OLIVE)
        sign_in(petra, PETRA)
        olive.open("/organise/people")
        olive.page.get_by_label("Address or name").fill("ann@")
        olive.press("Search")
        olive.follow(ANN["name"])
        olive.page.get_by_text("Hide the name").first.click()
        olive.look()
        olive.page.locator("#hide-1").fill("an insult to somebody")
        olive.press("Hide the name")
        assert olive.says("hidden from public pages since")
        olive.page.get_by_text("Strike it out").first.click()
        assert olive.says("Another organiser must approve it.")
        olive.look()
        olive.page.locator("#strike-1").fill("no")
        olive.press("Strike it out")
        assert olive.says("There is a problem")
        assert olive.page.locator("#reason").input_value() == "no"
        olive.page.locator("#reason").fill("nobody of this name is there")
        olive.press("Strike it out")
        assert olive.says("Striking it out is proposed")
        petra.open("/organise")
        assert petra.says("Striking out as false or abusive")
        assert petra.says("nobody of this name is there")
        assert petra.says("A signer: number 1")
        petra.press("Approve")
        olive.open(PERSON)
        assert olive.says("struck out on")
        olive.page.get_by_text("Let them sign again").first.click()
        olive.look()
        olive.open(f"/notices/{SLUG}/deliveries")
        assert olive.says("1 signature was struck out by two organisers as false or abusive")
    assert states(site) == ["struck", "confirmed"]


def test_long_names_and_reasons_fit_a_phone(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    two_signers(site)
    site.sign({"name": "W" * 100, "email": "w@example.org"}, clp="M" * 100)
    site.confirm("w@example.org")
    with at_a_browser(chromium, site, NARROW) as olive:
        sign_in(olive, OLIVE)
        olive.open("/organise/people/signature/3")
        olive.page.get_by_text("Strike it out").first.click()
        olive.page.locator("#strike-3").fill("x" * 300)
        olive.press("Strike it out")
        olive.open("/organise/notices")
        assert olive.says("x" * 300)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_withdrawal_for_somebody_is_undone_by_one_press(chromium: Browser, site: World, width: int) -> None:
    site.publish()
    site.add_organisers()
    two_signers(site)
    with at_a_browser(chromium, site, width) as olive, at_a_browser(chromium, site, width) as ann:
        sign_in(olive, OLIVE)
        olive.open(PERSON)
        olive.page.get_by_text("Withdraw it for them").first.click()
        olive.page.locator("#withdraw-1").fill("asked on the telephone")
        olive.press("Withdraw it for them")
        assert olive.says("withdrawn on")
        site.work()
        link = site.link(site.letter(ANN["email"], "has been withdrawn"), "count-again")
        ann.open(link)
        assert site.rows(select(Signature.state).where(Signature.id == 1)) == ["withdrawn"]
        ann.press("Count my signature again")
        assert ann.says("Your signature counts again")
        ann.open(link, 410)
    assert states(site) == ["confirmed", "confirmed"]

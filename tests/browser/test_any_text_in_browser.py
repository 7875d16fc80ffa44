"""Long names and names of any script on pages and in letters, at the width of a phone: nothing is wider than the window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.rules.test_scripts import NAMES
from tests.support.browser import NARROW, SIDEWAYS, WIDE, Look, Visitor
from tests.support.people import ANN, OLIVE, SLUG
from tests.support.studio import sign_in
from tests.support.world import World, html_of

LONG = {"latin": "Wolfeschlegelsteinhausen" * 4 + "dorf", "thai": "ก" * 100, "arabic": "محمد" * 25, "chinese": "李" * 100}
narrow = pytest.mark.parametrize("looks", [Look(NARROW, True)], ids=str)


def served(world: World) -> str:
    """The letter that an official gets about signers of every script and of names as long as the form takes."""
    signers = [*LONG.values(), *list(NAMES.values())[:8]]
    world.publish(milestones=(len(signers),))
    for number, name in enumerate(signers):
        world.sign({"name": name, "email": f"signer{number}@p{number}.example"}, clp=signers[number - 1])
        world.confirm(f"signer{number}@p{number}.example")
    return html_of(world.letter("chair@nec.example"))


@narrow
def test_pages_with_long_names_fit_a_phone(visitor: Visitor) -> None:
    world = visitor.world
    served(world)
    for page in (f"/notices/{SLUG}", f"/notices/{SLUG}/signatures", f"/notices/{SLUG}/deliveries"):
        visitor.open(page)
    names = visitor.page.goto(f"{world.settings.base_url}/notices/{SLUG}/signatures")
    assert names is not None
    table = visitor.page.locator(".scroll").first
    assert table.evaluate("one => one.scrollWidth <= one.clientWidth")
    visitor.open(world.manage("signer0@p0.example"))
    world.sign(ANN | {"name": LONG["latin"]}, clp=LONG["arabic"])
    world.work()
    visitor.open(world.link(world.letters(ANN["email"], "confirm")[-1], "confirm"))


@narrow
def test_the_studio_with_long_names_fits_a_phone(visitor: Visitor) -> None:
    world = visitor.world
    world.add_organisers()
    served(world)
    sign_in(visitor, OLIVE)
    for page in ("/organise/servings/1", "/organise"):
        visitor.open(page)
    visitor.open("/organise/people")
    visitor.page.get_by_label("Address or name").fill("signer0@p0.example")
    visitor.press("Search")
    assert visitor.says(LONG["latin"])


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_a_letter_with_long_names_is_no_wider_than_the_window(chromium: Browser, world: World, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.set_content(served(world))
    assert not page.evaluate(SIDEWAYS)
    for name in LONG.values():
        assert page.get_by_text(name, exact=True).first.is_visible()
    page.close()

"""The form to sign in a real browser: what is wrong stands beside the fields and at the top; a keyboard is enough."""

from __future__ import annotations

import pytest

from service.core.db import transaction
from service.models import Signature
from tests.support.browser import LOOKS, WIDE, Look, Visitor
from tests.support.people import ANN, SLUG


@pytest.mark.parametrize("looks", LOOKS, ids=str)
def test_errors_stand_beside_the_fields_and_at_the_top(visitor: Visitor) -> None:
    page = visitor.page
    visitor.world.publish()
    visitor.open(f"/notices/{SLUG}/sign")
    page.get_by_label("Name", exact=True).fill("Ann")
    page.get_by_label("E-mail", exact=True).fill("nobody")
    visitor.press("Sign")
    assert page.title().startswith("Error: ")
    wrong = {"email": "E-mail", "display": "on the public list", "consent": "I agree"}
    links = page.get_by_role("alert").get_by_role("link")
    assert [link.get_attribute("href") for link in links.all()] == [f"#{field}" for field in wrong]
    for field in wrong:
        sentence = page.locator(f"#{field}-error").inner_text().removeprefix("Error:").strip()
        assert page.get_by_role("alert").get_by_role("link", name=sentence).count() == 1
        described = page.locator(f"[aria-describedby~={field}-error]")
        assert described.locator(f"#{field}").count() + (described.get_attribute("id") == field) == 1
    assert page.get_by_label("Name", exact=True).input_value() == "Ann"
    assert page.locator(".problems:focus").count() == 1
    links.nth(1).click()
    assert page.locator("#display:focus").count() == 1


@pytest.mark.parametrize("looks", [Look(WIDE, True), Look(WIDE, False)], ids=str)
def test_the_form_is_filled_by_keyboard_alone(visitor: Visitor) -> None:
    page, keys = visitor.page, visitor.page.keyboard
    visitor.world.publish()
    visitor.open(f"/notices/{SLUG}/sign")
    keys.press("Tab")
    assert page.locator(".skip:focus").is_visible()
    keys.press("Enter")
    for _ in range(2):  # past "read the notice"
        keys.press("Tab")
    for words in (ANN["name"], ANN["email"], "Harbour"):
        keys.type(words)
        keys.press("Tab")
    keys.type("Chair")
    keys.press("Tab")
    keys.press("Space")
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.press("Space")
    for _ in range(2):
        keys.press("Tab")
    focused = page.locator("button:focus")
    assert focused.inner_text() == "Sign"
    assert focused.evaluate("button => getComputedStyle(button).outlineStyle") == "solid" if visitor.scripts else True
    with page.expect_navigation():
        keys.press("Enter")
    assert visitor.says("Look in your mailbox")
    visitor.world.confirm(ANN["email"])
    with transaction() as session:
        signed = session.get_one(Signature, 1)
        assert (signed.name, signed.office, signed.display) == (ANN["name"], "chair", "officials")

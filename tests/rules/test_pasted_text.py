"""Addresses and names as people paste them: what comes along is dropped where that is safe, and told where it is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from service.errors import Refused
from service.models import Complaint, Signature, Subscription
from service.text import email_addresses, person_names
from service.text.tables.csv_cells import plain_cell, text_of_cell
from tests.inbound.post import letter, receive
from tests.stories.operations.test_commands import run
from tests.stories.subscriptions.test_imports import on_list, reasons, take
from tests.support.people import ANN, OLIVE, SLUG
from tests.support.world import World

ADA = "ada@example.org"
PASTED = {
    "a mark of direction behind": f"{ADA}\u200e",
    "a zero-width space before": f"\u200b{ADA}",
    "a byte order mark": f"\ufeff{ADA}",
    "a soft hyphen inside": "ada@exam\u00adple.org",
    "isolates around": f"\u2068{ADA}\u2069",
    "embeddings": f"\u202a{ADA}\u202c",
    "a no-break space behind": f"{ADA}\u00a0",
    "a word joiner": "ada\u2060@example.org",
    "a joiner": "ada\u200d@example.org",
    "a line separator behind": f"{ADA}\u2028",
    "mailto": f"mailto:{ADA}",
    "MAILTO and a subject": f"MAILTO:{ADA}?subject=Hello",
    "angle brackets": f"<{ADA}>",
    "a name before": f"Ada Moss <{ADA}>",
    "a quoted name": f'"Moss, Ada" <{ADA}>',
    "a full stop": f"{ADA}.",
    "a comma": f"{ADA},",
    "a semicolon": f"{ADA};",
    "brackets": f"({ADA})",
    "square": f"[{ADA}]",
    "quotes": f'"{ADA}"',
    "typographic quotes": f"“{ADA}”",
    "single quotes": f"'{ADA}'",
    "guillemets": f"« {ADA} »",
    "full-width sign": "ada＠example.org",
    "full-width letters": "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ",
    "ideographic stop": "ada@example。org",
    "spaces around": f"  {ADA}\t",
    "all together": f"\u200bmailto:<{ADA}>.\u200e",
}
OTHER = {
    "o'brien@example.org": "o'brien@example.org",
    "o’brien@example.org": "o'brien@example.org",
    "'a'@example.org": "'a'@example.org",
    "'ada@example.org": "'ada@example.org",
    "ada+tag@example.org": "ada+tag@example.org",
    "+ada@example.org": "+ada@example.org",
    "{a}@example.org": "{a}@example.org",
    '"ada moss"@example.org': '"ada moss"@example.org',
    '"ada"@example.org': ADA,
    "ada@bücher.example": "ada@xn--bcher-kva.example",
    "ada@EXAMPLE.org": ADA,
    "阿达@example.org": "阿达@example.org",
    "=bo@example.org": "=bo@example.org",
    '"a@b"@example.org': '"a@b"@example.org',
}
REFUSED = {
    "ad\u202ea@example.org": "cannot be seen",
    "ada\u200d阿@example.org\u202e阿": "cannot be seen",
    "ada @example.org": "space",
    "ada@example.org bo@example.org": "space",
    "ada@example.org, bo@example.org": "space",
    "": "Enter an e-mail address",
    "ada": "Enter an e-mail address",
    "ada@": "Enter an e-mail address",
    "ada@example..org": "Enter an e-mail address",
    "“ada”@example.org": "Enter an e-mail address",
    "ada@[127.0.0.1]": "Enter an e-mail address",
    "<>": "Enter an e-mail address",
    "mailto:": "Enter an e-mail address",
    "ada.@example.org": "Enter an e-mail address",
}
NAMES = {
    "סיגל לוי\u200f": "סיגל לוי",
    "Ola Berg\u200e": "Ola Berg",
    "Har\u00adbour": "Harbour",
    "\ufeffAda Moss": "Ada Moss",
    "Ada\u00a0Moss": "Ada Moss",
    "Ada\tMoss": "Ada Moss",
    "\u2068Ada\u2069 Moss": "Ada Moss",
    "\u202eAda Moss\u202c": "Ada Moss",
    "Ada\u200bMoss": "AdaMoss",
    "A\u200dda": "Ada",
    "علی\u200cرضا": "علی\u200cرضا",
    "क्\u200dषमा": "क्\u200dषमा",
    "\u3164Ada": "Ada",
    "Ada\u2800": "Ada",
    "e\u200b\u0301 Ada": "é Ada",
    "\ufffcAda": "Ada",
}
NO_NAMES = {
    "\u3164": "Enter your name",
    "\u2800": "Enter your name",
    "\u200b\u200d": "Enter your name",
    "\U000e0041": "Enter your name",
    "Ad\u202ea": "cannot be seen",
    "Ada\nMoss": "cannot be seen",
    "Ada\u2028Moss": "cannot be seen",
    "Ada\0": "cannot be seen",
    "Ad\ufffd": "was lost",
}


@pytest.mark.parametrize("what", PASTED)
def test_what_was_pasted_around_an_address_is_taken_off(what: str) -> None:
    assert email_addresses.parse(PASTED[what]) == ADA


@pytest.mark.parametrize("typed", OTHER)
def test_what_belongs_to_an_address_stays(typed: str) -> None:
    assert email_addresses.parse(typed) == OTHER[typed]
    assert email_addresses.parse(email_addresses.parse(typed)) == OTHER[typed]


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_no_address_is_refused_with_the_reason(typed: str) -> None:
    with pytest.raises(Refused, match=REFUSED[typed]):
        email_addresses.parse(typed)


@pytest.mark.parametrize("typed", NAMES)
def test_what_nobody_sees_in_a_name_is_dropped(typed: str) -> None:
    assert person_names.person(typed) == NAMES[typed]


@pytest.mark.parametrize("typed", NO_NAMES)
def test_what_is_no_name_is_refused_with_the_reason(typed: str) -> None:
    with pytest.raises(Refused, match=NO_NAMES[typed]):
        person_names.person(typed)


@given(st.text(max_size=40) | st.text(alphabet=";\t\n'=+-@＝ a", max_size=12))
def test_cells_come_back_as_they_went_out(text: str) -> None:
    assert text_of_cell(plain_cell(text)) == text
    for part in re.split(r"[;\t\r\n]", plain_cell(text)):  # wherever a spreadsheet may split it
        assert not part.lstrip().startswith(tuple("=+-@＝＋－＠"))


UNUSUAL = ("o'brien@example.org", "+tag@example.org", '"ada moss"@example.org', "ada@bücher.example")


@pytest.mark.parametrize("address", UNUSUAL)
def test_an_unusual_address_signs_confirms_and_gets_its_receipt(world: World, address: str) -> None:
    world.publish()
    assert world.sign(ANN | {"email": f"mailto:{address}\u200e"}).status_code == 200
    world.work()
    [asked] = world.letters(subject="confirm")
    assert asked["To"].addresses[0].addr_spec == email_addresses.parse(address)
    world.post(world.link(asked, "confirm"))
    world.work()
    assert world.count() == 1
    assert world.letters(subject="Your signature counts")


@pytest.mark.parametrize("address", UNUSUAL[:2])
def test_an_unusual_address_joins_by_mail(world: World, address: str) -> None:
    world.publish()
    receive(world, letter(address, "updates-subscribe@lists.example.org"), "updates-subscribe@lists.example.org")
    world.work()
    assert [one["To"].addresses[0].addr_spec for one in world.letters(subject="confirm")] == [email_addresses.parse(address)]


def test_forms_take_what_was_pasted(world: World) -> None:
    world.publish()
    world.subscribe({"name": "Ola Berg\u200e", "email": "\u200bola@example.org"})
    assert [(one.email, one.name) for one in world.rows(select(Subscription))] == [("ola@example.org", "Ola Berg")]
    world.sign({"name": "סיגל לוי\u200f", "email": "sigal@example.org"})
    assert world.rows(select(Signature.name)) == ["סיגל לוי"]
    fields = {"name": "Ada Moss", "email": "<ada@example.org>", "text": "You hold too much about me."}
    world.post("/complaints", fields)
    assert world.rows(select(Complaint.email)) == [ADA]
    page = world.post(f"/notices/{SLUG}/sign", ANN | {"email": "ad\u202ea@example.org"})
    assert "cannot be seen" in page.get_data(as_text=True)


def test_commands_take_what_was_pasted(world: World) -> None:
    assert run(world, "organisers", "add", f"mailto:{OLIVE}", "--role", "author").exit_code == 0
    assert run(world, "organisers", "link", f"<{OLIVE}>").exit_code == 0


def test_imports_take_what_was_pasted(world: World) -> None:
    lines = "".join(
        f'{index},"{address}",\n' for index, address in enumerate(("per@example.org\u200e", "<tea@example.org>"), 1)
    )
    document, code = take(world, f"clp,email,name\n{lines}".replace("1,", "Har\u00adbour,").replace("2,", "Ola\u200e,"))
    assert (reasons(document), code) == ({}, 0)
    assert set(on_list(world)) == {"per@example.org", "tea@example.org"}
    assert set(world.rows(select(Subscription.clp))) == {"Harbour", "Ola"}


def test_an_export_comes_back_as_the_same_people(world: World) -> None:
    odd = ("+ada@example.org", "=bo@example.org", "'+chi@example.org", "-dee@example.org", "'eve@example.org")
    document, code = take(
        world,
        "email,name\n"
        + "".join(f"{address},Ada\n" for address in odd[:2])
        + "".join(f"'{address},Ada\n" if address.startswith("'+") else f"{address},Ada\n" for address in odd[2:]),
    )
    assert (document["added"], code) == (5, 0)
    assert set(on_list(world)) == set(odd)
    exported = run(world, "subscribers", "export", "--list", "updates").stdout
    assert "'+ada@example.org" in exported
    again, _ = take(world, exported)
    assert set(reasons(again).values()) == {"is on the list already"}
    assert len(on_list(world)) == 5

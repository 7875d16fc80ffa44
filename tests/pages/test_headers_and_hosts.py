"""What strangers may put into forms and requests: hosts, headers, sizes, names that are more than names."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from service.errors import Refused
from service.models import Complaint, Message, Signature
from service.text import person_names
from tests.support.people import ANN, BEN, SLUG
from tests.support.world import World, text_of

INJECTIONS = {
    "CRLF": "Ann\r\nBcc: victim@example.org", "LF": "Ann\nBcc: victim@example.org", "CR": "Ann\rBcc: victim@example.org",
    "NUL": "Ann\0Ashworth", "line separator": "Ann\u2028Bcc: x@example.org", "paragraph separator": "Ann\u2029x",
    "vertical tab": "Ann\x0bx", "next line": "Ann\x85x", "right-to-left override": "Ann\u202egpj.exe",
    "escape": "Ann\x1b[31m", "private use": "Ann\ue000",
}  # fmt: skip
FORMULAS = ("=1+1", "+44", "-Ann", "@Ann", " =cmd|' /C calc'!A0", "\t=x", "＝Ann", "＋Ann", "＠Ann", "\u200d=Ann", "\u200c@Ann")
PLAIN = ("%0d%0aBcc: victim@example.org", "Ann\\r\\nBcc: x", "=?utf-8?q?=0d=0aBcc:_x?=", "Ann &#13;&#10;Bcc: x")


def asked(world: World) -> int:
    return len(world.rows(select(Message.id)))


@pytest.mark.parametrize("field", ["name", "clp", "email", "office", "display"])
def test_injections_are_refused_in_every_field_of_the_sign_form(world: World, field: str) -> None:
    world.publish()
    for label, text in INJECTIONS.items():
        response = world.sign(ANN, **{field: text if field != "email" else f"{text}@example.org"})
        assert response.status_code == 422, (field, label)
        assert "Set-Cookie" not in response.headers or "\n" not in response.headers["Set-Cookie"]
    assert asked(world) == 0


def test_injections_are_refused_in_the_other_forms(world: World) -> None:
    world.publish()
    for label, text in INJECTIONS.items():
        email = f"{text}@example.org"
        for path, fields in (
            ("/lists/updates", {"name": text, "email": "ann@example.org"}), ("/lists/updates", {"name": "", "email": email}),
            ("/manage", {"email": email}), ("/organise/sign-in", {"email": email}),
            ("/complaints", {"name": text, "email": "ann@example.org", "text": "x"}),
            ("/complaints", {"name": "Ann", "email": email, "text": "x"}),
        ):  # fmt: skip
            if (path, fields.get("name")) != ("/lists/updates", "") or label:
                assert world.post(path, fields).status_code in {422, 429}, (path, label)
    assert asked(world) == 0


@pytest.mark.parametrize(
    "email",
    [
        "a@example.org,b@example.org",
        "a@example.org b@example.org",
        "Ann <a@example.org> <b@example.org>",
        "a@b@example.org",
        "a b@example.org",
        "a@[127.0.0.1]",
        "a@localhost",
        "a@example.org\\",
        "a",
    ],
)
def test_what_is_not_exactly_one_plain_address_is_refused(world: World, email: str) -> None:
    assert world.post("/manage", {"email": email}).status_code == 422
    assert asked(world) == 0


def test_a_complaint_keeps_its_line_breaks_and_nothing_else(world: World) -> None:
    text = "One\r\ntwo\0\u202e\u2028\x1b three"
    assert world.post("/complaints", {"name": "Ann", "email": ANN["email"], "text": text}).status_code == 200
    assert world.rows(select(Complaint.text)) == ["One\ntwo three"]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_that_a_spreadsheet_would_run_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        person_names.person(name)
    with pytest.raises(Refused):
        person_names.clean(name, "clp")


def test_an_invisible_joiner_does_not_make_two_people() -> None:
    assert person_names.key("Ann\u200d Ash\u200cworth") == person_names.key("ÁNN  ashworth")


@pytest.mark.parametrize("name", PLAIN)
def test_encoded_line_ends_stay_words_of_a_name(world: World, name: str) -> None:
    world.publish()
    world.sign(ANN, name=name)
    world.work()
    if names_refused(name):
        return
    letter = world.letter(ANN["email"], "confirm")
    assert letter["Bcc"] is None
    assert len(letter["To"].addresses) == 1
    assert name not in text_of(letter)  # a stranger may have written it: it stands behind the link
    world.confirm(ANN["email"])
    receipt = world.letter(ANN["email"], "Your signature counts")
    assert receipt["Bcc"] is None
    assert len(receipt["To"].addresses) == 1
    assert name in text_of(receipt)


def names_refused(name: str) -> bool:
    try:
        person_names.person(name)
    except Refused:
        return True
    return False


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:8000", "localhost@evil.example", "", "local host"]
)
def test_a_forged_host_is_refused_on_every_page(world: World, host: str) -> None:
    world.publish()
    for path in ("/", f"/notices/{SLUG}/sign", "/manage", "/unsubscribe/x", "/no-such-page", "/static/style.css"):
        response = world.browser().get(path, headers={"Host": host})
        assert response.status_code == 400, (path, host)
        assert "evil" not in response.get_data(as_text=True)
    assert world.browser().post("/unsubscribe/x", headers={"Host": host}).status_code == 400


def test_links_come_from_base_url_whatever_a_request_says(world: World) -> None:
    world.publish()
    forged = {
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Forwarded-Proto": "ftp",
        "X-Forwarded-Port": "99",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/evil",
        "Host": "127.0.0.1:4711",
    }
    page = world.client.get("/manage", headers=forged).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    world.client.post("/manage", data={"csrf_token": token[1], "email": BEN["email"]}, headers=forged)
    world.work()
    links = re.findall(r"https?://[^/\s]+", text_of(world.letter(BEN["email"])))
    assert set(links) == {world.settings.base_url}
    assert "evil" not in page


def test_an_oversize_body_is_refused(world: World) -> None:
    world.publish()
    for path in (f"/notices/{SLUG}/sign", "/lists/updates", "/manage", "/complaints", "/organise/sign-in"):
        response = world.client.post(path, data={"name": "x" * 300_000})
        assert response.status_code == 413, path
        assert "larger than we take" in response.get_data(as_text=True)
    assert world.client.post("/manage", data={f"f{number}": "x" for number in range(2000)}).status_code in {400, 413}


def test_every_page_has_the_security_headers(world: World) -> None:
    world.publish()
    paths = [rule.rule for rule in world.app.url_map.iter_rules() if "GET" in (rule.methods or set()) and not rule.arguments]
    paths += [f"/notices/{SLUG}", f"/notices/{SLUG}/sign", "/lists/updates", "/confirm/x", "/unsubscribe/x", "/nowhere",
              "/static/style.css", f"/notices/{SLUG}/count.json", f"/notices/{SLUG}/editions/1.txt"]  # fmt: skip
    for path in paths:
        response = world.get(path)
        assert response.status_code < 500 or path == "/readyz", path
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert "Server" not in response.headers
        body = response.get_data(as_text=True)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<[^>]+\son\w+=|<style|\sstyle=|javascript:", body), path
        if not path.startswith("/static"):
            assert response.headers["Cache-Control"] == "no-store", path


def test_a_cookie_over_http_is_kept_from_scripts_and_other_sites(world: World) -> None:
    cookie = world.get("/manage").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.settings(BASE_URL="https://notices.example.org")
def test_over_https_cookies_are_secure(world: World) -> None:
    response = world.browser().get("/manage", base_url="https://notices.example.org")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    for other in ("localhost", "127.0.0.1"):
        assert world.browser().get("/manage", base_url=f"https://{other}").status_code == 400


def statuses(world: World, *forwarded: str) -> list[int]:
    """One form from each of these addresses, as X-Forwarded-For says, all from one peer."""
    browser = world.browser()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/manage").get_data(as_text=True))
    assert token
    data = {"csrf_token": token[1], "email": "x"}
    return [browser.post("/manage", data=data, headers={"X-Forwarded-For": one}).status_code for one in forwarded]


@pytest.mark.settings(LIMIT_VISITOR="1 per minute")
def test_without_trusted_proxies_nobody_chooses_their_address(world: World) -> None:
    assert statuses(world, "192.0.2.1", "192.0.2.2", "192.0.2.3") == [422, 429, 429]


@pytest.mark.settings(LIMIT_VISITOR="1 per minute", TRUSTED_PROXIES="1")
def test_a_trusted_proxy_says_who_the_visitor_is(world: World) -> None:
    """The last entry is the proxy's own; what stands before it is the visitor's to forge."""
    assert statuses(world, "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.9, 192.0.2.2") == [422, 422, 429, 429]


@pytest.mark.parametrize(
    "path",
    [
        f"/notices/{SLUG}/signatures?after={10**30}",
        f"/notices/{SLUG}/signatures?after=-5",
        "/lists/%00",
        "/notices/%00",
        "/news/%00",
        f"/notices/{SLUG}/editions/{10**30}.txt",
        "/notices/%ff%fe",
    ],
)
def test_strange_addresses_are_no_error_of_ours(either_world: World, path: str) -> None:
    either_world.publish()
    assert either_world.get(path).status_code in {200, 404}


def test_what_was_stored_can_be_sent(world: World) -> None:
    """Whatever passes the form's checks passes those of the head of a letter."""
    world.publish()
    for number, name in enumerate(("Ann\u200d A", "A" * 100, "Ünsal 👩", "a=?b", "ﬀ", 'Ann. B, "x" \\')):
        assert world.sign({"name": name, "email": f"p{number}@example.org"}).status_code == 200, name
    world.work()
    assert len(world.letters(subject="confirm")) == len(world.rows(select(Signature.id))) == 6

"""What an approver is told of the links of an update: where each leads, and where its words say something else."""

from __future__ import annotations

import pytest

from service.mailings.checks.link_texts import findings

DISGUISED = {
    "another host": ("[https://www.bank.example/](https://other.example/)", "“https://www.bank.example/” leads to “https://other.example/”"),
    "in bold": ("[**https://www.bank.example**](https://other.example)", "leads to “https://other.example”"),
    "in code": ("[`bank.example`](https://other.example)", "“bank.example” leads to"),
    "among words": ("[Go to www.bank.example now](https://other.example)", "“www.bank.example” leads to"),
    "a host below another": ("[bank.example](https://bank.example.evil.example/)", "leads to “https://bank.example.evil.example/”"),
    "another page": ("[https://example.org/a](https://example.org/b)", "leads to “https://example.org/b”"),
    "another port": ("[https://example.org/a](https://example.org:8443/a)", "leads to"),
    "in its title": ('[here](https://other.example "https://bank.example")', "“https://bank.example” leads to"),
    "another mailbox": ("[info@bank.example](mailto:info@evil.example)", "leads to “mailto:info@evil.example”"),
    "a page behind a mailbox": ("[info@bank.example](https://evil.example)", "leads to “https://evil.example”"),
    "Cyrillic among Latin": ("https://b\u0430nk.example/", "mixes letters of Cyrillic and Latin"),
    "Greek among Latin": ("[x](https://b\u03b1nk.example/)", "mixes letters of Greek and Latin"),
    "Cyrillic that looks like Latin": ("https://\u0430\u0440\u0440\u04cf\u0435.example/", "Cyrillic, and looks like Latin"),
    "by reference": ("[https://bank.example][1]\n\n[1]: https://other.example", "leads to “https://other.example”"),
}  # fmt: skip
HONEST = (
    "[https://example.org](https://example.org/)", "[example.org](https://www.example.org/x)", "[Our site](https://example.org)",
    "[https://example.org/a…](https://example.org/abc)", "[EXAMPLE.org/x](https://example.org/x?y=1)", "https://example.org/a",
    "[ann@example.org](mailto:ann@example.org?subject=Hello)", "<https://example.org/ä>", "[müller.example](https://müller.example/)",
    "https://пример.example/", "https://日本.example", "[minutes.pdf](https://example.org/x)", "[v1.2.3, e.g. this](https://example.org)",
    "[Your page](https://example.org/?who={name|you}&party={clp|all})", "[https://example.org/{name|you}](https://example.org/{name|you})",
)  # fmt: skip
STOPPED = {
    "somebody before the host": (
        "https://bank.example@evil.example/x",
        "seems to lead to bank.example, and leads to evil.example",
    ),
    "with a password": ("[y](https://bank.example:80@evil.example/)", "leads to evil.example"),
    "not encrypted": ("http://example.org/a", "is not encrypted"),
    "a page of ours": ("[x](/news)", "leads nowhere"),
    "no port": ("[x](https://example.org:99999/)", "leads nowhere"),
    "a bracket too few": ("[z](https://[::1/)", "leads nowhere"),
    "a host of placeholders": ("[x](https://{clp|a}.example/)", "stands in the host"),
    "the same without a mark": ("https://{clp|a}.example/", "stands in the host"),
    "a placeholder first": ("[x]({name|javascript}:alert(1))", "begins with a placeholder"),
}


@pytest.mark.parametrize(("body", "said"), DISGUISED.values(), ids=list(DISGUISED))
def test_a_link_whose_words_are_another_address_is_shown_to_its_approver(body: str, said: str) -> None:
    warned = [one.said for one in findings(body) if one.level == "warning"]
    assert len(warned) == 1
    assert said in warned[0]


@pytest.mark.parametrize("body", HONEST)
def test_an_honest_link_is_well(body: str) -> None:
    assert [one.level for one in findings(body)] == ["ok"], findings(body)


@pytest.mark.parametrize(("body", "said"), STOPPED.values(), ids=list(STOPPED))
def test_a_link_that_leads_astray_stops_an_update(body: str, said: str) -> None:
    stopped = [one.said for one in findings(body) if one.serious]
    assert len(stopped) == 1
    assert said in stopped[0]

"""Addresses without any mark in a Markdown text: kept letter by letter, links where people can press, and where they end."""

from __future__ import annotations

import re

import pytest

from service.text.markdown.rendering import to_html, to_text

LINKED = {
    "underscores and stars": ("https://example.org/_minutes_/may.pdf and https://example.org/plan*2026*a.",
                              ["https://example.org/_minutes_/may.pdf", "https://example.org/plan*2026*a"]),
    "tildes": ("https://example.org/~~ann~~/x", ["https://example.org/~~ann~~/x"]),
    "a full stop": ("See https://example.org/a.", ["https://example.org/a"]),
    "other punctuation": ("https://example.org/a, https://example.org/b; https://example.org/c! https://example.org/d?",
                          [f"https://example.org/{one}" for one in "abcd"]),
    "in brackets": ("(see https://example.org/a) [https://example.org/b]", ["https://example.org/a", "https://example.org/b"]),
    "brackets of its own": ("https://example.org/a_(b)_c (https://example.org/d_(e))",
                            ["https://example.org/a_(b)_c", "https://example.org/d_(e)"]),
    "quotation marks": ('“https://example.org/a” "https://example.org/b" ‘https://example.org/c’ «https://example.org/d»',
                        [f"https://example.org/{one}" for one in "abcd"]),
    "in bold": ("**https://example.org/a** and *https://example.org/b*", ["https://example.org/a", "https://example.org/b"]),
    "between underscores": ("_https://example.org/a_b_", ["https://example.org/a_b"]),
    "an underscore at its end": ("https://example.org/ann_ is hers", ["https://example.org/ann_"]),
    "a port, a query and a fragment": ("https://example.org:8443/a?b=c_d_&e=*f*#g_h_",
                                       ["https://example.org:8443/a?b=c_d_&e=*f*#g_h_"]),
    "capitals": ("HTTPS://Example.ORG/_A_", ["HTTPS://Example.ORG/_A_"]),
    "an address in figures": ("https://192.0.2.1/_a_ https://[2001:db8::1]/_b_", ["https://192.0.2.1/_a_", "https://[2001:db8::1]/_b_"]),
    "www": ("www.example.org/_a_", ["https://www.example.org/_a_"]),
    "escaped by who knew Markdown": (r"https://example.org/\_a\_/b", ["https://example.org/_a_/b"]),
    "copied from HTML": ("https://example.org/?a=1&amp;b=2", ["https://example.org/?a=1&b=2"]),
    "an e-mail address": ("a_b_c@example.org, _ann@example.org_", ["mailto:a_b_c@example.org", "mailto:ann@example.org"]),
    "mailto": ("mailto:ann_b_c@example.org", ["mailto:ann_b_c@example.org"]),
    "no ASCII": ("https://müller.example/straße_a_", ["https://xn--mller-kva.example/stra%C3%9Fe_a_"]),
    "before full-width punctuation": ("https://example.org/a。https://example.org/b、", ["https://example.org/a", "https://example.org/b"]),
    "at a line's end": ("https://example.org/a\\\nnext", ["https://example.org/a"]),
    "in a list, a quotation, a heading, a table": (
        "- https://example.org/_a_\n\n> https://example.org/_b_\n\n# https://example.org/_c_\n\n|x|\n|-|\n|https://example.org/_d_|",
        [f"https://example.org/_{one}_" for one in "abcd"],
    ),
    "with angles, as before": ("<https://example.org/_a_>", ["https://example.org/_a_"]),
    "in words that are a link": ("[https://example.org/_a_](https://example.org/_b_)", ["https://example.org/_b_"]),
    "none in code": ("`https://example.org/_a_`\n\n    https://example.org/_b_", []),
    "none within a word": ("xhttps://example.org/", []),
    "none without a host": ("https:// www. http://. mailto: a@ @b a@b", []),
    "no script": ("javascript:alert(1) data:text/html,x vbscript:x", []),
}  # fmt: skip
KEPT = (
    "ftp://example.org/_a_/b",
    "example.org/_minutes_/may.pdf",
    "sub.example.co.uk/_a_*b*",
    "https://example.org/_a_*b*~~c~~",
)


@pytest.mark.parametrize(("source", "hrefs"), LINKED.values(), ids=list(LINKED))
def test_a_bare_address_is_a_link_from_its_beginning_to_its_end(source: str, hrefs: list[str]) -> None:
    found = re.findall(r'<a href="([^"]*)">', to_html(source))
    assert [href.replace("&amp;", "&") for href in found] == hrefs


@pytest.mark.parametrize("address", KEPT)
def test_a_bare_address_arrives_letter_by_letter_in_both_parts(address: str) -> None:
    assert f"See {address}" in to_text(f"See {address}, please.")
    assert address in re.sub(r"<[^>]*>", "", to_html(f"See {address}, please."))


@pytest.mark.parametrize(
    "source", ["*a* _b_ **c** ~~d~~", "snake_case_word", "a*b*c", "2*3*4", "e.g. this/that", "3.5/4 and 1.2/3"]
)
def test_what_is_no_address_is_read_as_before(source: str) -> None:
    html = to_html(source)
    assert "<a" not in html
    assert ("<em>" in html or "<strong>" in html) == bool(re.search(r"(?:^| )[*_]|\w\*\w", source))


def test_the_text_says_each_address_once() -> None:
    source = "https://example.org/a www.example.org/b ann@example.org <https://example.org/c> <ben@example.org>"
    assert to_text(source).split() == source.replace("<", "").replace(">", "").split()

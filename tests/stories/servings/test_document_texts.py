"""Whatever stands in a notice or a name, a document is made of it: markup, marks, Markdown, every character of Unicode."""

from dataclasses import replace
from unicodedata import category

import pytest

from service.errors import Refused
from service.notices import source_file
from service.servings.documents import fonts
from service.servings.documents.notice_documents import Signer, annex_pdf, annex_volumes
from service.text.person_names import person
from tests.stories.servings.test_documents import ADA, ANNEX, words
from tests.support.people import NOTICE

MARKUP = r'#panic("no") *bold* _low_ $x^2$ \ @ref <label> `raw` // note [x] ~ -- ... = + "q" #sys.inputs'


def test_typst_markup_in_user_text_comes_out_literally() -> None:
    everywhere = replace(ANNEX, title=MARKUP, addressed_to=MARKUP, published_by=MARKUP, imprint=MARKUP)
    text = words(annex_pdf(everywhere, [Signer(MARKUP, "#Party_*", "$office$ <x>")]))
    assert text.count(MARKUP) >= 4
    for part in ("#Party_* (1)", "$office$ <x>", '#panic("no") *bold*'):
        assert part in text


def test_the_notice_keeps_raw_html_and_odd_links_as_plain_text() -> None:
    body = "<b>x</b> [js](javascript:alert(1)) [file](file:///etc/x) ![pic](a.png) #let x = 1\n\n### Heading\n\n> quoted"
    pdf = annex_pdf(replace(ANNEX, body=body), [])
    for part in ("<b>x</b>", "#let x = 1", "Heading", "quoted"):
        assert part in words(pdf)
    assert b"(javascript:" not in pdf
    assert b"(file:" not in pdf


@pytest.mark.skipif(fonts.all_there_are().has("Old Persian"), reason="this machine has a font for Old Persian")
def test_letters_without_type_become_a_box_and_the_document_says_so() -> None:
    text = words(annex_pdf(ANNEX, [Signer("𐎠𐎡𐎢 Specimen", "𐎠 Marsh", "𐎠", 17), ADA]))
    assert "□□□ Specimen (number 17 in the CSV), □" in text
    assert "□ Marsh (1)" in text
    assert "□ stands for a letter that cannot be shown here (Old Persian)" in text


@pytest.mark.parametrize(
    "name", ["Zai\u0610d", "A\u0e31da", "\u0e31", "□\u0e31", "\U00010a01\U00010a38", "A\u1cf7\u0f90", "\u200d"]
)
def test_marks_that_no_font_has_stop_no_document(name: str) -> None:
    everywhere = replace(ANNEX, title=name, addressed_to=name, published_by=name, imprint=name, body=f"# {name}\n\n- `{name}`")
    text = words(annex_pdf(everywhere, [Signer(name, name, name, 4), ADA]))
    assert "Ada Example, chair" in text
    assert "REHEARSAL" not in text


def test_every_character_that_a_name_may_hold_can_be_set() -> None:
    """Each once, behind a letter of its own; of those that fill whole planes (Chinese, Korean, unassigned) every 97th."""
    crowds = {"Lo", "So", "Cn"}
    everything = ((number, chr(number)) for number in range(0x32000))
    tried = [one for number, one in everything if number % 97 == 0 or number < 0x3000 or category(one) not in crowds]
    taken = [character for character in tried if is_taken(f"A{character}a")]
    assert len(taken) > 18_000
    names = ["".join(f"A{character}" for character in taken[start : start + 50]) for start in range(0, len(taken), 50)]
    [volume] = annex_volumes(ANNEX, [Signer(name, "", "", number) for number, name in enumerate(names, 1)])
    assert volume.pdf.startswith(b"%PDF")


def is_taken(name: str) -> bool:
    try:
        return person(name) == name
    except Refused:
        return False


@pytest.mark.parametrize(
    "name", ["A\x00da", "A\x07da", "Ada\ue000", "A\u202eda", "Ada\u0378", "A\ud800da", "Ada\n= 1", "", "\u200b"]
)
def test_no_character_stops_the_document(name: str) -> None:
    assert annex_pdf(replace(ANNEX, title=name or "x", body=name), [Signer(name, name, name)]).startswith(b"%PDF")


NESTED = "\n".join("  " * depth + "- x" for depth in range(45))


@pytest.mark.parametrize(
    "body",
    [
        "#", "# \u202e", "[](https://example.org)", "[x]()", ">" * 90 + " deep", NESTED, "| a |\n|---|\n| b |", "~~gone~~",
        "*a **b " * 100 + "** *" * 100, "&#0; &#x202e; \\", "999999999. x", "`" + "x" * 500 + "`",
    ],
)  # fmt: skip
def test_no_text_of_a_notice_stops_the_document(body: str) -> None:
    text = words(annex_pdf(replace(ANNEX, body=f"{body}\n\nThe end."), [Signer("ศรีสุดา มีสุข")]))
    assert "The end." in text
    assert "□" not in text


def test_a_table_and_a_bare_address_are_set_as_such() -> None:
    pdf = annex_pdf(replace(ANNEX, body="| Branch | Votes |\n|---|--:|\n| Harbour | 12 |\n\nWrite to office@example.org."), [])
    assert "Branch Votes Harbour 12 Write to office@example.org." in words(pdf)
    assert b"/URI(mailto:office@example.org)" in pdf
    assert b"/S/Table" in pdf
    assert "mailto:" not in words(pdf)


def test_a_notice_of_which_a_part_would_be_left_out_is_refused() -> None:
    """markdown-it drops, without a word, all that stands in or behind what is nested too deep for it."""
    assert source_file.read_file(NOTICE + NESTED)
    with pytest.raises(Refused, match="inside one another"):
        source_file.read_file(NOTICE + "\n".join("  " * depth + "- x" for depth in range(60)))

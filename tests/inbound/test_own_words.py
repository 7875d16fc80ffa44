"""Which lines of an answer its author wrote, in the languages and programs that people use, and which of them are a yes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as any_

from service.inbound.parsing.replies import assent, quotations
from tests.inbound.answers import BLOCKS, DEVICES, HEADINGS, NO, YES


def own(text: str) -> list[str]:
    return quotations.own_lines(text).lines


@pytest.mark.parametrize(("language", "program", "heading"), HEADINGS)
def test_a_heading_is_no_word_of_the_author_and_what_stands_around_it_is(language: str, program: str, heading: str) -> None:
    assert own(f"{heading}\n\n> To confirm, answer this e-mail.\n> Thank you.\n") == []
    assert own(f"{heading}\n> To confirm, answer this e-mail.\n\nBelow.\n") == ["Below."]
    assert own(f"Above.\n\n{heading}\n> To confirm.\n\nBetween.\n\n> Thank you.\nBelow.\n") == ["Above.", "Between.", "Below."]


@pytest.mark.parametrize(("language", "program", "block"), BLOCKS)
def test_a_block_of_headers_is_a_heading(language: str, program: str, block: str) -> None:
    assert own(f"Above.\n\n{block}\n\nTo confirm, answer this e-mail.\n") == ["Above.", "To confirm, answer this e-mail."]


def test_headings_are_known_in_many_languages() -> None:
    assert len({row[0] for row in HEADINGS}) > 50
    assert len({row[0] for row in BLOCKS}) > 20


@pytest.mark.parametrize("line", [row[0] for row in DEVICES])
def test_a_phones_line_is_no_word_and_what_stands_below_it_is(line: str) -> None:
    assert own(f"\n{line}\n") == []
    assert own(f"{line}\n\nNo, not me.") == ["No, not me."]


SENTENCES = [
    "On 23 Nov 2026 I wrote to you to stop:", "At 18:02 25/11/2026 you wrote:", "From now on, no", "From me: no",
    "Subject: No", "Sent from my iPhone. No!", "Sent from my heart: no", "No mail", "Get mail",
    "No! On Wed, 25 Nov 2026 at 09:10, N <a@b.example> wrote:", "Wrong person 25/11/2026 09:10 <a@b.example>:",
    "I did not sign, N <a@b.example> wrote:", "-----No-----", "--- no thanks ---", "Le 25 nov. 2026 je vous ai écrit :",
    "El 25/11/2026 09:10 quiero la baja:", "On Friday 27 November at 10:30 there is a meeting:",
    "What you wrote on 25 Nov 2026 at 09:10 is a lie:", "Original message: no", "As I wrote:", "Date: never",
    "No dia 25 no vull res",
]  # fmt: skip


@pytest.mark.parametrize("sentence", SENTENCES)
def test_somebodys_own_sentence_is_never_taken_for_what_a_program_writes(sentence: str) -> None:
    assert own(f"{sentence}\n> quoted\n") == [sentence]


@pytest.mark.parametrize(("language", "text"), YES)
def test_a_clear_yes_is_one_in_many_languages(language: str, text: str) -> None:
    assert assent.answer(own(text), ["Ada Whitlock"]) == "yes"


@pytest.mark.parametrize(("language", "text"), NO)
def test_no_other_words_are_a_yes(language: str, text: str) -> None:
    assert assent.answer(own(text), ["Ada Whitlock"]) == "other"


WORDS = [text for _, text in NO] + ["Why?", "Please explain", "✗", "Maybe", "yes but no", "I am Ada"]
WRITTEN_ELSEWHERE = (
    [heading for *_, heading in HEADINGS] + [row[0] for row in DEVICES] + ["> quoted", ">> twice", "", "____", "-- ", "> "]
)


@settings(max_examples=600, deadline=None)
@given(
    before=any_.lists(any_.sampled_from(WRITTEN_ELSEWHERE), max_size=6),
    word=any_.sampled_from(WORDS),
    after=any_.lists(any_.sampled_from(WRITTEN_ELSEWHERE), max_size=6),
    yes=any_.booleans(),
)
def test_a_line_that_is_no_yes_is_found_wherever_it_stands(before: list[str], word: str, after: list[str], yes: bool) -> None:
    """Between quotations, headings and phones' lines in any order, with a yes above it or without."""
    text = "\n".join(["Yes" if yes else "", *before, word, *after])
    assert assent.answer(own(text), ["Ada Whitlock"]) == "other", own(text)


@settings(max_examples=300, deadline=None)
@given(any_.lists(any_.text(alphabet="bcdfghjklmnpqrstvwxz", min_size=9, max_size=20), min_size=1, max_size=5), any_.data())
def test_a_word_that_stands_in_no_list_is_read_by_a_person(words: list[str], data: any_.DataObject) -> None:
    friendly = data.draw(any_.lists(any_.sampled_from([text for _, text in YES]), max_size=5))
    text = " ".join(data.draw(any_.permutations([*words, *friendly])))
    assert assent.answer(own(text), ["Ada Whitlock"]) == "other"

"""Headings of quotations: "On … at 09:10, N wrote:", -----Original Message-----, and blocks of headers, in many languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from service.inbound.parsing.replies import phrasebook
from service.inbound.parsing.replies.phrasebook import tokens

TABLE = "quotations.txt"
QUOTED = re.compile(r"\s{0,3}(?:>(?!From )|»|›)")
"""`>From ` is no quotation: mail servers write it for a line of somebody's own that begins with From."""
MOST_OF_A_HEADING = 4
LONGEST_HEADING = 500
FOLDED_FROM = 40
"""A line shorter than this was not folded for its length."""
ENDS_A_SENTENCE = (".", "!", "?", "…", "。", "！", "？", "।", "؟", "۔")
"""A line that ends so is somebody's own, and not the beginning of a heading that goes on."""
NAMED = re.compile(r"[<(\[]\s*(?:mailto:)?[^\s<>()@]{1,64}@[^\s<>()@]{1,253}\s*[>)\]]|\S{1,64}@\S{3,253}")
NAME_AND_ADDRESS = re.compile(r"[^,<>:\d]{0,80}[<(]\s*(?:mailto:)?[^\s<>()@]{1,64}@[^\s<>()@]{1,253}[>)]")
DAY = re.compile(r"\d{1,2}\s?(?:[:.h]|時|시|點|点)\s?\d{2}|\b(?:19|20)\d\d\b|\d{4}[年년]|[٠-٩۰-۹०-९০-৯]{4}")
DATE_FIRST = re.compile(r"\W{0,3}(?:[^\s\d,]{1,20}[,،]?\s{1,2}|[^\s\d,]{1,20}[.,،]{1,2}\s?[^\s\d]{1,20}\s)?\d")
"""25 Nov, Wed, 25 Nov; Wed, Nov 25."""
COLON = re.compile(r"(?<!\s)\s*[:：․։]\s*$")
ZOHO = re.compile(r"^-{2,}\s*|(?<!\s)\s*-{2,}$")
"""---- On …, N wrote ----"""
SENTENCE = re.compile(r"[!?;]")
SPACED = r"(?:^|[\s\W]|(?<=[年月日>]))\s?"
MOST_WORDS_BEHIND = 5
"""Behind the verb of a heading: the words of a date, at most."""
BEGINS_BLOCK, GOES_ON = "begins a block of headers", "goes on in a block of headers"
LABEL = r"[*_]{0,2}{}\s?[:：](?!//)[*_]{0,2}"


def heading(lines: list[str], at: int) -> int:
    """How many lines from here on are the heading of a quotation; 0 where here is none."""
    if is_above_a_quotation(lines[at]):
        behind = next((number for number in range(at + 1, min(at + 4, len(lines))) if lines[number]), at)
        return behind - at + _block(lines, behind, any_label=True) if behind > at else 1
    return _block(lines, at) or _attribution(lines, at)


def _attribution(lines: list[str], at: int) -> int:
    heading = ""
    for number, line in enumerate(lines[at : at + MOST_OF_A_HEADING], 1):
        cut_off = bool(heading) and CUT_OFF.fullmatch(line) is not None
        if not cut_off and (not line or QUOTED.match(line) or not set(tokens(line[:LONGEST_HEADING])) - refusing()):
            break
        heading = f"{heading} {line}".lstrip()
        if len(heading) > LONGEST_HEADING:
            break
        if COLON.search(heading) or heading.endswith("-") or (number == 1 and _ends_with_verb(heading)):
            return number if is_heading(heading, before_quotation=_quoted_next(lines, at + number)) else 0
        folded = (len(line) >= FOLDED_FROM and not line.endswith(ENDS_A_SENTENCE)) or line.endswith((",", "<"))
        if not folded or not (_begins(heading) or "<" in heading):
            break
    return 0


CUT_OFF = re.compile(r">\s*[:：]?")
"""The end of a heading that was folded before the bracket of its address."""


def _ends_with_verb(heading: str) -> bool:
    """Some programs leave the colon out."""
    return bool(_begins(heading) and NAMED.search(heading) and _pattern(SPACED + r"{}$", "somebody wrote").search(heading))


def _quoted_next(lines: list[str], at: int) -> bool:
    return bool(QUOTED.match(next((line for line in lines[at : at + 3] if line), "")))


def is_heading(line: str, *, before_quotation: bool) -> bool:
    """Whether a line says who wrote what follows, and when: "On … at 09:10, N wrote:", in whatever language.

    One that stands in no table is believed where a quotation follows, and where it names an address and a time.
    """
    bare = COLON.sub("", ZOHO.sub("", line)).strip()
    begins = _begins(bare)
    if not _says_nothing_else(_without_its_form(bare) if begins else bare):
        return False
    dated, named, verb = bool(DAY.search(bare)), bool(NAMED.search(bare)), _has_verb(bare)
    if begins and dated and (verb or (named and _begins_without_verb(bare))):
        return True
    return (verb and (named or dated or before_quotation)) or (named and before_quotation and (begins or dated))


def _begins(line: str) -> bool:
    """With a word that begins a heading, or with a date."""
    return bool(_pattern(r"{}(?=[\s\W\d])", "a heading begins").match(line) or DATE_FIRST.match(line))


def _begins_without_verb(line: str) -> bool:
    return bool(_pattern(r"{}", "heading without a verb").match(line) or DATE_FIRST.match(line))


def _without_its_form(heading: str) -> str:
    """Without its first words, which may mean no in another language, and without the name of somebody with an address."""
    return _pattern(r"^{}(?=[\s\W\d])", "a heading begins").sub("", NAME_AND_ADDRESS.sub(" ", heading))


def _has_verb(heading: str) -> bool:
    """At its end; where the language puts the verb before its subject, anywhere."""
    if _pattern(SPACED + r"{}(?=$|[\s\W])", "somebody wrote, and then the name").search(heading):
        return True
    match = _pattern(SPACED + r"{}(?=$|\W)", "somebody wrote").search(heading)
    behind = tokens(NAME_AND_ADDRESS.sub(" ", heading[match.end() :])) if match else []
    return match is not None and len([word for word in behind if not word[0].isdigit()]) <= MOST_WORDS_BEHIND


def _says_nothing_else(heading: str) -> bool:
    """Whether nothing in a heading could be somebody's own sentence."""
    words = tokens(NAMED.sub(" ", heading))
    return not SENTENCE.search(heading) and not (refusing() | of_sentences()) & set(words) and len(words) <= 40


@cache
def refusing() -> frozenset[str]:
    """Single words that stand in a no of some language. What holds one is never taken for a heading or a signature."""
    return _single_words("words of a no")


@cache
def of_sentences() -> frozenset[str]:
    return _single_words("words of a sentence")


def _single_words(section: str) -> frozenset[str]:
    return frozenset(words[0] for words in map(tokens, phrasebook.section("assent.txt", section)) if len(words) == 1)


@cache
def _pattern(around: str, *titles: str) -> re.Pattern[str]:
    """The regular expressions of some sections of the table; `around` says where they must stand."""
    text = Path(__file__).with_name(TABLE).read_text(encoding="utf-8")
    lines = [text.partition(f"[{title}]\n")[2].partition("\n[")[0].splitlines() for title in titles]
    words = "|".join(line for section in lines for line in section if line)
    return re.compile(around.replace("{}", f"(?:{words})"), re.IGNORECASE)


def is_above_a_quotation(line: str) -> bool:
    """-----Original Message-----, and its like."""
    words = line.strip(" \t-_=*~")
    framed = len(words) < len(line) or line.endswith((":", "："))
    return framed and len(words) < 100 and bool(_pattern(r"{}\s*[:：]?", "a line above a quotation").fullmatch(words))


def _block(lines: list[str], at: int, *, any_label: bool = False) -> int:
    """The length of a block of headers, as Outlook writes it above a quotation: two at least, a sender or a date first.

    `any_label`: right below a line that announces a quotation, any of them may be the first.
    """
    if not _pattern(LABEL, BEGINS_BLOCK, *[GOES_ON] * any_label).match(lines[at]):
        return 0
    if not NAMED.search(lines[at][:LONGEST_HEADING]) and not _says_nothing_else(lines[at][:LONGEST_HEADING]):
        return 0
    labelled = last = 0
    for length, line in enumerate(lines[at : at + 40], 1):
        if _pattern(LABEL, BEGINS_BLOCK, GOES_ON).match(line):
            labelled, last = labelled + 1, length
        elif length - last > 1 or (line and not _goes_on(line)):
            break
    return last if labelled > 1 else 0


def _goes_on(line: str) -> bool:
    """A long list of recipients is folded."""
    return "@" in line and len(line) < LONGEST_HEADING and _says_nothing_else(line)

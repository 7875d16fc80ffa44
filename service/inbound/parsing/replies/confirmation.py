"""Whether an answer to the letter that asks to confirm does confirm, read from the answer and from what we had written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies import assent, our_letters, quotations


class Ours(NamedTuple):
    """What we wrote to whoever answers: programs quote it, some without any mark."""

    subjects: Sequence[str] = ()
    words: str = ""
    """The texts, and the words of the pages; empty where nobody knows them."""
    organisation: str = ""


UNKNOWN = Ours()


def why_no_yes(judgement: Judgement, ours: Ours = UNKNOWN) -> str:
    """Why an answer is no yes; empty where it is one (UK GDPR Art 4(11)).

    An answer without words is one only where all of it was read, and nothing came beside it.
    """
    if judgement.unread:
        return judgement.unread
    names = [judgement.author_name, judgement.author.partition("@")[0], ours.organisation]
    answers = {assent.answer(quotations.without(own.splitlines(), ours.words), names) for own in judgement.answers}
    answers.add(our_letters.answer_of_subject(judgement.subject, ours.subjects, ours.words) if judgement.answers else "other")
    if "other" in answers:
        return "it is no clear yes"
    return f"{judgement.beside} came without a word" if judgement.beside and "yes" not in answers else ""

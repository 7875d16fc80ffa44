"""Whether an answer to an update asks for no more of them, and says nothing else."""

from __future__ import annotations

from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies import assent, our_letters, quotations
from service.inbound.parsing.replies.confirmation import UNKNOWN, Ours


def asks(judgement: Judgement, ours: Ours = UNKNOWN) -> bool:
    """True where the author's own words are such a wish; any other word is for a person to read."""
    if judgement.unread or judgement.beside:
        return False
    names = [judgement.author_name, judgement.author.partition("@")[0], ours.organisation]
    answers = [
        assent.answer(quotations.without(own.splitlines(), ours.words), names, assent.LEAVE) for own in judgement.answers
    ]
    answers.append(_of_subject(judgement.subject, ours))
    return "yes" in answers and "other" not in answers


def _of_subject(subject: str, ours: Ours) -> assent.Answer:
    """The subject of an answer is not its author's, unless they wrote their wish there."""
    bare = our_letters.REPLY_MARK.sub("", subject)
    answer = assent.answer([bare], (), assent.LEAVE) if bare.strip() else "nothing"
    return "nothing" if answer == "other" and (bare != subject or bare in ours.subjects) else answer

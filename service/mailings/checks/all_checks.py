"""What is looked at before an update goes, each with its remedy. A serious finding keeps it from being approved.

Links are looked at by service.mailings.checks.link_texts.
"""

from __future__ import annotations

import re
from datetime import datetime
from difflib import SequenceMatcher

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails.compose import render
from service.mailings import audience, tallies
from service.mailings.checks import link_texts
from service.mailings.checks.findings import Finding
from service.models import Mailing, Notice
from service.organisers import small_counts
from service.text.markdown import placeholders
from service.text.markdown.rendering import fill_html, fill_text, to_html, to_text

LARGEST = 102 * 1024
"""Bytes of HTML above which Gmail clips a message and hides its end, the link to leave among it."""
LONG_SUBJECT = 70
MARK = "https://leave.invalid/"
ALIKE = 0.85
SHORTEST_QUOTATION = 15
QUOTED_LINE = re.compile(r"\s*(>|[-*+]|\d+[.)])\s")
QUOTED = re.compile(r"[“\"]([^”\"\n]{15,500})[”\"]")
SPAM_WARNING, SPAM_SERIOUS = 0.001, 0.003
"""Shares of complaints over which Gmail and Yahoo begin to, and do, turn a sender's mail away."""


def of(session: Session, mailing: Mailing, now: datetime, count: int) -> list[Finding]:
    """All that can be looked at here, for an audience of so many; service.mailings.checks.sending_domain asks DNS."""
    text, page = written(mailing)
    return [
        _people(count), _time(mailing, now), _subject(mailing), _imprint(text, page), _leave(text, page),
        *link_texts.findings(mailing.body), Finding("Images", "ok", "It loads none: nothing tells a server who reads it."),
        _size(page), _placeholders(session, mailing), _demands(session, mailing.body), _spam(session, mailing),
    ]  # fmt: skip


def written(mailing: Mailing, leave: str = MARK) -> tuple[str, str]:
    """Text and HTML of the whole e-mail, as somebody of whom we know nothing gets it."""
    source = placeholders.marked(mailing.body)
    _, text, page = render("update", mailing=mailing, update_text=to_text(source), update_html=to_html(source), leave=leave)
    return fill_text(text, {}), fill_html(page, {})


def _people(count: int) -> Finding:
    if not count:
        return Finding("Audience", "serious", "Nobody would get it.", "Choose another audience.")
    return Finding("Audience", "ok", f"It goes to {small_counts.in_words(count)}, each once.")


def _time(mailing: Mailing, now: datetime) -> Finding:
    if mailing.send_at and mailing.send_at <= now and mailing.state in {"draft", "submitted"}:
        return Finding("Time", "serious", "The time it shall go at is over.", "Choose a later one, or none.")
    return Finding("Time", "ok", "It has a time." if mailing.send_at else "It goes as soon as it is approved.")


def _subject(mailing: Mailing) -> Finding:
    if len(mailing.subject) > LONG_SUBJECT:
        sentence = f"{len(mailing.subject)} characters; phones show about 40."
        return Finding("Subject", "warning", sentence, "Put first what matters.")
    return Finding("Subject", "ok", f"{len(mailing.subject)} characters.")


def _imprint(text: str, page: str) -> Finding:
    flat = " ".join(text.split())
    if any(" ".join(line.split()) not in flat for line in (settings().postal_address, settings().imprint)):
        return Finding("Imprint", "serious", "Postal address or imprint are missing.", "Set POSTAL_ADDRESS and IMPRINT.")
    if settings().secure and "(sample)" in settings().organisation:
        remedy = "Set ORGANISATION, POSTAL_ADDRESS and IMPRINT to your own."
        return Finding("Imprint", "serious", "It still names the sample organisation.", remedy)
    return Finding("Imprint", "ok", "Who sends it, and a postal address, stand in both parts (PECR reg 23).")


def _leave(text: str, page: str) -> Finding:
    if MARK not in text or MARK not in page:
        return Finding("Link to leave", "serious", "It is missing.", "Put it back into templates/emails/update.")
    return Finding("Link to leave", "ok", "In both parts, and in the header for one click (RFC 8058).")


def _size(page: str) -> Finding:
    size = len(page.encode())
    if size > LARGEST:
        return Finding("Size", "serious", f"{size // 1024} kB; Gmail hides what comes after 102 kB.", "Shorten it.")
    return Finding("Size", "ok", f"{max(size // 1024, 1)} kB of at most 102.")


def _placeholders(session: Session, mailing: Mailing) -> Finding:
    """Each should say what to write where we know nothing: somebody whose name we lack reads it, and everybody on the web."""
    without = placeholders.without_fallback(mailing.body)
    for name in without:
        if count := audience.without(session, audience.of(mailing), name):
            sentence = f"Of {small_counts.in_words(count)} we know no {name}, and you do not say what to write instead."
            return Finding("Placeholders", "serious", sentence, _instead(name))
    for name in without:
        instead = placeholders.DEFAULTS[name]
        sentence = f"{{{name}}} does not say what to write where we know none. The public page says “{instead}”."
        return Finding("Placeholders", "warning", sentence, _instead(name))
    return Finding("Placeholders", "ok", "Each says something to everybody.")


def _instead(name: str) -> str:
    return f"Say it behind a stroke, as in {{{name}|{placeholders.DEFAULTS[name]}}}."


def _demands(session: Session, body: str) -> Finding:
    """Quotations that read almost like a demand of a notice in force, and not word for word."""
    live = session.scalars(select(Notice).where(Notice.state == "live"))
    demands = [(demand, notice.title) for notice in live if notice.edition for demand in notice.edition.demands]
    for quoted in _quotations(body):
        if any(_bare(quoted) == _bare(demand.text) for demand, _ in demands):
            continue
        for demand, title in demands:
            if SequenceMatcher(None, _bare(quoted), _bare(demand.text)).ratio() > ALIKE:
                sentence = f"“{quoted[:80]}” is almost demand {demand.number} of “{title}”, and not word for word."
                return Finding("Quoted demands", "serious", sentence, f"It says: “{demand.text}”")
    return Finding("Quoted demands", "ok", "None differs from the edition in force.")


def _quotations(body: str) -> list[str]:
    """Lines of quotations and lists, and what stands in quotation marks."""
    lines = [line[match.end() :].strip() for line in body.split("\n") if (match := QUOTED_LINE.match(line))]
    return [quotation for quotation in [*lines, *QUOTED.findall(body)] if len(quotation) >= SHORTEST_QUOTATION]


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(' .;,:*_“”"')


def _spam(session: Session, mailing: Mailing) -> Finding:
    last = session.scalar(select(Mailing).where(Mailing.state == "sent").order_by(Mailing.id.desc()).limit(1))
    counts = tallies.read(session, last.id) if last else {}
    taken = sum(counts.get(state, 0) for state in ("accepted", "complained"))
    share = counts.get("complained", 0) / taken if taken else 0.0
    if share < SPAM_WARNING:
        return Finding("Spam reports", "ok", "Of the last update under 0.1 %." if taken else "There was no update before.")
    level = "serious" if share >= SPAM_SERIOUS else "warning"
    remedy = "Write to fewer people, those who joined last, and say why they get it."
    return Finding("Spam reports", level, f"Of the last update {share:.2%} called it spam; providers act from 0.1 %.", remedy)

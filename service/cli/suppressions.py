"""`flask suppressions …`: what came back, by cause; decide what a brake holds; lift all that one cause explains."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from service.cli.output import json_option, now, say, says_why
from service.core.db import reading, transaction
from service.inbound import brake_decisions
from service.inbound.brake_decisions import Card, Cause, Pulled
from service.organisers import audit
from service.people import person_search

group = AppGroup("suppressions", help="Whom we must not write to, and why.")
VERBS = {"suppress": "dead", "lift": "lift"}


@group.command("list")
@json_option
@says_why
def list_causes(as_json: bool) -> None:
    """What the brake holds until somebody has looked, and the causes of the suppressions of the last 30 days."""
    with reading() as session:
        pulled, recent = brake_decisions.pulled(session), brake_decisions.recent(session, now())
    document = {"brakes": [_brake(pulled_brake) for pulled_brake in pulled], "suppressed": [_cause(cause) for cause in recent]}
    say(as_json, document, "\n".join(_lines(pulled, recent)))


def _brake(pulled_brake: Pulled) -> dict[str, Any]:
    brake = pulled_brake.brake
    return {
        "id": brake.id, "scope": brake.scope, "subject": brake.subject, "hard": brake.hard, "settled": brake.settled,
        "pulled_at": brake.pulled_at.isoformat(), "held": pulled_brake.held,
        "causes": [_cause(cause) for cause in pulled_brake.causes],
    }  # fmt: skip


def _cause(cause: Cause) -> dict[str, Any]:
    pattern = cause.pattern
    return {
        "id": pattern.id, "reason": pattern.reason, "status": pattern.status, "example": pattern.example,
        "mailboxes": cause.mailboxes, "domains": dict(cause.domains), "other_domains": cause.others,
    }  # fmt: skip


def _lines(pulled: list[Pulled], recent: list[Cause]) -> list[str]:
    lines = []
    for pulled_brake in pulled:
        lines += [f"Brake {pulled_brake.brake.id}: {Card('', [pulled_brake]).sentence}", *map(_line, pulled_brake.causes)]
    lines += ["Suppressed in the last 30 days:" if recent else "Nobody was suppressed after a failure in the last 30 days."]
    return lines + [_line(cause) for cause in recent]


def _line(cause: Cause) -> str:
    at = ", ".join(f"{host}: {count}" for host, count in cause.domains)
    return f"  cause {cause.pattern.id}: {cause.mailboxes:,} ({at or 'domains forgotten'}) {cause.pattern.example}"


@group.command("judge")
@click.argument("brake_id", type=int)
@click.argument("verdict", type=click.Choice(list(VERBS)))
@click.option("--cause", "causes", type=int, multiple=True, help="Of this cause alone; may be repeated.")
@json_option
@says_why
def judge(brake_id: int, verdict: str, causes: tuple[int, ...], as_json: bool) -> None:
    """Say of what a brake holds: they are dead (suppress), or it was not their fault (lift)."""
    with transaction() as session:
        decision = next(candidate for candidate in brake_decisions.VERDICTS if candidate == VERBS[verdict])
        count = brake_decisions.decide(session, brake_id, decision, causes, None, now())
        audit.note(session, verdict, f"brake {brake_id}", now(), causes=list(causes) or "all", mailboxes=count)
    done = "suppressed" if verdict == "suppress" else "written to again"
    say(as_json, {"brake": brake_id, "verdict": verdict, "mailboxes": count}, f"{_mailboxes(count)} {done}.")


@group.command("lift")
@click.argument("cause_id", type=int)
@click.option("--reason", required=True, help="Why; kept in the audit. Leave out names and addresses.")
@json_option
@says_why
def lift(cause_id: int, reason: str, as_json: bool) -> None:
    """Lift all suppressions of the last 30 days that one cause explains; whoever said no themselves stays."""
    with transaction() as session:
        why = person_search.reason(reason)
        count = brake_decisions.lift_all(session, cause_id, now())
        audit.note(session, "lift", f"cause {cause_id}", now(), reason=why, mailboxes=count)
    say(as_json, {"cause": cause_id, "mailboxes": count}, f"{_mailboxes(count)} written to again.")


def _mailboxes(count: int) -> str:
    return "1 mailbox is" if count == 1 else f"{count:,} mailboxes are"

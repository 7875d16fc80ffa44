"""The web: one table, blueprint → prefix → guard. Each view parses, makes one call into a story, and renders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from service.web import (
    account,
    brakes,
    complaints,
    confirmations,
    health,
    holdings,
    hooks,
    imports,
    inbox,
    lists,
    moderation,
    news,
    notices,
    organise,
    organise_notices,
    pages,
    people,
    problems,
    proof,
    received,
    reports,
    sign_in,
    team,
    undoing,
    updates,
    writing,
)
from service.web import unsubscribe as leaving
from service.web.guards import needs_organiser


@dataclass(frozen=True)
class Entry:
    """`guard` runs before every view of the blueprint; None: open to the public. CSRF is off for RFC 8058 and providers."""

    blueprint: Blueprint
    prefix: str | None
    guard: Callable[[], Any] | None
    csrf_exempt: bool = False


BLUEPRINTS = (
    Entry(notices.blueprint, None, None),
    Entry(proof.blueprint, None, None),
    Entry(received.blueprint, None, None),
    Entry(lists.blueprint, "/lists", None),
    Entry(confirmations.blueprint, "/confirm", None),
    Entry(undoing.blueprint, "/count-again", None),
    Entry(leaving.blueprint, "/unsubscribe", None, csrf_exempt=True),
    Entry(holdings.blueprint, "/manage", None),
    Entry(news.blueprint, None, None),
    Entry(complaints.blueprint, "/complaints", None),
    Entry(pages.blueprint, None, None),
    Entry(health.blueprint, None, None),
    Entry(sign_in.blueprint, "/organise/sign-in", None),
    Entry(inbox.blueprint, "/organise", needs_organiser),
    Entry(hooks.blueprint, "/hooks", None, csrf_exempt=True),
    Entry(organise.blueprint, "/organise", needs_organiser),
    Entry(problems.blueprint, "/organise", needs_organiser),
    Entry(organise_notices.blueprint, "/organise", needs_organiser),
    Entry(account.blueprint, "/organise/account", needs_organiser),
    Entry(writing.blueprint, "/organise/updates", needs_organiser),
    Entry(updates.blueprint, "/organise/updates", needs_organiser),
    Entry(reports.blueprint, "/organise/updates", needs_organiser),
    Entry(people.blueprint, "/organise/people", needs_organiser),
    Entry(moderation.blueprint, "/organise/signatures", needs_organiser),
    Entry(brakes.blueprint, "/organise/came-back", needs_organiser),
    Entry(imports.blueprint, "/organise/imports", needs_organiser),
    Entry(team.blueprint, "/organise", needs_organiser),
)

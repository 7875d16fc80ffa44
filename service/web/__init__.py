"""The web: one table, blueprint → prefix → guard. Each view parses, makes one call into a story, and renders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from service.web.guards import needs_organiser
from service.web.organise import account, brakes, dashboard, imports, inbound, organisers, people, problems, sign_in, signatures
from service.web.organise import notices as organise_notices
from service.web.organise.mailings import editor, mailing, report
from service.web.public import (
    complaints,
    confirmations,
    health,
    legal,
    manage,
    news,
    notices,
    officials,
    proof,
    subscriptions,
    undo_withdrawal,
    webhooks,
)
from service.web.public import unsubscribe as leaving


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
    Entry(officials.blueprint, None, None),
    Entry(subscriptions.blueprint, "/lists", None),
    Entry(confirmations.blueprint, "/confirm", None),
    Entry(undo_withdrawal.blueprint, "/count-again", None),
    Entry(leaving.blueprint, "/unsubscribe", None, csrf_exempt=True),
    Entry(manage.blueprint, "/manage", None),
    Entry(news.blueprint, None, None),
    Entry(complaints.blueprint, "/complaints", None),
    Entry(legal.blueprint, None, None),
    Entry(health.blueprint, None, None),
    Entry(sign_in.blueprint, "/organise/sign-in", None),
    Entry(inbound.blueprint, "/organise", needs_organiser),
    Entry(webhooks.blueprint, "/hooks", None, csrf_exempt=True),
    Entry(dashboard.blueprint, "/organise", needs_organiser),
    Entry(problems.blueprint, "/organise", needs_organiser),
    Entry(organise_notices.blueprint, "/organise", needs_organiser),
    Entry(account.blueprint, "/organise/account", needs_organiser),
    Entry(editor.blueprint, "/organise/updates", needs_organiser),
    Entry(mailing.blueprint, "/organise/updates", needs_organiser),
    Entry(report.blueprint, "/organise/updates", needs_organiser),
    Entry(people.blueprint, "/organise/people", needs_organiser),
    Entry(signatures.blueprint, "/organise/signatures", needs_organiser),
    Entry(brakes.blueprint, "/organise/came-back", needs_organiser),
    Entry(imports.blueprint, "/organise/imports", needs_organiser),
    Entry(organisers.blueprint, "/organise", needs_organiser),
)

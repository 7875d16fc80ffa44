"""How values look on pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import g

from service.organisers import small_counts
from service.organisers.roles import ADMINISTRATORS
from service.signatures.signing import OFFICES
from service.text import times
from service.text.markdown.rendering import to_html

TIERS = {
    "queued": "Waiting to be sent",
    "relay": "Accepted by our mail relay",
    "recipient": "Accepted by the recipient's server",
    "notified": "Delivery notification received",
    "acknowledged": "Acknowledged",
    "refused": "Refused",
    "stopped": "Stopped before it was sent",
    "unsure": "Unsure: held until we know",
}


def at(when: datetime) -> str:
    """A time in the zone of the organiser who looks."""
    return times.shown(when, g.organiser.zone)


def lasts(seconds: float) -> str:
    """2 h 5 min; 3 min 20 s; 14 s."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if not hours else ""]
    return " ".join(part for part in parts if part)


def people(count: int, singular: str = "person", many: str = "people") -> str:
    """How many people, as the organiser who looks may know it."""
    return small_counts.in_words_for_role(count, g.organiser.role, singular, many)


def count_of(count: int) -> int:
    """A count of people as the organiser who looks may know it; 0 where it is too small."""
    return small_counts.for_role(count, g.organiser.role)


def counted_note() -> str:
    """Why the numbers of a page are round; nothing for whoever sees them as they are."""
    if g.organiser.role in ADMINISTRATORS:
        return ""
    return f"Counts of people are told in steps of {small_counts.SMALLEST}; a smaller one is not told."


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "a Mac"),
           ("Linux", "Linux"))  # fmt: skip


def browser(agent: str) -> str:
    """Firefox on Linux: what somebody knows of their own browsers; the browser's own words where we do not know it."""
    name = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{name} on {system}" if name and system else agent or "unknown"


def size(octets: int) -> str:
    """740 bytes; 12 kB; 3.4 MB."""
    if octets < 1_000:
        return f"{octets} bytes"
    return f"{octets / 1_000:.0f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"


FILTERS: dict[str, Callable[..., object]] = {
    "markdown": to_html,
    "tier": lambda tier: TIERS[tier],
    "lasts": lasts,
    "size": size,
    "browser": browser,
    "instant": datetime.fromisoformat,
}

__all__ = ["FILTERS", "OFFICES", "TIERS"]

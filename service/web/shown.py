"""How values look on pages."""

from __future__ import annotations

from service.markdown import to_html
from service.signatures import OFFICES

TIERS = {
    "queued": "Waiting to be sent",
    "relay": "Accepted by our mail relay",
    "recipient": "Accepted by the recipient's server",
    "notified": "Delivery notification received",
    "acknowledged": "Acknowledged",
    "refused": "Refused",
    "unsure": "Unsure: held until we know",
}
FILTERS = {"markdown": to_html, "tier": lambda tier: TIERS[tier]}

__all__ = ["FILTERS", "OFFICES", "TIERS"]

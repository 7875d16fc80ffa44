"""Mail providers that report failures and complaints by web hook: one adapter each, and one table.

An adapter is two functions: `prove(headers, body)` raises Forged unless the provider sent this, and `read(body)` gives its
events. Whatever it says is turned into the judgement that our own reader would have come to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.inbound.webhooks import postmark, ses
from service.inbound.webhooks.event import Event, Forged


@dataclass(frozen=True)
class Provider:
    """`enabled` says whether it is set up: else its address does not exist."""

    enabled: Callable[[], bool]
    prove: Callable[[Mapping[str, str], bytes], None]
    read: Callable[[bytes], list[Event]]


PROVIDERS = {
    "ses": Provider(ses.enabled, ses.prove, ses.read),
    "postmark": Provider(postmark.enabled, postmark.prove, postmark.read),
}


def headers() -> dict[str, str]:
    """What our own mail says to a provider that is set up, so that its reports name our messages."""
    return dict(postmark.HEADERS) if postmark.enabled() else {}


__all__ = ["PROVIDERS", "Event", "Forged", "Provider", "headers"]

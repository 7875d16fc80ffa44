"""Postmark: its web hooks carry a name and password of ours (HTTP Basic), for they are not signed.

Postmark Developer Docs, "Bounce webhook" and "Spam complaint webhook". Switch "Include message content" on: it holds
the Message-ID by which we know the message, which Postmark replaces with its own unless a header of the message forbids it.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

from service.core.config import settings
from service.inbound.parsing.failures import reasons, refused_command
from service.inbound.parsing.failures.reasons import Verdict
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies.our_letters import TOKEN
from service.inbound.webhooks.event import Event, Forged

TYPES: dict[str, Verdict] = {
    **dict.fromkeys(("HardBounce", "BadEmailAddress"), Verdict("hard", "permanent, says Postmark")),
    **dict.fromkeys(("Transient", "SoftBounce", "DnsError", "AddressChange"), Verdict("soft", "transient, says Postmark")),
    **dict.fromkeys(
        ("SpamNotification", "Blocked", "DMARCPolicy", "SMTPApiError"), Verdict("blocked", "turned away, says Postmark")
    ),
}

HEADERS = {"X-PM-KeepID": "true"}


def enabled() -> bool:
    return bool(settings().postmark_password)


def prove(headers: Mapping[str, str], _body: bytes) -> None:
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    try:
        password = base64.b64decode(given, validate=True).partition(b":")[2]
    except ValueError:  # not base64, or not even ASCII
        password = b""
    if scheme.lower() != "basic" or not hmac.compare_digest(password, settings().postmark_password.encode()):
        raise Forged("its password is not ours")


def read(body: bytes) -> list[Event]:
    try:
        event = json.loads(body)
    except ValueError:
        raise Forged("it is no JSON") from None
    judged = _judged(event) if isinstance(event, dict) else None
    return [Event(f"postmark:{event.get('RecordType')}:{event.get('ID')}", judged)] if judged else []


def _judged(event: dict[str, Any]) -> Judgement | None:
    record, tokens = event.get("RecordType"), _tokens(event)
    if record == "SpamComplaint" or event.get("Type") == "SpamComplaint":
        return Judgement("complaint", reason="abuse", machine="a report", tokens=tokens)
    if record != "Bounce" or event.get("Type") in {"AutoResponder", "ChallengeVerification", "OpenRelayTest", "Unsubscribe"}:
        return None
    text = f"{event.get('Details') or ''}"
    email = str(event.get("Email") or "") or None
    verdict = reasons.judge("", text, refused_command.refused(text), email or "")
    if verdict.kind == "unknown":
        verdict = TYPES.get(str(event.get("Type")), verdict)
    status = reasons.specific("", text)
    return Judgement("bounce", verdict.kind, status or None, email, "failed", verdict.reason, text, "a report", tokens=tokens)


def _tokens(event: dict[str, Any]) -> list[str]:
    named = str((event.get("Metadata") or {}).get("message") or "") if isinstance(event.get("Metadata"), dict) else ""
    return [token for token in [named.lower()] if token] + [
        token.lower() for token in TOKEN.findall(str(event.get("Content") or "")[:65_536])
    ]

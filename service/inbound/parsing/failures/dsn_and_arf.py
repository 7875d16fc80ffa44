"""What machines say to machines: delivery status (RFC 3464), feedback (RFC 5965), disposition (RFC 8098).

Only parts of the message itself are looked at: a report inside a forwarded message is somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.inbound.parsing.mime.encoded_words import decoded
from service.inbound.parsing.mime.mime_parser import Part

STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
REPLY = re.compile(r"(?<![\d.])([245])([0-5])(\d)(?=[ -]|$)")
ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]]{1,128}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
FEEDBACK_TYPES = {"message/feedback-report"}
DISPOSITION_TYPES = {"message/disposition-notification", "message/global-disposition-notification"}
ORIGINAL_TYPES = {"message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822", "message/rfc822-headers",
                  "message/partial", "message/global-headers"}  # fmt: skip
MOST_RECIPIENTS = 10
LONGEST_DIAGNOSTIC = 2_000


@dataclass(frozen=True)
class Recipient:
    """What a report says of one recipient. `action`: failed, delayed, delivered, relayed, expanded, or empty."""

    address: str
    action: str
    status: str
    diagnostic: str
    """The words of the server that refused it, with its codes."""
    original: str = ""
    """The address that it was sent to first, where the report tells it (RFC 3464 §2.3.1)."""

    @property
    def reader(self) -> str:
        """Whose copy it was: several may come of one address that has its mail sent on."""
        return (self.original or self.address).lower()


def fields(part: Part) -> list[dict[str, str]]:
    """The groups of a report's fields, each with names in lower case; the first is about the whole message."""
    groups: list[dict[str, str]] = [{}]
    name = ""
    for line in part.text.replace("\r\n", "\n").split("\n")[:5_000]:
        if not line.strip():
            if groups[-1]:
                groups.append({})
            name = ""
        elif line[:1] in " \t" and name:
            groups[-1][name] += " " + line.strip()
        elif match := re.match(r"([\w-]{2,60})\s*:\s*(.*)", line):
            name = match[1].lower()
            if name in {"final-recipient", "original-recipient"} and name in groups[-1]:
                groups.append({})  # some leave out the empty line between two recipients
            groups[-1].setdefault(name, "")
            groups[-1][name] = (groups[-1][name] + " " + match[2]).strip()[:4_000]
    return [group for group in groups if group]


def parts_of(message: Part, types: set[str]) -> Iterator[Part]:
    yield from (part for part in message.walk() if part.content_type in types)


def recipients(message: Part) -> list[Recipient]:
    """The recipients that a delivery status speaks of."""
    recipients_read: list[Recipient] = []
    for part in parts_of(message, STATUS_TYPES):
        for group in fields(part):
            if len(recipients_read) < MOST_RECIPIENTS and (recipient := _recipient(group)) is not None:
                recipients_read.append(recipient)
    return recipients_read


def _recipient(group: dict[str, str]) -> Recipient | None:
    action = re.sub(r"[^a-z-].*", "", group.get("action", "").lower().strip())
    status = STATUS.search(group.get("status", ""))
    address = group.get("original-recipient") or group.get("final-recipient") or group.get("x-actual-recipient", "")
    if not (address or action or status) or ("reporting-mta" in group and not (address or action)):
        return None
    comment = group.get("status", "").partition("(")[2].strip(" )")
    diagnostic = _without_type(group.get("diagnostic-code") or group.get("x-display-name") or comment)
    return Recipient(
        address=_address(group.get("final-recipient", "")) or _address(address),
        action={"failure": "failed", "fail": "failed", "deliverable": "delivered", "delay": "delayed"}.get(action, action),
        status=status[0] if status else "",
        diagnostic=" ".join(diagnostic.split())[:LONGEST_DIAGNOSTIC],
        original=_address(group.get("original-recipient", "")),
    )


def _without_type(text: str) -> str:
    """`smtp; 550 5.1.1 …` without the type before the semicolon (RFC 3464 §2.3.6)."""
    return decoded(re.sub(r"^\s*[\w-]{1,20}\s*;\s*", "", text))


def _address(text: str) -> str:
    match = ADDRESS.search(text.rpartition(";")[2] or text)
    return match[0].strip(".") if match else ""


def feedback(message: Part) -> dict[str, str] | None:
    """The fields of a feedback report, all groups in one; None where there is none."""
    for part in parts_of(message, FEEDBACK_TYPES):
        merged: dict[str, str] = {}
        for group in fields(part):
            merged = group | merged
        return merged
    return None


def is_disposition(message: Part) -> bool:
    """Whether it says that a message was displayed, deleted or processed: a reader's program, never a failure to deliver."""
    kind = message.parameters.get("report-type", "").lower()
    return kind == "disposition-notification" or any(True for _ in parts_of(message, DISPOSITION_TYPES))


def dispositions(message: Part) -> Iterator[dict[str, str]]:
    """The fields of its disposition notifications."""
    for part in parts_of(message, DISPOSITION_TYPES):
        yield {name: value for group in reversed(fields(part)) for name, value in group.items()}


def original(message: Part) -> Part | None:
    """The message that a report returns, or its headers."""
    return next(parts_of(message, ORIGINAL_TYPES), None)

"""The JSON shapes of Mailpit's API, drawn from a letter and its envelope."""

import html
import re
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from workers.postbox.letter import Letter, Part, decode_words

Json = dict[str, Any]
SNIPPET_LENGTH = 250


def summarise(letter: Letter, recipients: list[str], *, received_at: str, size: int) -> Json:
    """One entry of the list, but for its ID and whether it was read."""
    to, cc, bcc = (addresses(letter, name) for name in ("To", "Cc", "Bcc"))
    named = {address["Address"].casefold() for address in to + cc + bcc}
    hidden = [{"Name": "", "Address": each} for each in recipients if each.casefold() not in named]
    return {
        "MessageID": letter.first("Message-ID").strip("<> "),
        "From": next(iter(addresses(letter, "From")), {"Name": "", "Address": ""}),
        "To": to, "Cc": cc, "Bcc": bcc + hidden,
        "ReplyTo": addresses(letter, "Reply-To"),
        "Subject": letter.first("Subject"),
        "Created": received_at,
        "Username": "", "Tags": [],
        "Size": size,
        "Attachments": sum(not part.inline for part in letter.parts),
        "Snippet": " ".join(readable(letter).split())[:SNIPPET_LENGTH],
    }  # fmt: skip


def describe(letter: Letter, summary: Json, sender: str) -> Json:
    """The whole message: its summary, its bodies and what is attached."""
    listed = {key: value for key, value in summary.items() if key not in ("Created", "Read", "Snippet")}
    return {
        **listed,
        "ReturnPath": sender,
        "ListUnsubscribe": list_unsubscribe(letter),
        "Date": sent_at(letter) or summary["Created"],
        "Text": letter.text,
        "HTML": letter.html,
        "Inline": [describe_part(part) for part in letter.parts if part.inline],
        "Attachments": [describe_part(part) for part in letter.parts if not part.inline],
    }


def describe_part(part: Part) -> Json:
    return {
        "PartID": part.number,
        "FileName": part.file_name,
        "ContentType": part.content_type,
        "ContentID": part.content_id,
        "Size": len(part.content),
    }


def addresses(letter: Letter, name: str) -> list[Json]:
    values = [value for value in letter.values(name) if value]
    mailboxes = [{"Name": decode_words(phrase), "Address": address} for phrase, address in getaddresses(values) if address]
    return mailboxes or [{"Name": decode_words(value), "Address": ""} for value in values]


def headers(letter: Letter) -> dict[str, list[str]]:
    """By name in the spelling that Mailpit (Go) gives every name, such as Message-Id."""
    values: dict[str, list[str]] = {}
    for name, value in sorted(letter.headers, key=lambda header: header[0].lower()):
        values.setdefault("-".join(word.capitalize() for word in name.split("-")), []).append(value)
    return values


def list_unsubscribe(letter: Letter) -> Json:
    """RFC 2369 and RFC 8058; `Errors` is empty when a mail program would find a way to leave."""
    header = letter.first("List-Unsubscribe")
    links = re.findall(r"<\s*((?:https?|mailto):[^<>\s]+)\s*>", header, re.IGNORECASE)
    return {
        "Header": header,
        "Links": links,
        "Errors": "" if links or not header else "No http, https or mailto link in angle brackets.",
        "HeaderPost": letter.first("List-Unsubscribe-Post"),
    }


def sent_at(letter: Letter) -> str:
    """The Date header as RFC 3339, or nothing when it is missing or nonsense."""
    try:
        moment = parsedate_to_datetime(letter.first("Date"))
    except (ValueError, TypeError, OverflowError):
        return ""
    return rfc3339(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def readable(letter: Letter) -> str:
    """The plain body; of a letter that has only HTML, what stands between the tags."""
    if letter.text.strip():
        return letter.text
    shown = re.sub(r"<(?:style|script|title)\b[^<>]*>[^<]*", " ", letter.html, flags=re.IGNORECASE)
    return html.unescape(re.sub(r"<[^<>]*>", " ", shown))


def searchable(letter: Letter, summary: Json) -> str:
    """All that free text finds: subject, everybody named, the body and the names of attachments."""
    people = [summary["From"], *summary["To"], *summary["Cc"], *summary["Bcc"], *summary["ReplyTo"]]
    words = [summary["Subject"], *(f"{person['Name']} {person['Address']}" for person in people)]
    words += [readable(letter), *(part.file_name for part in letter.parts)]
    return "\n".join(words).replace("\0", "\ufffd").casefold()

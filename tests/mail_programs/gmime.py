"""What GMime reads in each file of a folder, as JSON; see views.py for its form. Run by Debian's own Python, which has `gi`."""

import base64
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

gi = importlib.import_module("gi")
gi.require_version("GMime", "3.0")
GMime: Any = importlib.import_module("gi.repository.GMime")
GMime.init()


def letter(content: bytes) -> dict[str, Any]:
    parser = GMime.Parser.new_with_stream(GMime.StreamMem.new_with_buffer(content))
    message = parser.construct_message(None)
    headers = message.get_header_list()
    values: dict[str, list[str]] = {"subject": [], "date": [], "message-id": []}
    mailboxes: dict[str, list[list[str]]] = {"from": [], "to": [], "reply-to": []}
    for number in range(headers.get_count()):
        header = headers.get_header_at(number)
        name = header.get_name().lower()
        if name in values:
            values[name].append(header.get_value())
        if name in mailboxes:
            found = GMime.InternetAddressList.parse(None, re.sub(r"\r?\n(?=[ \t])", "", header.get_raw_value() or ""))
            for at in range(found.length() if found else 0):
                mailbox = found.get_address(at)
                address = mailbox.get_addr() if isinstance(mailbox, GMime.InternetAddressMailbox) else "a group"
                mailboxes[name].append([mailbox.get_name() or "", address])
    return {"headers": values, "mailboxes": mailboxes, "parts": parts(message.get_mime_part())}


def parts(entity: Any) -> list[dict[str, str]]:
    if isinstance(entity, GMime.Multipart):
        return [part for number in range(entity.get_count()) for part in parts(entity.get_part(number))]
    kind = entity.get_content_type()
    described = {
        "kind": f"{kind.get_media_type()}/{kind.get_media_subtype()}".lower(),
        "filename": (entity.get_filename() if isinstance(entity, GMime.Part) else "") or "",
        "disposition": (entity.get_disposition() or "").lower(),
        "content": "",
        "text": "",
    }
    if isinstance(entity, GMime.Part) and entity.get_content():
        stream = GMime.StreamMem.new()
        entity.get_content().write_to_stream(stream)
        stream.flush()
        described["content"] = base64.b64encode(bytes(stream.get_byte_array() or b"")).decode()
    if isinstance(entity, GMime.TextPart):
        described["text"] = entity.get_text() or ""
    return [described]


def main() -> None:
    found: dict[str, Any] = {}
    for path in Path(sys.argv[1]).glob("*.eml"):
        try:
            found[path.stem] = letter(path.read_bytes())
        except Exception as error:  # what it cannot read it does not show
            found[path.stem] = {"error": repr(error)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

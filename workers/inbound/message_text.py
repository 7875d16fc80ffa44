"""A text as it comes in over SMTP or LMTP, up to its final dot: short ones in memory, longer ones in a file without a name."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable

from service.core import disk_reserve
from service.core.config import settings

SOME = 64 * 1024
"""In memory, of each connection: of its text, and of what waits to be read."""
LONGEST_LINE = 1024 * 1024
"""Longer than the 998 octets of RFC 5322 §2.1.1: what breaks the rule is stored and quarantined, for it may be a bounce."""
TOO_LONG = "500 5.6.0 A line is too long (RFC 5321 §4.5.3.1.6)"
TOO_MUCH = "552 5.3.4 This message is larger than we take"


NO_ROOM = "452 4.3.1 There is no room for mail now; come back later"


def place() -> tempfile.SpooledTemporaryFile[bytes]:
    """Where a text is kept until it is whole: on the disk that our reserve is measured on."""
    return tempfile.SpooledTemporaryFile(SOME, dir=str(settings().var_dir))


async def take_in(
    reader: asyncio.StreamReader, text: tempfile.SpooledTemporaryFile[bytes], most: int, still_comes: Callable[[], object]
) -> str:
    """Writes a text without its dots (RFC 5321 §4.5.2); returns the reply that refuses it, or "".

    What is refused is read to its end, too, since nobody would hear the answer before (RFC 5321 §4.2.5). `still_comes` is
    called after each 64 kB. Raises CancelledError where the connection ends.
    """
    refusal, size, of_line, told = "", 0, 0, 0
    while True:
        try:
            part = await reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError as more:
            part = await reader.read(more.consumed)
        if of_line == 0 and part == b".\r\n":
            return refusal
        written = part[1:] if of_line == 0 and part.startswith(b".") else part
        size, of_line = size + len(part), of_line + len(part)
        if not refusal and (size > most or of_line > LONGEST_LINE):
            refusal = TOO_MUCH if size > most else TOO_LONG
            text.truncate(0)
        if not refusal:
            text.write(written)
        if size - told > SOME:
            told = size
            still_comes()
            if not refusal and not disk_reserve.has_room_for_mail():
                refusal = NO_ROOM
                text.truncate(0)
        if part.endswith(b"\r\n"):
            of_line = 0

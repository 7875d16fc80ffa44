"""The true letter with a few of its bytes or lines changed by chance, which is the same chance each time."""

from __future__ import annotations

import random

from tests.rules.proof.test_forgeries import INNER, OUTER, TRUE

SNIPPETS = [
    b"\r\n", b"\n", b" ", b"\t", b";", b"=", b'"', b"--" + OUTER, b"--" + INNER, b"--" + OUTER + b"--", b"\x0c",
    b"\xc2\xa0", b"\x80", b"\x1f", b"(x)", b"\\", b"*", b"=?utf-8?q?x?=", b"=?utf-8?q?_?=", b"?=", b"=\r\n", b"=20", b"=0D",
    b"\r\n ", b"\r\n \r\n", b"\r\n\r\n", b": ", b",", b"'", b"<", b">", b"%20", b"/", b"A", b"charset=", b"name=x",
    b"filename=", b"boundary=", b"text/html", b"message/rfc822", b"multipart/mixed", b"base64", b"7bit", b"attachment",
    b"inline", b"utf-7", b"iso-8859-1", b"us-ascii",
]  # fmt: skip
LINES = [
    b"Content-Type: text/html", b"Content-Type: text/plain; charset=utf-7", b"MIME-Version: 2.0",
    b"Content-Disposition: inline", b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: 7bit",
    b"Content-Disposition: attachment; filename=x.html", b"Reply-To: evil@evil.example", b"Subject: x",
    b"From: x@y.example", b"To: x@y.example", b"X: y", b"Content-ID: <x>", b" ", b"\t", b"", b"--" + OUTER, b"--" + INNER,
    b"--" + OUTER + b" ", b"--" + OUTER + b"x", b"=", b"begin 644 x.txt", b"From x", b"Date: x", b"Message-ID: <x@y>",
    b"Content-Type:", b"Content-Disposition:", b"Content-Transfer-Encoding:", b"Subject :", b"=?utf-8?q?x?=",
]  # fmt: skip
INTERESTING_LINES = 45
"""Behind these stands the manifest in base64."""


def changed_letters(number: int, seed: int = 2047) -> list[bytes]:
    chance = random.Random(seed)
    return [_changed(chance) for _ in range(number)]


def _changed(chance: random.Random) -> bytes:
    lines = TRUE.split(b"\r\n")
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        at = chance.randrange(min(len(lines), INTERESTING_LINES))
        line = lines[at]
        place, flipped = chance.randrange(len(line) + 1), chance.choice((1, 32, 64, 128))
        lines[at : at + 1] = chance.choice(
            [
                [chance.choice(LINES), line],
                [chance.choice(LINES), line],
                [line, chance.choice(lines[:INTERESTING_LINES])],
                [],
                [line + chance.choice(SNIPPETS)],
                [line[:place] + chance.choice(SNIPPETS) + line[place:]],
                [line[:place] + chance.choice(SNIPPETS) + line[place:]],
                [line[:place] + line[place + chance.randint(1, 3) :]],
                [line[:place] + bytes(byte ^ flipped for byte in line[place : place + 1]) + line[place + 1 :]],
            ]
        )
    return b"\r\n".join(lines)

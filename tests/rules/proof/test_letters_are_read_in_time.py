"""A hostile letter given to the verifier costs no more than its size: no header makes reading it quadratic."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.rules.proof.test_forgeries import NL, TRUE, judged

GROWING: dict[str, Callable[[int], bytes]] = {
    "comments in a file's name": lambda size: b"Content-Disposition: attachment; filename=" + b"(a)" * size,
    "quotes in a file's name": lambda size: b"Content-Disposition: attachment; filename=" + b'"a"' * size,
    "pieces of a file's name": lambda size: (
        b"Content-Disposition: attachment" + b"".join(b"; filename*%d=a" % at for at in range(size))
    ),
    "parameters": lambda size: b"Content-Type: text/plain" + b"".join(b"; a%d=b" % at for at in range(size)),
    "backslashes": lambda size: b'Content-Type: text/plain; a="' + b"\\" * size * 2,
    "encoded words": lambda size: b"Subject: " + b"=?utf-8?q?a?= " * size,
    "spaces": lambda size: b"Message-ID:" + b" " * size * 3,
    "mailboxes": lambda size: b"To: " + b"a <b@example.org>, " * size,
    "folded lines": lambda size: b"Subject: a" + b"\r\n a" * size,
}


@pytest.mark.parametrize("what", GROWING)
def test_reading_takes_time_in_proportion_to_the_size(what: str) -> None:
    """A ratio, not a time: of four times the size, in processor time of this process alone, the best of three."""

    def seconds(size: int) -> float:
        content = TRUE.replace(NL * 2, NL + GROWING[what](size) + NL * 2, 1)
        began = time.process_time()
        judged({"letter.eml": content})
        return time.process_time() - began

    small, large = (min(seconds(size) for _ in range(3)) for size in (5_000, 20_000))
    assert large <= 8 * small + 0.02

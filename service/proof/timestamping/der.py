"""As much of DER (ITU-T X.690) as a timestamp needs: the parts of a value, one level at a time."""

from __future__ import annotations

from typing import NamedTuple

from service.proof.encoding import Unreadable

INTEGER, OCTETS, NULL, OID, TIME, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x06, 0x18, 0x30, 0x31
MOST = 1_000


class Value(NamedTuple):
    tag: int
    content: bytes
    whole: bytes
    """With its tag and length."""


def values(data: bytes) -> list[Value]:
    """The values that stand one behind the other. Raises Unreadable for what is no DER, or is longer than any of ours."""
    values_read: list[Value] = []
    at = 0
    while at < len(data):
        if len(values_read) == MOST or at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise Unreadable("it is no timestamp")
        size, start = data[at + 1], at + 2
        if size & 0x80:
            octets = size & 0x7F
            size, start = int.from_bytes(data[start : start + octets], "big"), start + octets
            if not 1 <= octets <= 4 or size < 0x80:
                raise Unreadable("it is no timestamp")
        if start + size > len(data):
            raise Unreadable("it is no timestamp")
        values_read.append(Value(data[at], data[start : start + size], data[at : start + size]))
        at = start + size
    return values_read


def inside(value: Value, tag: int = SEQUENCE) -> list[Value]:
    """The values in one of this tag."""
    if value.tag != tag:
        raise Unreadable("it is no timestamp")
    return values(value.content)


def written(tag: int, content: bytes) -> bytes:
    """A value with its tag and the shortest length that there is (X.690 §10.1)."""
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    length = octets if size < 0x80 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content

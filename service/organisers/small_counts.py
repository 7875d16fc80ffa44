"""Counts of people that tell nothing of any single person, for organisers who may not look at people.

Every count is told in whole steps of SMALLEST, rounded down, and one below it is not told at all. So two counts, of two
audiences or at two moments, differ by nothing or by at least SMALLEST: nobody is found by asking with and without them.
Administrators may look at the people themselves, which the audit notes; they see each count as it is.
"""

from __future__ import annotations

from service.organisers.roles import ADMINISTRATORS

SMALLEST = 5


def rounded(count: int) -> int:
    """The largest multiple of SMALLEST that is not above the count; 0 stands for "fewer than SMALLEST"."""
    return count - count % SMALLEST


def in_words(count: int, many: str = "people") -> str:
    """At least 1,230 people; fewer than 5 people."""
    return f"at least {rounded(count):,} {many}" if rounded(count) else f"fewer than {SMALLEST} {many}"


def for_role(count: int, role: str) -> int:
    """The number that an organiser with this role is told."""
    return count if role in ADMINISTRATORS else rounded(count)


def in_words_for_role(count: int, role: str, one: str = "person", many: str = "people") -> str:
    """1 person, 1,234 people for administrators; as `in_words` for others."""
    return f"{count:,} {one if count == 1 else many}" if role in ADMINISTRATORS else in_words(count, many)

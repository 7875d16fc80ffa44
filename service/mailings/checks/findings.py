"""What a check found in an update before it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Finding(NamedTuple):
    """`level` is ok, warning or serious. A serious one keeps the update from being approved."""

    name: str
    level: str
    said: str
    remedy: str = ""

    @property
    def serious(self) -> bool:
        return self.level == "serious"


Findings = Sequence[Finding]

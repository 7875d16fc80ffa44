"""Unsubscribed means now: the short form of `python -m tests.faults.leaving`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.leaving import race


def test_no_text_leaves_more_than_a_second_after_its_reader_did(tmp_path: Path) -> None:
    found = race(tmp_path / "site", readers=600, leavers=90, per_second=100)
    assert found.left == 90
    assert found.spared > 20  # the race was one
    assert found.late == 0, found

"""Answers as people and their programs write them, in tables: see the README beside this file."""

from __future__ import annotations

from pathlib import Path

from tests.inbound.post import DOMAIN
from tests.support.people import ANN

MARKS = {"{N}": "The Harbour Members' Network", "{A}": f"notices@{DOMAIN}", "{ME}": ANN["email"]}


def table(name: str) -> list[list[str]]:
    """The rows of one table, its marks filled in."""
    text = (Path(__file__).parent / f"{name}.tsv").read_text()
    for mark, value in MARKS.items():
        text = text.replace(mark, value)
    return [[_unescaped(field) for field in line.split("\t")] for line in text.splitlines()]


def _unescaped(field: str) -> str:
    return field.encode("latin-1", "backslashreplace").decode("unicode_escape")


HEADINGS, BLOCKS, DEVICES, YES, NO = (table(name) for name in ("headings", "blocks", "devices", "yes", "no"))

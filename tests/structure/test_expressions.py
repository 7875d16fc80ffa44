"""No regular expression that meets outside text takes more than linear time: all of them are read from the code, and tried.

Each is run on texts that are made of its own characters, repeated, with an end that does not fit: of one length, and of four
times that. What grows much faster than the text is quadratic or worse. Where the code bounds what meets it, that is its length.
"""

from __future__ import annotations

import ast
import importlib
import re
import re._parser as parser  # type: ignore[import-not-found]  # the standard library's own, which has no stub
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from service.text import diff
from tests.conftest import ROOT

LENGTH = 1_000
TIMES = 4
GROWS = 10
"""A linear one grows four times with a text four times as long, a quadratic one sixteen times."""
FAINT = 200
"""So many times what it costs to look at each character once is nothing yet that grows."""
SEARCHING = {"search", "findall", "finditer", "sub", "subn", "split"}
METHODS = SEARCHING | {"match", "fullmatch"}
BOUNDED = {
    "service.mailings.checks.link_texts.SHOWN_ADDRESS": 1_000,
    "service.inbound.bounces.ADDRESS": 500,
    "service.inbound.reply_patterns.VARIES": 1_000,
    "service.text.redact.ADDRESS": 2_000,
    "service.core.logs.ADDRESS": 2_000,
    "service.mailings.checks.all_checks.QUOTED": 2_000,
    "service.text.characters.scripts._SCRIPT": 100,
    "service.inbound.parsing.replies.auto_replies.FORWARDED": 500,
    "service.notices.source_file.SLUG": 100,
    "service.text.person_names.SLUG": 100,
}  # fmt: skip
"""How long a text is at most that meets it, where that is less than what is tried here."""


def modules() -> list[str]:
    paths = [path for base in ("service", "workers") for path in sorted((ROOT / base).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if "migrations" not in path.parts]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def expressions() -> dict[str, re.Pattern[Any]]:
    """Every compiled expression of a module, and every one that is written where it is used."""
    found: dict[str, re.Pattern[Any]] = {}
    for name in modules():
        module = importlib.import_module(name)
        for key, value in vars(module).items():
            for place, one in value.items() if isinstance(value, dict) else [("", value)]:
                if isinstance(one, re.Pattern):
                    found[f"{name}.{key}{f'[{place}]' if place != '' else ''}"] = one
        for node in ast.walk(ast.parse(Path(module.__file__ or "").read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re":
                written = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                if isinstance(written, (str, bytes)) and node.func.attr in METHODS:
                    found[f"{name}:{node.lineno} {node.func.attr}"] = re.compile(written)
    return found


def methods() -> dict[str, set[str]]:
    """By the name of an expression, how it is used anywhere."""
    used: dict[str, set[str]] = {}
    for name in modules():
        path = Path(importlib.import_module(name).__file__ or "")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                used.setdefault(ast.unparse(node.func.value).split("[")[0].split(".")[-1], set()).add(node.func.attr)
    return used


EXPRESSIONS, USED = expressions(), methods()


def run(name: str, expression: re.Pattern[Any]) -> Callable[[Any], object]:
    """As the code uses it; where that is not known, as a search, which is the hardest."""
    written = name.partition(" ")[2]
    how = {written} if written else USED.get(name.split("[", maxsplit=1)[0].rpartition(".")[2], {"search"})
    if how & SEARCHING:
        return lambda text: next(expression.finditer(text), None)
    return expression.fullmatch if how == {"fullmatch"} else expression.match


def characters(parsed: Any) -> Iterator[str]:
    """The literals of an expression, and one of each of its classes."""
    for operation, value in parsed:
        match str(operation):
            case "LITERAL" | "NOT_LITERAL":
                yield chr(value)
            case "IN":
                yield from (
                    chr(one if str(kind) == "LITERAL" else one[0]) for kind, one in value if str(kind) in {"LITERAL", "RANGE"}
                )
                yield from (
                    {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(one), "a")
                    for kind, one in value
                    if str(kind) == "CATEGORY"
                )
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from characters(value[2])
            case "SUBPATTERN":
                yield from characters(value[3])
            case "BRANCH":
                for branch in value[1]:
                    yield from characters(branch)
            case "ASSERT" | "ASSERT_NOT":
                yield from characters(value[1])


def hostile(expression: re.Pattern[Any]) -> list[str]:
    own = list(dict.fromkeys([*characters(parser.parse(expression.pattern, expression.flags)), "a", " ", "0"]))[:12]
    return [*own, *("".join(pair) for pair in product(own[:8], repeat=2))]


def seconds(call: Callable[[Any], object], text: str | bytes) -> float:
    began = time.process_time()
    call(text)
    return time.process_time() - began


def test_there_are_expressions_to_try() -> None:
    assert len(EXPRESSIONS) > 150


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_linear_or_bounded(name: str) -> None:
    expression = EXPRESSIONS[name]
    call, longest = run(name, expression), BOUNDED.get(name, LENGTH * TIMES)
    looked_at = re.compile("[^\x01]*\x01")
    for part in hostile(expression):
        texts = [(part * length)[:length] + "\x00" for length in (longest // TIMES, longest)]
        short, long = (text.encode("latin-1", "ignore") if isinstance(expression.pattern, bytes) else text for text in texts)
        faint = FAINT * max(seconds(looked_at.match, "a" * longest), 1e-6)
        if seconds(call, long) < faint:
            continue
        ratios: list[float] = []
        while len(ratios) < 6 and min(ratios, default=GROWS) >= GROWS:
            before = max(min(seconds(call, short) for _ in range(3)), 1e-7)
            ratios.append(min(seconds(call, long) for _ in range(2)) / before)
        assert min(ratios) < GROWS or name in BOUNDED, (part, [round(ratio, 1) for ratio in ratios])


@pytest.mark.parametrize("text", ["a ", "a\n", "ab cd ", "x\n\n", "word ", "- "])
def test_comparing_two_versions_is_bounded_whatever_they_say(text: str) -> None:
    """The same few words again and again, which cost most: word by word it took more than a minute."""
    old, new = text * 25_000, f"b {text * 25_000}"
    pieces = diff.between(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new

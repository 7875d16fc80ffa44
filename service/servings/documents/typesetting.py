"""Has a document set, here or in a process of its own; what cannot be set as it should be is set as plain text.

What fails then has no PDF, which whoever asked is told by an exception, never by an error that comes again and again.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from service.core.config import settings
from service.servings.documents.pdf_compiler import IN_ALPHABETS, Content, NotSet, Typeset, as_typed, compile_content, plain

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def typeset(content: Content, served_at: datetime, *, apart: bool = False) -> Typeset:
    """The document as a PDF. Raises NotSet.

    Anything but a short text in alphabets is set in a process of its own (also with `apart`): its memory ends with it, and
    whatever happens there happens to it alone.
    """
    here = not apart and IN_ALPHABETS.fullmatch(json.dumps(content, ensure_ascii=False))
    ways: tuple[Callable[[], Typeset], ...] = (
        lambda: _compile_here(content, served_at) if here else _compile_apart(content, served_at),
        lambda: _compile_apart(as_typed(content), served_at),
        lambda: _compile_apart(plain(as_typed(content)), served_at),
    )
    for way in ways:
        try:
            return way()
        except Exception as error:  # whatever it is: a letter to officials never waits for its PDF
            log.warning("a document could not be set: %s", type(error).__name__)
    raise NotSet


def _compile_here(content: Content, served_at: datetime) -> Typeset:
    try:
        return compile_content(content, served_at)
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # typst gave up; to Python that is no Exception
            raise NotSet from error
        raise


def _compile_apart(content: Content, served_at: datetime) -> Typeset:
    """Sets it in a process that is ended when it takes longer than PDF_SECONDS."""
    command = [sys.executable, "-m", "service.servings.documents.pdf_process"]
    job = json.dumps({"content": content, "served_at": served_at.isoformat()}).encode()
    process = subprocess.run(
        command, input=job, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, cwd=ROOT,
        timeout=settings().pdf_seconds,
    )  # fmt: skip
    head, _, pdf = process.stdout.partition(b"\n")
    return Typeset(pdf, tuple(json.loads(head)))

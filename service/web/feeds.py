"""How a feed is answered."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template

from service.text.characters import control


def atom(template: str, **context: Any) -> Response:
    """An Atom document (RFC 4287), well formed whatever stands in the texts that it holds (XML 1.0 §2.2)."""
    document = control.clean(render_template(template, **context))
    return Response(document, content_type="application/atom+xml; charset=utf-8")

"""What search engines may keep: pages that name nobody who signed. All others say noindex, whoever links to them."""

from __future__ import annotations

from flask import Response, request

INDEXED = frozenset({
    "notices.sign_form", "notices.canonical", "notices.register", "notices.register_feed", "lists.form",
    "news.index", "news.show", "news.feed", "proof.form",
    "pages.privacy", "pages.imprint", "pages.accessibility", "complaints.form", "static",
})  # fmt: skip
"""The front page and a notice's own page show the names that came last."""


def keep_names_out(response: Response) -> Response:
    """For every answer. A header, since it holds for files and pages alike."""
    if request.endpoint not in INDEXED:
        response.headers.setdefault("X-Robots-Tag", "noindex")
    return response

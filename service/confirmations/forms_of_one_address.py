"""A letter may ask about several forms that were filled in with one address: its link lists them, and one is confirmed."""

from __future__ import annotations

from service.errors import Refused
from service.models import Request, RequestItem

MOST = 10
"""Forms that one letter asks about: a stranger who fills in more pushes out the oldest of them."""


def moved(item: RequestItem) -> RequestItem:
    """The same wish in a newer letter, as one of an earlier form."""
    return RequestItem(signature=item.signature, subscription=item.subscription, details=item.details, form=item.form + 1)


def forms(request: Request) -> dict[int, list[RequestItem]]:
    """What each form asked, the newest first; those are left out that ask the same as a newer one."""
    items_by_form: dict[int, list[RequestItem]] = {}
    for item in sorted(request.items, key=lambda item: (item.form, item.id or 0)):
        items_by_form.setdefault(item.form, []).append(item)
    seen: list[list[tuple[int | None, int | None, dict[str, str]]]] = []
    for number, items in list(items_by_form.items()):
        asked = [(item.signature_id, item.subscription_id, item.details) for item in items]
        if asked in seen:
            del items_by_form[number]
        seen.append(asked)
    return items_by_form


def choose(request: Request, number: int | None) -> None:
    """Keeps what one form asked; `number` None: it is the only one. Raises Refused where one must be chosen."""
    items_by_form = forms(request)
    if number is None and len(items_by_form) > 1:
        raise Refused("Several forms were filled in with your address. Choose which of them was yours.")
    if number is not None and items_by_form and number not in items_by_form:
        raise Refused("Choose one of the forms.")
    chosen = items_by_form.get(number if number is not None else next(iter(items_by_form), 0), [])
    request.items = [item for item in request.items if item in chosen]

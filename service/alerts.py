"""What is wrong now, in words: for /readyz, the dashboard, and a webhook that still works where mail broke."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from service import health
from service.db import reading
from service.models import Mailing


def problems() -> dict[str, str]:
    """Each thing that is wrong, and what; numbers, never an address or a name."""
    found = {part: said for part, said in health.parts().items() if said != "ok"}
    try:
        with reading() as session:
            paused = session.scalars(select(Mailing).where(Mailing.state == "paused").order_by(Mailing.id))
            found |= {f"mailing {one.id}": f"paused because {_bare(one.paused_because)}" for one in paused}
    except SQLAlchemyError:
        found["database"] = "cannot be read"
    return found


def _bare(said: str) -> str:
    """A server's words without the addresses in them."""
    return " ".join("…@…" if "@" in word else word for word in said.split())

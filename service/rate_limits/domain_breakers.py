"""When letters that anybody can ask for go to a receiving domain no more for now: it refuses them, or nobody there confirms.

Somebody who fills in forms with invented addresses makes us write to them; a domain where that happens is left in peace. One
from which people do confirm is never kept waiting: a stranger could stop its signers by inventing addresses there.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.models import Day, OutcomeCount

FEWEST_REFUSED = 20
REFUSED_SHARE = 80
"""Per cent of what was answered today and yesterday."""
FEWEST_ASKED = 100
"""Letters of today and the three days before that nobody answered by a press."""
SILENT_SHARE = 80
"""Per cent of all letters of these days: a campaign of honest people is answered by more than a fifth of them."""
LOOK_AGAIN = timedelta(hours=1)


def is_open(session: Session, host: str, now: datetime) -> bool:
    """Whether letters to this domain wait; asked when one is stored, and again when it is to leave."""
    asked, confirmed = _asked(session, host, now)
    return not confirmed and (asked >= FEWEST_ASKED or _refuses(session, host, now))


def waits_with_all(session: Session, host: str, now: datetime) -> bool:
    """Whether a letter waits for once, because of all together: so many that nobody answered, and none from there that was."""
    return nobody_answers(session, now) > 0 and _asked(session, host, now)[1] == 0


def nobody_answers(session: Session, now: datetime) -> int:
    """How many letters of these four days nobody answered, where they are many and nearly all; else 0."""
    counted = select(func.sum(Day.requested), func.sum(Day.confirmed)).where(Day.day.in_(_days(now)))
    asked, confirmed = (int(number or 0) for number in session.execute(counted).one())
    silent = asked - confirmed
    return silent if silent >= settings().limit_unanswered and silent * 100 >= asked * SILENT_SHARE else 0


def _asked(session: Session, host: str, now: datetime) -> tuple[int, int]:
    counted = select(func.sum(Day.requested), func.sum(Day.confirmed)).where(Day.day.in_(_days(now)), Day.domain == host)
    asked, confirmed = session.execute(counted).one()
    return int(asked or 0), int(confirmed or 0)


def _days(now: datetime) -> list[date]:
    return [(now - timedelta(days=back)).date() for back in range(4)]


def _refuses(session: Session, host: str, now: datetime) -> bool:
    days = [f"{now - timedelta(days=back):%Y-%m-%d} {host}" for back in (0, 1)]
    counted = select(func.sum(OutcomeCount.settled), func.sum(OutcomeCount.hard))
    counted = counted.where(OutcomeCount.scope == "domain", OutcomeCount.subject.in_(days))
    settled, hard = session.execute(counted).one()
    return int(hard or 0) >= FEWEST_REFUSED and int(hard) * 100 >= int(settled or 0) * REFUSED_SHARE

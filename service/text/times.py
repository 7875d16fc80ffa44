"""Times as organisers enter and read them: in their own zone, daylight saving right."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from service.errors import Refused


def entered(day: str, clock: str, zone: str) -> datetime | None:
    """A date and a time of day in a zone, as UTC; None where both are empty. Raises Refused.

    An hour that the clocks leave out does not exist; of one that they go through twice the first is meant.
    """
    day, clock = day.strip(), clock.strip()
    if not day and not clock:
        return None
    try:
        local = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        raise Refused(send_day="Enter both: a date as 2026-11-30 and a time as 18:30; or leave both empty.") from None
    at = local.astimezone(UTC)
    if at.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise Refused(send_time=f"There is no {clock} on {day} in {zone}: the clocks go forward over it. Choose another time.")
    return at


def shown(at: datetime, zone: str) -> str:
    """28 March 2027, 18:30 GMT."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%B %Y, %H:%M} {local.tzname()}"


def fields(at: datetime | None, zone: str) -> dict[str, str]:
    """The same as the form's fields."""
    local = at.astimezone(ZoneInfo(zone)) if at else None
    return {"send_day": f"{local:%Y-%m-%d}" if local else "", "send_time": f"{local:%H:%M}" if local else ""}

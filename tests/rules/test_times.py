"""Times as organisers enter them: daylight saving right, and no time that there is not."""

from __future__ import annotations

from datetime import datetime

import pytest

from service.errors import Refused
from service.text import times

TIMES = [
    ("2027-03-27", "18:30", "2027-03-27T18:30:00+00:00"),  # the day before the clocks go forward
    ("2027-03-28", "18:30", "2027-03-28T17:30:00+00:00"),
    ("2027-10-31", "01:30", "2027-10-31T00:30:00+00:00"),  # twice on this day: the first is meant
    ("2027-10-31", "02:30", "2027-10-31T02:30:00+00:00"),
]


@pytest.mark.parametrize(("day", "clock", "utc"), TIMES)
def test_daylight_saving_is_right(day: str, clock: str, utc: str) -> None:
    at = times.entered(day, clock, "Europe/London")
    assert at == datetime.fromisoformat(utc)
    assert at is not None
    assert times.fields(at, "Europe/London") == {"send_day": day, "send_time": clock}


@pytest.mark.parametrize(("day", "clock"), [("2027-03-28", "01:30"), ("2027-03-28", ""), ("", "01:30"), ("soon", "18:30")])
def test_times_that_there_are_not_are_refused(day: str, clock: str) -> None:
    with pytest.raises(Refused):
        times.entered(day, clock, "Europe/London")

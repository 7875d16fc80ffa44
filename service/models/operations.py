"""What goes wrong while the service runs: jobs that failed, and which problems organisers have been told of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from service.models.base import Base, Ref


class Failure(Base):
    """A job, or a duty of the clock, that failed and has not succeeded since. Redis forgets; this row does not."""

    __tablename__ = "failures"
    job: Mapped[str] = mapped_column(primary_key=True)
    """"serve", "deliver", …; of the clock the name of its duty, "report" for one mailing's."""
    row_id: Mapped[int] = mapped_column(Ref, primary_key=True)
    """The row that it worked on; 0 for a duty that has none."""
    count: Mapped[int]
    """How often in a row."""
    kind: Mapped[str]
    """What failed, as service/operations/failures.py sorts it: "database", "files", …"""
    place: Mapped[str]
    """The error's class and place in the program. Its own words may quote an address or a name, and are not kept."""
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class ToldProblem(Base):
    """A problem that organisers are told of by e-mail, once; kept for a while after its end, because some come and go."""

    __tablename__ = "told_problems"
    key: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]
    """When it was seen first."""
    told_at: Mapped[datetime | None]
    over_at: Mapped[datetime | None] = mapped_column(index=True)

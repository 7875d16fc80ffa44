"""Every state machine as a table, each state with its sentence; the only code that writes a `.state`.

Rules: a state changes only along an arrow of its table. `move` is for a row in hand; `claim` is for work that others may want
too: it changes the row in the database if it is still where we think, and says whether it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, bindparam, text, update
from sqlalchemy.orm import Session

from service import models as m
from service.models.base import UTCDateTime

MESSAGE = {
    "queued": {"sending", "refused", "suppressed", "cancelled", "expired"},  # waits for its time and a worker
    "sending": {"queued", "accepted", "refused", "suppressed", "cancelled", "expired", "unsure"},  # leased by a worker
    "accepted": {"bounced", "complained"},  # a mail server took it
    "bounced": {"complained"},  # a mail server took it and gave it back
    "complained": set(),  # its reader called it spam
    "refused": set(),  # a mail server will never take it
    "suppressed": set(),  # we must not write to this address
    "cancelled": set(),  # an organiser stopped it
    "expired": set(),  # it waited too long to be worth sending
    "unsure": {"queued", "accepted", "bounced"},  # a letter to an official whose final answer was lost
}
SIGNATURE = {
    "pending": {
        "confirmed",
        "withdrawn",
    },  # asked for; counts for nothing. Not confirmed in time, who had withdrawn has withdrawn
    "confirmed": {"withdrawn", "struck"},  # counted
    "withdrawn": {"pending", "confirmed"},  # taken back; may be given again, and its signer may undo what organisers did
    "struck": {"withdrawn"},  # two organisers called it false or abusive; whoever objected with reason may sign again
}
SUBSCRIPTION = {
    "pending": {"confirmed", "left"},  # asked for; gets no update. Not confirmed in time, who had left has left
    "confirmed": {"left"},  # gets the updates
    "left": {"pending", "confirmed"},  # said no; may ask again
}
NOTICE = {
    "rehearsal": {"live"},  # its letters go to its organisers
    "live": {"closed"},  # in force: open for signatures, served on its officials
    "closed": set(),  # no more signatures, no more servings
}
SERVING = {
    "due": {"started", "stopped"},  # waits its minutes, so that somebody can stop it
    "started": {"written", "stopped"},  # its cut-off is taken; its documents are being made
    "written": set(),  # each official's letter is a message row
    "stopped": set(),  # an organiser stopped it before its letters were written
}
MAILING = {
    "draft": {"submitted", "cancelled"},  # being written
    "submitted": {"draft", "approved", "cancelled"},  # waits for a second organiser
    "approved": {"draft", "sending", "cancelled"},  # frozen by its hash; can be recalled until it goes
    "sending": {"paused", "sent", "cancelled"},  # its messages are on their way
    "paused": {"sending", "cancelled"},  # held; goes on where it stopped
    "sent": set(),  # every message is settled
    "cancelled": set(),  # stopped for good
}
PROPOSAL = {
    "open": {"approved", "refused"},  # waits for a second organiser
    "approved": set(),  # done as it was proposed
    "refused": set(),  # will not be done
}
IMPORT = {
    "mapping": {"judging", "dropped"},  # sent; its columns are not told apart yet
    "judging": {"judged", "failed", "dropped"},  # a worker reads the file and stores nothing
    "judged": {"taking", "dropped"},  # waits for the organiser, who has seen its bad lines
    "taking": {"done", "failed", "dropped"},  # a worker adds its good lines
    "done": set(),
    "failed": set(),  # the file could not be read, or not to its end
    "dropped": set(),  # the organiser thought again
}
COMPLAINT = {
    "open": {"answered"},  # acknowledged; an answer is due in 30 days
    "answered": set(),
}
BRAKE = {
    "open": {"judged"},  # whoever fails there is held, until an organiser has looked
    "judged": set(),  # each cause has its verdict
}
ARRIVAL = {
    "waiting": {"reading"},  # stored; its sender was told 250
    "reading": {"waiting", "done", "quarantined"},  # leased by a worker
    "done": set(),  # what it asked for has happened, or stands on an organiser's page
    "quarantined": {"done", "waiting"},  # cannot be read safely, or killed whoever tried; an organiser decides
}

MACHINES: dict[type[m.Base], dict[str, Any]] = {
    m.Message: MESSAGE,
    m.Signature: SIGNATURE,
    m.Subscription: SUBSCRIPTION,
    m.Notice: NOTICE,
    m.Serving: SERVING,
    m.Mailing: MAILING,
    m.Complaint: COMPLAINT,
    m.Proposal: PROPOSAL,
    m.Arrival: ARRIVAL,
    m.Import: IMPORT,
    m.Brake: BRAKE,
}


class NotThatWay(RuntimeError):
    """An arrow that the table does not have."""


def check(model: type[m.Base], before: str, after: str) -> None:
    if after not in MACHINES[model][before]:
        raise NotThatWay(f"a {model.__name__} cannot go from {before} to {after}")


def move(row: Any, after: str) -> None:
    """Moves a row in hand. Raises NotThatWay."""
    check(type(row), row.state, after)
    row.state = after


def claim(session: Session, model: type[Any], before: str, after: str, *where: ColumnElement[bool], **values: Any) -> int:
    """Moves the rows that still are in `before`; returns how many were. Zero means: somebody else has it, go home."""
    check(model, before, after)
    statement = update(model).where(model.state == before, *where).values(state=after, **values)
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast(CursorResult[Any], result).rowcount


def claim_returning(
    session: Session, model: type[Any], before: str, after: str, ids: Any, columns: Iterable[Any], **values: Any
) -> list[Any]:
    """As `claim`, for the rows whose id stands in `ids`; returns the columns asked for of those that moved."""
    check(model, before, after)
    statement = update(model).where(model.state == before, model.id.in_(ids)).values(state=after, **values)
    return list(session.execute(statement.returning(*columns).execution_options(synchronize_session=False)))


def settle_many(
    session: Session, before: str, after: str, lease: str, answers: list[tuple[int, int | None, str]], at: datetime
) -> int:
    """Moves many messages at once that are still leased by `lease`, each with its reply; returns how many were.

    answers: [(message id, reply code, reply text), …], handed over as one JSON document: one statement, one parameter for all.
    """
    check(m.Message, before, after)
    rows = SQLITE_ROWS if session.get_bind().dialect.name == "sqlite" else POSTGRESQL_ROWS
    statement = text(SETTLE.format(rows=rows)).bindparams(bindparam("at", type_=UTCDateTime()))
    values = {"before": before, "after": after, "lease": lease, "at": at, "answers": json.dumps(answers)}
    return cast(CursorResult[Any], session.execute(statement, values)).rowcount


SETTLE = """
UPDATE messages SET state = :after, reply_code = answer.code, reply_text = answer.text, settled_at = :at,
concern = NULL, lease = NULL, leased_until = NULL FROM ({rows}) AS answer
WHERE messages.id = answer.id AND messages.lease = :lease AND messages.state = :before
"""
SQLITE_ROWS = """
SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS code, json_extract(value, '$[2]') AS text
FROM json_each(:answers)
"""
POSTGRESQL_ROWS = """
SELECT (value->>0)::bigint AS id, (value->>1)::int AS code, value->>2 AS text
FROM json_array_elements(CAST(:answers AS json))
"""

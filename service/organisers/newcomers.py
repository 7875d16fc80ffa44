"""Who was made an organiser lately approves nothing yet: else one administrator could invite a second self and be two."""

from __future__ import annotations

from datetime import datetime, timedelta

from service.core.config import settings
from service.errors import Refused
from service.models import Organiser
from service.text import times


def refuse(approver: Organiser, author_id: int | None, written_at: datetime, now: datetime) -> None:
    """Raises Refused in the first NEWCOMER_HOURS, and for what their inviter wrote in that time.

    Organisers who were made by a command, as the first two are, were invited by nobody.
    """
    if approver.invited_by_id is None or approver.role_since is None:
        return
    until = approver.role_since + timedelta(hours=settings().newcomer_hours)
    if now < until:
        raise Refused(f"You can approve from {times.shown(until, approver.zone)} on, a day after you were given your role.")
    if author_id == approver.invited_by_id and written_at < until:
        raise Refused("Somebody else must approve this: whoever invited you wrote it when you were new.")

"""Who may do what in the studio: one table, view → roles. What does not stand here is open to nobody.

Acts that cannot be undone, and looking at people, want the second factor again (`again`) where it was not shown in the last
ten minutes; looking at people stands in the audit as well. Below administrator there are numbers, never names or addresses of
people. A test lets each role try every route.
"""

from __future__ import annotations

from typing import NamedTuple

from service.organisers.roles import ADMINISTRATORS, APPROVERS, EVERYBODY


class May(NamedTuple):
    roles: frozenset[str]
    again: bool = False


AUTHORS = May(EVERYBODY)
APPROVING = May(APPROVERS, again=True)
STOPPING = May(APPROVERS)
LOOKING_AFTER = May(ADMINISTRATORS)
CHANGING = May(ADMINISTRATORS, again=True)
LOOKING_AT_PEOPLE = May(ADMINISTRATORS, again=True)

MAY: dict[str, May] = {
    "account.second_factor": AUTHORS,
    "account.show_second_factor": AUTHORS,
    "account.offer_second_factor": AUTHORS,
    "account.set_up_second_factor": AUTHORS,
    "account.show": AUTHORS,
    "account.end_session": AUTHORS,
    "account.end_other_sessions": AUTHORS,
    "account.set_zone": AUTHORS,
    "account.set_password": May(EVERYBODY, again=True),
    "account.new_recovery_codes": May(EVERYBODY, again=True),
    "organise.dashboard": AUTHORS,
    "organise.sign_out": AUTHORS,
    "organise.stop_serving": AUTHORS,
    "organise.looked_at": APPROVING,
    "organise.strike_group": CHANGING,
    "organise.complaint": LOOKING_AT_PEOPLE,
    "organise.answered": LOOKING_AFTER,
    "problems.act try serving": AUTHORS,
    "problems.act stop serving": AUTHORS,
    "problems.act try letters": STOPPING,
    "problems.act stop letters": STOPPING,
    "problems.act try mailing": AUTHORS,
    "problems.act stop mailing": AUTHORS,
    "problems.act try import": LOOKING_AFTER,
    "problems.act stop import": LOOKING_AFTER,
    "problems.act try arrival": LOOKING_AFTER,
    "problems.act stop arrival": LOOKING_AFTER,
    "problems.act try report": AUTHORS,
    "organise_notices.index": AUTHORS,
    "organise_notices.show": AUTHORS,
    "organise_notices.act": AUTHORS,
    "organise_notices.act serve": APPROVING,
    "organise_notices.act demand": STOPPING,
    "organise_notices.act schedule": AUTHORS,
    "organise_notices.act live": AUTHORS,
    "organise_notices.act close": APPROVING,
    "organise_notices.decide": AUTHORS,
    "organise_notices.decide approve": APPROVING,
    "organise_notices.decide refuse": AUTHORS,
    "organise_notices.serving": AUTHORS,
    "organise_notices.settle": STOPPING,
    "organise_notices.chain": APPROVING,
    "organise_notices.all_officials": AUTHORS,
    "organise_notices.propose_official": CHANGING,
    "organise_notices.propose_fallback": CHANGING,
    "organise_notices.remove_official": CHANGING,
    "organise_notices.hold_official": STOPPING,
    "organise_notices.choose_counts": STOPPING,
    "inbox.show": LOOKING_AT_PEOPLE,
    "inbox.message": LOOKING_AT_PEOPLE,
    "inbox.act": LOOKING_AFTER,
    "inbox.act put away": LOOKING_AFTER,
    "inbox.act give up": CHANGING,
    "writing.new": AUTHORS,
    "writing.create": AUTHORS,
    "updates.update": AUTHORS,
    "writing.count": AUTHORS,
    "writing.count_again": AUTHORS,
    "updates.preview": AUTHORS,
    "updates.version": AUTHORS,
    "updates.act": AUTHORS,
    "writing.edit": AUTHORS,
    "writing.save": AUTHORS,
    "updates.act test": AUTHORS,
    "updates.act submit": AUTHORS,
    "updates.act take back": AUTHORS,
    "updates.act send": APPROVING,
    "updates.act recall": AUTHORS,
    "updates.act pause": AUTHORS,
    "updates.act resume": STOPPING,
    "updates.act cancel": APPROVING,
    "updates.act again": AUTHORS,
    "brakes.show": AUTHORS,
    "brakes.decide": APPROVING,
    "brakes.lift": APPROVING,
    "people.search_form": LOOKING_AFTER,
    "people.search": LOOKING_AT_PEOPLE,
    "people.person": LOOKING_AT_PEOPLE,
    "people.act": CHANGING,
    "people.lift": CHANGING,
    "moderation.act": CHANGING,
    "imports.files": LOOKING_AFTER,
    "imports.upload": CHANGING,
    "imports.show": LOOKING_AFTER,
    "imports.act": CHANGING,
    "imports.bad_lines": CHANGING,
    "team.team": LOOKING_AFTER,
    "team.add": CHANGING,
    "team.act": CHANGING,
    "team.entries": LOOKING_AFTER,
    "team.export": CHANGING,
    "reports.report": AUTHORS,
    "reports.outcomes": LOOKING_AT_PEOPLE,
    "reports.export": LOOKING_AT_PEOPLE,
}
"""Of a view with several buttons, each has its own line: `updates.act` and the button's `act`."""

WITHOUT_SECOND_FACTOR = frozenset({
    "account.second_factor", "account.show_second_factor", "account.offer_second_factor", "account.set_up_second_factor",
    "organise.sign_out",
})  # fmt: skip
"""What somebody can do who signed in and has not shown the second factor yet."""

"""Sample content for a first look: a live notice, fictional officials at nec.example, a list, some signatures."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations.consents import record_consent
from service.models import MailingList, Notice, Official, Signature
from service.notices import publishing, source_file
from service.text import person_names
from service.text.email_addresses import mailbox

NOTICE = source_file.Source(
    title="We will not cooperate until our officers are back",
    slug="until-our-officers-are-back",
    addressed_to="the Leader and the National Executive Committee",
    published_by="The Harbour Members' Network (sample)",
    published_on=date(2026, 11, 2),
    body="""\
We, members of the party, put our names to five demands:

- give the whip back to the member from whom it was taken;
- take back every member who was suspended or expelled without good cause since the present general secretary came in;
- look again at all suspensions and expulsions that the leadership before imposed;
- rebuild from the ground up the way in which complaints and discipline are handled, which is broken;
- let local parties talk about, and vote on, whatever political question they choose, from today.

As long as these stand open, we will not cooperate with the general secretary, the regional officials and the legal unit, and
we will follow no instruction of theirs that we find unjust.

We act together and at once, for those of us who were punished for doing their duty.
""",
    milestones=(1, 10, 100, 1_000, 10_000, 100_000),
    wait_minutes=0,
)
OFFICIALS = (
    ("Leader of the Party", "Rowan Ashby", "leader@nec.example"),
    ("General Secretary", "Morgan Fell", "general.secretary@nec.example"),
    ("Chair of the National Executive Committee", "Jamie Thornhill", "chair@nec.example"),
)
SIGNERS = (
    ("Ada Whitlock", "Harbour North", "secretary", "public"),
    ("Bilal Osman", "Harbour North", "", "public"),
    ("Carys Pugh", "Valley", "chair", "public"),
    ("Dermot Keane", "Valley", "", "officials"),
    ("Esme Fairweather", "", "", "count"),
)


def plant(session: Session, now: datetime) -> bool:
    """Fills an empty database. False, and nothing is changed, where there is a notice already."""
    if session.scalar(select(Notice.id).limit(1)) is not None:
        return False
    session.add(MailingList(slug="updates", title="Updates", description="What happens next with our notices.", created_at=now))
    for office, name, email in OFFICIALS:
        session.add(Official(office=office, name=name, email=email, source="sample", verified_on=now.date(), added_at=now))
    session.flush()
    notice = publishing.take_in(session, NOTICE, now)
    edition = publishing.publish(session, notice.slug, now)
    for number, (name, clp, office, display) in enumerate(SIGNERS, 1):
        email = f"{person_names.key(name).replace(' ', '.')}@example.org"
        session.add(
            Signature(
                edition_id=edition.id, email=email, mailbox=mailbox(email), name=name, name_key=person_names.key(name), clp=clp,
                office=office, display=display, state="confirmed", sequence=number, created_at=now, confirmed_at=now,
            )
        )  # fmt: skip
        record_consent(session, mailbox(email), f"sign:{edition.hash}", "imported", "import", "sample content", now)
    edition.count = edition.last_sequence = len(SIGNERS)
    return True

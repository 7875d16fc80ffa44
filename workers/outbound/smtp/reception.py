"""How mail servers receive us during one shift: what their answers say of us, told apart from what they say of readers.

One answer decides nothing. Several in a row, between which nothing was taken, end the shift; whether the mailing then waits or
pauses is decided once their number is known. Only a code by which a provider turns the sender away needs no second one.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.outbound.smtp import smtp_replies
from workers.outbound.smtp.outcome import Answer

IN_A_ROW = 5
DOMAINS = 3
"""Of what is said of us once a recipient was named, so many receiving domains speak for all."""
OF_ONE_DOMAIN = 50
"""A list may begin with so many readers of one domain; then those behind them are asked first."""
ABOUT = {
    "sender": "our mail server refuses us as the sender", "text": "our mail server refuses what it says",
    "server": "our mail server is in trouble",
}  # fmt: skip


@dataclass(frozen=True)
class Objection:
    """Why nothing more should leave now, in words that follow "because"."""

    because: str
    kind: str | None = None
    """What is waited for, as service/operations/failures.py sorts it; None: an organiser has to look."""


class Reception:
    """What was heard so far.

    taken_before: servers took copies of this mailing in earlier shifts. probing: they took nothing in the last one.
    """

    def __init__(self, connections: int, *, taken_before: bool, probing: bool) -> None:
        self.probing = probing
        self.limit = max(IN_A_ROW, connections + 1)  # one trouble may hit all connections at once
        self.row: list[Answer] = []
        self.domains: set[str] = set()
        self.put_off: Answer | None = None
        self.named: Answer | None = None
        """What turned the sender away by its code."""
        self.taken, self.taken_before = False, taken_before

    def take(self) -> None:
        """A server took a copy."""
        self.taken = True
        if self.row:
            self.row.clear()
            self.domains.clear()

    def hear(self, answer: Answer, receiving_domain: str) -> None:
        """Any other answer; what is about its reader alone says nothing of us."""
        if answer.concern is None:
            self.put_off = answer if answer.verdict == "later" else self.put_off
            return
        self.row.append(answer)
        self.domains.add(receiving_domain)
        if answer.verdict == "turned_away" and smtp_replies.names_sender(answer.text):
            self.named = answer

    @property
    def objects(self) -> bool:
        """Whether to stop now."""
        if not self.row:  # asked once in each turn of the loop
            return self.named is not None
        return self.named is not None or (len(self.row) >= self._enough and self._speaks_of_all(OF_ONE_DOMAIN))

    @property
    def _enough(self) -> int:
        """Of a trouble that goes on, one sign is enough: a text without an answer may have arrived."""
        return 1 if self.probing and all((answer.code or 0) < 500 for answer in self.row) else self.limit

    def _speaks_of_all(self, alone: int) -> bool:
        """Whether the row is about every reader, and not about one receiving domain that will not have us.

        alone: so many answers for one domain do, where no other has taken anything yet.
        """
        if any(answer.concern == "server" or answer.verdict == "turned_away" for answer in self.row):
            return True
        if len(self.domains) >= DOMAINS and len(self.row) >= self.limit:
            return True
        return len(self.row) >= alone and not (self.taken or self.taken_before)

    def objection(self) -> Objection | None:
        """At the end of a shift: what stands against us, if anything does. In a small mailing a single answer may be all."""
        if self.named is not None:
            return Objection(f"{ABOUT['sender']}: {_said(self.named)}")
        if self.row and (self.objects or (not self.taken and self._speaks_of_all(1))):
            last, for_good = self.row[-1], 2 * sum((answer.code or 0) >= 500 for answer in self.row) > len(self.row)
            return Objection(f"{ABOUT[last.concern or 'server']}: {_said(last)}", None if for_good else "refused")
        if self.put_off is not None and not (self.taken or self.taken_before):
            return Objection(f"mail servers ask us to come back later: {_said(self.put_off)}", "put off")
        return None


def _said(answer: Answer) -> str:
    return f"{answer.code or ''} {answer.text[:200]}".strip()

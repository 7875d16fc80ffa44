"""What goes wrong with a letter without a word of a mail server's: as it is stored, and as the public register tells it.

The register shows a server's words only where a server said them to us. A letter that failed otherwise says one of these
sentences; whatever else was stored, a program's exception or a report that anybody may have sent, is shown to no stranger.
"""

from __future__ import annotations

from service.text.redact import without_addresses, without_links

NO_ENCRYPTION = "no encrypted connection could be made"
BAD_CERTIFICATE = "the server's certificate does not verify"
NOT_OFFERED = "the server does not offer what is asked for: encryption, or signing in"
OUT_OF_STEP = "the server answered what nobody had asked"
ENDED = "the server ended the connection"
LATE = "the server did not answer in time"
NO_SUCH_SERVER = "the server's name cannot be found"
NOT_PUBLIC = "the server has no public address"
NO_CONNECTIONS = "the server takes no connections"
UNREACHABLE = "the server cannot be reached"
NO_SUCH_DOMAIN = "there is no domain of that name"
TAKES_NO_MAIL = "its domain says that it takes no mail (RFC 7505)"
NOT_LOOKED_UP = "its mail servers cannot be looked up"
NOT_AS_PUBLISHED = "the server is not encrypted as its domain demands (DANE, MTA-STS)"
NOT_THEIRS = "the server is none of those that its domain names (MTA-STS)"
NOT_OUTSIDE_ASCII = "the relay does not take addresses outside ASCII (RFC 6531)"
LEASE_LAPSED = "the lease lapsed before the text left"
WORKER_STOPPED = "the worker stopped after the text may have left"
OBJECTED = "the official objected"
STOPPED = "an organiser stopped it"
IN_PUBLIC = {
    NO_ENCRYPTION: "No encrypted connection could be made.",
    BAD_CERTIFICATE: "The server’s certificate does not verify.",
    NOT_OFFERED: "The server does not offer what is asked for: encryption, or signing in.",
    OUT_OF_STEP: "The server answered what nobody had asked.",
    ENDED: "The server ended the connection.",
    LATE: "The server did not answer in time.",
    NO_SUCH_SERVER: "The server’s name cannot be found.",
    NOT_PUBLIC: "The server has no public address.",
    NO_CONNECTIONS: "The server takes no connections.",
    UNREACHABLE: "The server cannot be reached.",
    NO_SUCH_DOMAIN: "There is no domain of that name.",
    TAKES_NO_MAIL: "The domain says that it takes no mail.",
    NOT_LOOKED_UP: "The mail servers of its domain cannot be looked up.",
    NOT_AS_PUBLISHED: "The server is not encrypted as its domain demands.",
    NOT_THEIRS: "The server is none of those that its domain names.",
    NOT_OUTSIDE_ASCII: "The server does not take an address with such letters.",
    LEASE_LAPSED: "It was not sent in time and is tried again.",
    WORKER_STOPPED: "Our own program ended while the letter was being sent, and the server’s answer was lost.",
    OBJECTED: "The office asked for no more letters.",
    STOPPED: "An organiser stopped it before it was sent.",
}
BY_STATE = {
    "queued": "", "sending": "", "accepted": "", "complained": "",
    "unsure": "The server’s final answer was lost.",
    "bounced": "We were told afterwards that it did not arrive.",
    "refused": "It could not be delivered.",
    "suppressed": "It was not sent.",
    "cancelled": "It was not sent.",
    "expired": "It could not be delivered in time.",
}  # fmt: skip
"""What is told of a message's state where neither a server nor one of these sentences says more."""


def in_public(state: str, code: int | None, text: str) -> tuple[str, bool]:
    """What the public may read of a letter, and whether a mail server said it. `text` is stored; a code is a server's."""
    if state == "bounced" or text in IN_PUBLIC or code is None:
        return IN_PUBLIC.get(text, BY_STATE[state]), False
    return without_links(without_addresses(f"{code} {text}")), True

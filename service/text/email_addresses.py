"""Is this an address, and which addresses are one mailbox."""

from __future__ import annotations

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from service.errors import Refused
from service.text.characters.invisible import holds_hidden
from service.text.characters.pasted_addresses import without_wrapping

# Documented behaviour of the large providers: dots that do not count, and the sign that begins a tag.
ALIASES = {"googlemail.com": "gmail.com", "pm.me": "proton.me", "protonmail.com": "proton.me", "me.com": "icloud.com",
           "mac.com": "icloud.com", "ymail.com": "ymail.com"}  # fmt: skip
DOTS_IGNORED = {"gmail.com": ".", "proton.me": "._-"}
PLUS_TAGS = {"gmail.com", "proton.me", "icloud.com", "outlook.com", "hotmail.com", "hotmail.co.uk", "live.com",
             "live.co.uk", "msn.com", "fastmail.com", "fastmail.fm"}  # fmt: skip

PLAIN = re.compile(
    r"(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63})"
)
"""Nearly every address there is; whatever else may be one, email-validator judges, at a hundred times the cost."""
SPECIAL_TOPS = {name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES}
LOWER_LOCALS = 12
"""email-validator folds the case of role names (RFC 2142), the longest of which has ten letters."""


HIDDEN = "A character that cannot be seen stands in this address. Delete the address and type it by hand instead of pasting it."
SPACE = "There is a space in this address. Leave it out, or enter one address alone."
QUOTATION_MARKS = re.compile("[“”„«»‹›]")
NO_ADDRESS = "Enter an e-mail address, like name@example.org."


def parse(text: str, field: str = "email") -> str:
    """The address as we will write to it: domain in A-labels, lower case. Raises Refused with a sentence that says why.

    What pasting brings along (`mailto:`, brackets, a name before it, invisible characters) is taken off.
    """
    return _plain(text) or _judged(without_wrapping(text), field)


def _plain(text: str) -> str | None:
    """The address if a look is enough: a strict part of what email-validator takes, with the same result. A test compares."""
    match = PLAIN.fullmatch(text) if len(text) <= 254 else None
    if match is None:
        return None
    local, host = match["local"], match["host"].lower()
    role = len(local) <= LOWER_LOCALS and local != local.lower()
    if len(local) > 64 or len(host) > 253 or "--" in host or host.rpartition(".")[2] in SPECIAL_TOPS or role:
        return None
    return f"{local}@{host}"


def _judged(text: str, field: str) -> str:
    try:
        validated = validate_email(
            text, check_deliverability=False, strict=True, test_environment=True, allow_quoted_local=True
        )
    except EmailNotValidError:
        raise Refused(**{field: _why_not(text)}) from None
    if QUOTATION_MARKS.search(text):
        raise Refused(**{field: NO_ADDRESS})
    local = validated.ascii_local_part or validated.local_part
    return f"{local}@{validated.ascii_domain or validated.domain}"


def _why_not(text: str) -> str:
    if holds_hidden(text):
        return HIDDEN
    return SPACE if "@" in text and len(text.split()) > 1 else NO_ADDRESS


def domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def mailbox(address: str) -> str:
    """The canonical key: equal for addresses that reach one mailbox, by the rules of its provider; else only case folds."""
    local, _, host = address.casefold().rpartition("@")
    host = ALIASES.get(host, host)
    if host in PLUS_TAGS:
        local = local.partition("+")[0] or local
    for dot in DOTS_IGNORED.get(host, ""):
        local = local.replace(dot, "") or local
    return f"{local}@{host}"


def counted_as(address: str) -> str:
    """Whose letters are counted together: the mailbox without its tag, since most domains deliver name+anything to name.

    Only for counting: where tags mean nothing, two people named so would share what one of them may be written to.
    """
    local, _, host = mailbox(address).rpartition("@")
    return f"{local.partition('+')[0] or local}@{host}"

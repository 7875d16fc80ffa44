"""Is this an address, and which addresses are one mailbox."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from service.errors import Refused

# Documented behaviour of the large providers: dots that do not count, and the sign that begins a tag.
ALIASES = {"googlemail.com": "gmail.com", "pm.me": "proton.me", "protonmail.com": "proton.me", "me.com": "icloud.com",
           "mac.com": "icloud.com", "ymail.com": "ymail.com"}  # fmt: skip
DOTS_IGNORED = {"gmail.com": ".", "proton.me": "._-"}
PLUS_TAGS = {"gmail.com", "proton.me", "icloud.com", "outlook.com", "hotmail.com", "hotmail.co.uk", "live.com",
             "live.co.uk", "msn.com", "fastmail.com", "fastmail.fm"}  # fmt: skip


def parse(text: str, field: str = "email") -> str:
    """The address as we will write to it: domain in A-labels, lower case. Raises Refused with a sentence."""
    text = text.strip()
    try:
        found = validate_email(text, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError:
        example = "name@example.org"
        raise Refused(**{field: f"Enter an e-mail address, like {example}."}) from None
    local = found.ascii_local_part or found.local_part
    return f"{local}@{found.ascii_domain or found.domain}"


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

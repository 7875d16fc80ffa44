"""What a setting may say, kind by kind: each function turns a text into its value. Raises ValueError: "it …".

Nothing here is ever shown an empty text: that is the default.
"""

from __future__ import annotations

import re
from email.utils import getaddresses
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from limits import parse as parse_rate
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from service.core.weak_secrets import is_guessable

SHORTEST_KEY = 16
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
NAME_SERVER = re.compile(r"([\d.]+|[0-9a-fA-F:]+)|([\d.]+|\[[0-9a-fA-F:.]+\]):\d{1,5}")
HOST = re.compile(rf"{LABEL}(?:\.{LABEL})*|\[?[0-9a-fA-F:]+\]?")
DOMAIN = re.compile(rf"{LABEL}(?:\.{LABEL})+")


def line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("should be one line of text")
    return text


def folder(text: str) -> Path:
    return Path(line(text)).absolute()


def existing_file(text: str) -> str:
    if not Path(line(text)).is_file():
        raise ValueError("should be the path of a file that is there")
    return text


def flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("should be on or off")


def amount(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("should be a whole number, zero or more")
    return int(text)


def positive(text: str) -> int:
    if (number := amount(text)) == 0:
        raise ValueError("should be a whole number, one or more")
    return number


def none_or_one(text: str) -> int:
    if text not in {"0", "1"}:
        raise ValueError("should be 1 or 0")
    return int(text)


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65536:
        raise ValueError("should be a port number from 1 to 65535")
    return int(text)


def rate(text: str) -> str:
    """As the limits library writes it. Zero would close the door to all."""
    try:
        parsed = parse_rate(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.amount < 1:
        raise ValueError("should look like 60 per 10 minutes")
    return text


def secret(text: str) -> str:
    if len(line(text)) < SHORTEST_KEY:
        raise ValueError(f"should have at least {SHORTEST_KEY} characters")
    if is_guessable(text):
        raise ValueError("would be guessed; `openssl rand -hex 32` makes a good one")
    return text


def keys(text: str) -> tuple[str, ...]:
    keys_given = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys_given or any(len(key) < SHORTEST_KEY for key in keys_given):
        raise ValueError(f"should hold keys of at least {SHORTEST_KEY} characters, with commas between them")
    return tuple(secret(key) for key in keys_given)


def database(text: str) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in {"sqlite", "postgresql+psycopg"} or not url.database:
        raise ValueError("should look like postgresql+psycopg://name:password@host/database or sqlite:////path/file.db")
    return text


def redis(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = bool(parts.path) if parts.scheme == "unix" else bool(parts.hostname and parts.port != 0)
    except ValueError:
        good = False
    if not good or parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("should look like redis://host:6379/0 or unix:///path/to/socket")
    return text


def web_address(text: str) -> str:
    """Without a path: cookies, links and the feed expect the service at the root of its host."""
    try:
        parts = urlsplit(text)
        good = bool(parts.hostname and HOST.fullmatch(parts.hostname)) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if (
        not good
        or parts.scheme not in {"http", "https"}
        or parts.path not in {"", "/"}
        or "@" in text
        or "?" in text
        or "#" in text
    ):
        raise ValueError("should look like https://notices.example.org")
    return text.rstrip("/")


def host(text: str) -> str:
    if not HOST.fullmatch(text):
        raise ValueError("should be the name of a host, like smtp.example.org")
    return text


def domain_name(text: str) -> str:
    if not DOMAIN.fullmatch(text) or len(text) > 253:
        raise ValueError("should be a domain, like lists.example.org")
    return text.lower()


def domains(text: str) -> tuple[str, ...]:
    return tuple(domain_name(part.strip()) for part in text.split(",") if part.strip())


def label(text: str) -> str:
    if not re.fullmatch(rf"{LABEL}(?:\.{LABEL})*", text):
        raise ValueError("should be made of letters, digits and dashes")
    return text


def mail_address(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or not re.fullmatch(r"[^\s<>,;\"]+", local) or not DOMAIN.fullmatch(domain):
        raise ValueError("should look like contact@example.org")
    return text


def sender(text: str) -> str:
    mailboxes = getaddresses([line(text)])
    try:
        if len(mailboxes) != 1:
            raise ValueError
        mail_address(mailboxes[0][1])
    except ValueError:
        raise ValueError("should look like Our Network <notices@example.org>") from None
    return text


def routes(text: str) -> dict[str, tuple[str, int]]:
    routes_by_domain = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        domain, _, place = pair.partition("=")
        server, _, number = place.rpartition(":")
        if not domain or not server or not number.isdigit():
            raise ValueError("should look like nec.example=127.0.0.1:2525,other.example=127.0.0.1:2526")
        routes_by_domain[domain.lower()] = (server, port(number))
    return routes_by_domain


def hook(text: str) -> str:
    """An address that we call; unlike our own it may have a path and a query."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable() or " " in text:
        raise ValueError("should be an address like https://alerts.example.org/hook")
    return text


def name_server(text: str) -> str:
    match = NAME_SERVER.fullmatch(text)
    try:
        if text != "off":
            ip_address((match[1] or match[2]).strip("[]") if match else "")
    except ValueError:
        raise ValueError("should be the IP address of a name server, like 192.0.2.53 or 127.0.0.1:5353, or off") from None
    return text


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Comma-separated networks; none: not even this machine."""
    if text.lower() == "none":
        return ()
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError("should be networks like 127.0.0.0/8,10.8.0.0/24, or none") from None

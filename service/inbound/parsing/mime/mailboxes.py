"""The mailboxes of an address header, in every form that RFC 5322 allows (§3.2.2, §3.2.4, §3.4) and in those that are common.

Only what leaves no doubt is read: a group, a route, or a second mailbox is left to people.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from service.inbound.parsing.mime.encoded_words import decoded

LONGEST = 2_000
TOKEN = re.compile(
    r"(?P<space>[\s]+)|(?P<word>=\?[\w.+:*-]{1,60}\?[BbQq]\?[^?<>@]{0,400}\?=)|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<open>\()"
    r"|(?P<special>[<>@,:;])|(?P<atom>(?:(?!=\?[\w.+:*-]{1,60}\?[BbQq]\?)[^\s\"()<>@,:;\\\[\]])+|=)|(?P<other>.)",
    re.DOTALL,
)
PAIR = re.compile(r"\\(.)", re.DOTALL)
LOCAL = re.compile(r"[^\s\"()<>@,:;\\\[\]]{1,64}")
DOMAIN = re.compile(r"[^\W_][\w-]{0,62}(?:\.[^\W_][\w-]{0,62}){0,40}")
QUOTED_LOCAL = re.compile(r'"((?:[^"\\]|\\.){1,64})"@')
ANYWHERE = re.compile(r"(?<![\w.+=-])[\w.+=-]{1,64}@[\w.-]{1,253}")
MOST_COMMENTS = 50


class Mailbox(NamedTuple):
    name: str
    address: str


class Token(NamedTuple):
    kind: str
    text: str


class Unclear(ValueError):
    """This is not a list of plain mailboxes."""


def only(value: str) -> Mailbox | None:
    """The one mailbox of a header; None where it holds none, several, a group, or something that nobody can be sure of."""
    try:
        mailboxes = _list(_tokens(value))
    except Unclear:
        return None
    return mailboxes[0] if len(mailboxes) == 1 else None


def addresses(value: str) -> list[str]:
    """Whatever looks like an address, for a search among our own: groups, lists and display names too."""
    shown = decoded(value[: 4 * LONGEST])
    unquoted = QUOTED_LOCAL.sub(lambda match: PAIR.sub(r"\1", match[1]) + "@", shown)
    return [address.rstrip(".") for address in ANYWHERE.findall(unquoted)]


def _tokens(value: str) -> list[Token]:
    """Words, quoted strings and specials; comments as one token each, however deep they nest."""
    if len(value) > LONGEST:
        raise Unclear
    tokens: list[Token] = []
    at = 0
    while at < len(value):
        match = TOKEN.match(value, at)
        kind = str(match.lastgroup) if match else "other"
        if match is None or kind == "other":
            raise Unclear
        at = match.end()
        if kind == "open":
            end = _comment_end(value, at)
            tokens.append(Token("comment", value[at : end - 1]))
            at = end
        else:
            tokens.append(Token(kind, match[kind]))
    return tokens


def _comment_end(value: str, at: int) -> int:
    """Behind the bracket that closes the comment which begins here."""
    depth = 1
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] in "()":
            depth += 1 if value[at] == "(" else -1
        at += 1
        if not depth:
            return at
        if depth > MOST_COMMENTS:
            break
    raise Unclear


def _list(tokens: list[Token]) -> list[Mailbox]:
    """Each part between commas; a part without an address is a piece of a name whose comma nobody quoted."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token == Token("special", ",") and not _is_open(parts[-1]):
            parts.append([])
        else:
            parts[-1].append(token)
    mailboxes: list[Mailbox] = []
    loose: list[Token] = []
    for part in parts:
        if not any(token == Token("special", "@") for token in part):
            if any(token.kind == "special" for token in part):
                raise Unclear
            loose += part
        elif loose and Token("special", "<") not in part:
            raise Unclear
        else:
            mailboxes.append(_mailbox(loose + part))
            loose = []
    if any(token.kind not in {"space", "comment"} for token in loose):
        raise Unclear
    return mailboxes


def _is_open(part: list[Token]) -> bool:
    return part.count(Token("special", "<")) > part.count(Token("special", ">"))


def _mailbox(tokens: list[Token]) -> Mailbox:
    specials = "".join(token.text for token in tokens if token.kind == "special")
    if specials == "@":
        return _bare(tokens)
    if specials not in {"<@>", "@<@>"}:
        raise Unclear
    opens, closes = tokens.index(Token("special", "<")), tokens.index(Token("special", ">"))
    if any(token.kind not in {"space", "comment"} for token in tokens[closes + 1 :]):
        raise Unclear
    before = tokens[:opens]
    address = _address(tokens[opens + 1 : closes])
    if specials == "@<@>" and _address(before).lower() != address.lower():
        raise Unclear  # another address as a name: nobody can tell whose message this is
    return Mailbox(_name(before), address)


def _bare(tokens: list[Token]) -> Mailbox:
    """An address without brackets; its owner's name may stand in a comment behind it (RFC 5322 §3.4 and its older form)."""
    comments = [token.text for token in tokens if token.kind == "comment"]
    return Mailbox(decoded(PAIR.sub(r"\1", comments[-1])) if comments else "", _address(tokens))


def _name(tokens: list[Token]) -> str:
    shown = [
        PAIR.sub(r"\1", token.text) if token.kind == "quoted" else token.text for token in tokens if token.kind != "comment"
    ]
    return decoded("".join(shown).strip())


def _address(tokens: list[Token]) -> str:
    """A local part, quoted or not, and a domain; spaces and comments may stand around both, and nowhere inside."""
    bare = [token for token in tokens if token.kind not in {"space", "comment"}]
    if len(bare) != 3 or bare[1].text != "@" or bare[2].kind != "atom":
        raise Unclear
    domain = bare[2].text.rstrip(".")
    local = PAIR.sub(r"\1", bare[0].text)
    if bare[0].kind not in {"atom", "quoted"} or not DOMAIN.fullmatch(domain) or not local or len(local) > 64:
        raise Unclear
    if not local.isprintable():
        raise Unclear
    if LOCAL.fullmatch(local):
        return f"{local}@{domain}"
    quoted = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"@{domain}'

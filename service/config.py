"""Every setting, typed, with the sentence that explains it; read once from the environment; nonsense is refused at start.

A setting NAME may also be given as NAME_FILE, the path of a file that holds it: the habit of container secrets.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service import machine_secret
from service.plausible import (
    SHORTEST_KEY,
    amount,
    database,
    domain_name,
    existing_file,
    flag,
    folder,
    hook,
    host,
    keys,
    label,
    line,
    mail_address,
    name_server,
    networks,
    none_or_one,
    port,
    positive,
    rate,
    redis,
    routes,
    secret,
    sender,
    web_address,
)


class SettingRefused(ValueError):
    """A setting that cannot be meant; the text says which, and what would do."""


SECRETS = {
    "secret_key", "hash_key", "metrics_token", "mail_password", "postmark_password", "database_url", "redis_url", "alert_url",
}  # fmt: skip
"""Settings whose value no error repeats."""


def setting(default: str, explain: str, parse: Callable[[str], Any] = line) -> Any:
    return field(metadata={"default": default, "explain": explain, "parse": parse})


@dataclass(frozen=True)
class Settings:
    var_dir: Path = setting("var", "Folder of everything that the service writes.", folder)
    database_url: str = setting("", "SQLAlchemy address of the database; empty: SQLite in VAR_DIR.", database)
    database_wait_seconds: int = setting("20", "How long we wait for a lock before we say that the database is busy.", amount)
    redis_url: str = setting("", "Address of Redis; empty: the bundled Valkey on a unix socket.", redis)
    web_port: int = setting("8000", "Port of the web server.", port)
    base_url: str = setting("", "Address that people reach us under; links in e-mails come from here alone.", web_address)
    trusted_proxies: int = setting("0", "How many reverse proxies in front of us set X-Forwarded-For.", amount)
    secret_key: tuple[str, ...] = setting("", "Comma-separated keys: the first signs, all verify.", keys)
    hash_key: str = setting("", "Key of the suppression hashes; empty: the last of SECRET_KEY. Never change it.", secret)
    metrics_token: str = setting("", "Bearer token of /metrics; empty: the address does not exist.", secret)

    mail_server: str = setting("127.0.0.1", "The relay that takes our mail.", host)
    mail_port: int = setting("", "Port of the relay; empty: the postbox's.", port)
    mail_username: str = setting("", "Name at the relay, if it wants one.")
    mail_password: str = setting("", "Password at the relay.")
    mail_use_tls: bool = setting("off", "Start TLS after connecting (RFC 3207); without it we fail closed.", flag)
    mail_use_ssl: bool = setting("off", "TLS from the first byte (RFC 8314).", flag)
    mail_ca_file: str = setting("", "Certificates to trust for the relay; empty: the system's.", existing_file)
    mail_default_sender: str = setting("", "From of everything we send.", sender)
    mail_timeout_seconds: int = setting("60", "How long to wait for each answer of a mail server.", positive)
    mail_domain: str = setting("lists.example.org", "Domain of lists and bounces.", domain_name)
    mail_routes: dict[str, tuple[str, int]] = setting("", "domain=host:port pairs whose letters bypass the relay.", routes)
    dkim_domain: str = setting("", "Domain of the DKIM signature; empty: we do not sign.", domain_name)
    dkim_selector: str = setting("undersigned", "Selector of the DKIM key.", label)
    dkim_key_file: str = setting("", "PEM file with the DKIM private key.", existing_file)
    dkim_ed25519_selector: str = setting("ed25519", "Selector of a second key, of the Ed25519 kind.", label)
    dkim_ed25519_key_file: str = setting("", "PEM file with that second key; empty: one signature (RFC 8463).", existing_file)
    proof_key_file: str = setting("", "PEM file with the Ed25519 key that signs manifests; empty: one made in VAR_DIR.")
    witness_email: str = setting("", "A mailbox elsewhere that gets a copy of each manifest; empty: none.", mail_address)
    officials_direct: bool = setting("off", "Letters to officials go straight to their own mail servers (MX).", flag)
    clear_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        "127.0.0.0/8,::1/128", "Networks that a letter with names may cross without TLS to an official's own server.", networks
    )
    dns_server: str = setting("", "IP address of the name server, or with a port; empty: the system's; off: none.", name_server)
    address_days: int = setting("180", "After how many days an official's address should be verified again.", positive)
    attach_names: int = setting("20000", "Most names that are attached to a letter; a longer list is a link.", amount)
    pdf_seconds: int = setting("300", "How long the making of one PDF may take; longer, and its letters go without.", positive)
    correction_hours: int = setting("24", "How long withdrawals are gathered for one correction to officials.", amount)

    inbound_lmtp_port: int = setting("8024", "Port of the LMTP receiver.", port)
    inbound_smtp_port: int = setting("8026", "Port of the SMTP receiver.", port)
    inbound_host: str = setting("127.0.0.1", "Address that both receivers listen on.", host)
    inbound_authserv_id: str = setting("", "Our mail server's name in Authentication-Results; empty: MAIL_DOMAIN.", host)
    inbox_forward_to: str = setting("", "Where people's replies are sent on to; empty: they stay on the page.", mail_address)
    soft_bounces: int = setting(
        "5", "Temporary failures, one a day counted, after which an address is written to no more.", positive
    )
    soft_days: int = setting("30", "For how many days a temporary failure counts.", positive)
    brake_failures: int = setting(
        "10", "Hard failures of an update, a domain or an hour that may be unusual; 0: never.", amount
    )
    brake_share: int = setting("5", "Per cent of failures there from which nobody is suppressed before you look.", positive)
    brake_new_cause: int = setting("5", "The same for failures with one cause that nobody had before; 0: never.", amount)
    blocked_share: int = setting("5", "Per cent of messages turned away as ours above which a mailing pauses itself.", amount)
    ses_topic: str = setting("", "ARN of the SNS topic that Amazon SES reports to; empty: /hooks/ses does not exist.")
    postmark_password: str = setting("", "Password of Postmark's web hook; empty: /hooks/postmark does not exist.", secret)
    postbox_smtp_port: int = setting("1025", "SMTP port of the development postbox.", port)
    postbox_port: int = setting("8025", "Web port of the development postbox.", port)

    organisation: str = setting("The Harbour Members' Network (sample)", "Who sends and who answers for the data.")
    postal_address: str = setting("1 Sample Street, Sampleton SA1 1AA", "Postal address in every e-mail (PECR reg 23).")
    imprint: str = setting("", "Digital imprint (Elections Act 2022 s.41); empty: made from the two above.")
    contact_email: str = setting("", "Where people write to us; empty: contact@MAIL_DOMAIN.", mail_address)
    approvals: int = setting("1", "How many other organisers must approve what cannot be undone: 1 or 0.", none_or_one)
    second_factor: bool = setting("on", "Whether organisers need a second factor.", flag)
    cooling_seconds: int = setting("60", "How long an approved update can be recalled before it goes.", amount)
    typed_count_above: int = setting("1000", "More recipients than this are typed by whoever approves.", amount)
    alert_url: str = setting("", "Where a POST of JSON says what is wrong, for when mail itself broke.", hook)
    serving_wait_minutes: int = setting("15", "How long a serving waits so that somebody can stop it.", amount)
    unconfirmed_days: int = setting("7", "After how many days an unconfirmed request vanishes.", positive)
    pseudonymise_days: int = setting("183", "How long after a notice closes its names are kept.", positive)

    mail_connections: int = setting("4", "Connections that one bulk worker holds to the relay.", positive)
    signing_threads: int = setting("1", "Threads of one bulk worker that sign while others send.", positive)
    limit_messages: int = setting("0", "Most messages of mailings a second, over all workers; 0: no ceiling.", amount)
    limit_mailing: int = setting("0", "Most messages of one mailing a second; 0: no ceiling.", amount)
    limit_receiving_domain: int = setting("0", "Most messages a second to one receiving domain; 0: no ceiling.", amount)
    limit_domain_connections: int = setting("0", "Most connections of one worker that write to one receiving domain.", amount)
    refused_share: int = setting("10", "Per cent of refusals above which a mailing pauses itself.", amount)

    limit_visitor: str = setting("60 per 10 minutes", "Forms that one visitor may send.", rate)
    limit_verify: str = setting("30 per 10 minutes", "Checks at /verify, and lists of leaves, of one visitor.", rate)
    limit_sign_in: str = setting("10 per 10 minutes", "Sign-in attempts of one visitor.", rate)
    limit_code: str = setting("10 per 10 minutes", "Codes, or passwords, that may be tried for one organiser.", rate)
    limit_domain: str = setting("2000 per hour", "Confirmations to one receiving domain; the rest wait.", rate)
    limit_gap_minutes: int = setting("15", "Least time between two confirmations to one address.", amount)
    limit_day: int = setting("3", "Most confirmations to one address in a day.", positive)

    @property
    def secure(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def limits_storage(self) -> str:
        """The limiter's spelling of the same Redis: it wants redis+unix:// for a socket."""
        return self.redis_url.replace("unix://", "redis+unix://", 1) if self.redis_url[:4] == "unix" else self.redis_url

    @property
    def socket_path(self) -> Path:
        return Path(urlsplit(self.redis_url).path)


def load(environ: Mapping[str, str]) -> Settings:
    """Reads the settings. Raises SettingRefused with a sentence that names the setting."""
    values: dict[str, Any] = {}
    for item in fields(Settings):
        name = item.name.upper()
        text = _text(environ, name) or item.metadata["default"]
        try:
            values[item.name] = item.metadata["parse"](text) if text else ""
        except ValueError as error:
            shown = "not shown here" if item.name in SECRETS else repr(text)
            raise SettingRefused(f"{name} is {shown}: it {error}.") from None
    _derive(values)
    return Settings(**values)


def _text(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    if path is None:
        return environ.get(name, "").strip()
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingRefused(f"{name}_FILE is {path!r}: it cannot be read ({why}).") from None


def _derive(values: dict[str, Any]) -> None:
    """Fills what was left empty from the other settings, and checks what depends on more than one."""
    var: Path = values["var_dir"]
    values["database_url"] = values["database_url"] or f"sqlite:///{var / 'undersigned.db'}"
    values["redis_url"] = values["redis_url"] or f"unix://{runtime_folder(var) / 'valkey.sock'}"
    values["mail_routes"] = values["mail_routes"] or {}
    values["secret_key"] = values["secret_key"] or (_generated(var / "secret.key"),)
    values["hash_key"] = values["hash_key"] or values["secret_key"][-1]
    values["mail_port"] = values["mail_port"] or values["postbox_smtp_port"]
    values["base_url"] = values["base_url"] or f"http://localhost:{values['web_port']}"
    values["mail_default_sender"] = (
        values["mail_default_sender"] or f"{values['organisation'].split(' (')[0]} <notices@{values['mail_domain']}>"
    )
    values["contact_email"] = values["contact_email"] or f"contact@{values['mail_domain']}"
    values["inbound_authserv_id"] = values["inbound_authserv_id"] or values["mail_domain"]
    values["imprint"] = values["imprint"] or (
        f"Published and promoted by {values['organisation']}, {values['postal_address']}."
    )
    if values["mail_use_tls"] and values["mail_use_ssl"]:
        raise SettingRefused("MAIL_USE_TLS and MAIL_USE_SSL are both on: choose one.")
    if bool(values["dkim_domain"]) != bool(values["dkim_key_file"]):
        raise SettingRefused("DKIM_DOMAIN and DKIM_KEY_FILE go together: set both or neither.")


def runtime_folder(var: Path) -> Path:
    """A short folder for the socket of the bundled Valkey: a unix socket's path must stay under 108 characters."""
    mark = hashlib.sha256(str(var).encode()).hexdigest()[:10]
    return Path(f"/tmp/undersigned-{os.getuid()}-{mark}")  # noqa: S108  its owner and mode are checked


def _generated(path: Path) -> str:
    """The secret of this machine, made once; processes that start together end with the same one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            machine_secret.make(path)
        found = path.read_text().strip()
    except OSError as error:
        raise SettingRefused(f"VAR_DIR is {str(path.parent)!r}: it cannot be written ({error.strerror}).") from None
    if len(found) < SHORTEST_KEY:
        raise SettingRefused(f"SECRET_KEY is not set, and {path} holds no key: remove that file, and a new one is made.")
    return found


_current: list[Settings] = []


def use(settings: Settings) -> None:
    """Makes these the settings of this process."""
    _current[:] = [settings]


def settings() -> Settings:
    """The settings of this process, read from the environment at the first call."""
    if not _current:
        use(load(os.environ))
    return _current[0]

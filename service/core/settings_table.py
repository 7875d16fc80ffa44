"""Every setting, typed, with the sentence that explains it; service.core.config reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.core.setting_types import (
    amount,
    database,
    domain_name,
    domains,
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
    mail_use_tls: bool = setting(
        "", "Start TLS after connecting (RFC 3207), or say nothing; empty: on, but to a relay on this machine.", flag
    )
    mail_use_ssl: bool = setting("off", "TLS from the first byte (RFC 8314).", flag)
    allow_plain_relay: bool = setting("off", "Whether letters may cross the network to the relay without TLS.", flag)
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
    timestamp_url: str = setting("", "A timestamp service (RFC 3161) that is asked about each manifest; empty: none.", hook)
    timestamp_ca_file: str = setting("", "Certificates that vouch for it, in PEM; shown beside the keys.", existing_file)
    officials_direct: bool = setting("off", "Letters to officials go straight to their own mail servers (MX).", flag)
    allow_private_mx: bool = setting("off", "Whether an official's mail server may have an address that is not public.", flag)
    clear_networks: tuple[IPv4Network | IPv6Network, ...] = setting(
        "127.0.0.0/8,::1/128", "Networks that a letter with names may cross without TLS to an official's own server.", networks
    )
    dns_server: str = setting("", "IP address of the name server, or with a port; empty: the system's; off: none.", name_server)
    dns_trusted: bool = setting("off", "Whether a name server beyond this machine is believed that an answer is signed.", flag)
    address_days: int = setting("180", "After how many days an official's address should be verified again.", positive)
    attach_names: int = setting("20000", "Most names that are attached to a letter; a longer list is a link.", amount)
    pdf_seconds: int = setting("300", "How long the making of one PDF may take; longer, and its letters go without.", positive)
    correction_hours: int = setting("24", "How long withdrawals are gathered for one correction to officials.", amount)

    inbound_lmtp_port: int = setting("8024", "Port of the LMTP receiver.", port)
    inbound_smtp_port: int = setting("8026", "Port of the SMTP receiver.", port)
    inbound_host: str = setting("127.0.0.1", "Address that both receivers listen on.", host)
    inbound_authserv_id: str = setting("", "Our mail server's name in Authentication-Results; empty: MAIL_DOMAIN.", host)
    feedback_domains: tuple[str, ...] = setting(
        "",
        "Domains whose reports of complaints and failures are believed, by SPF or DKIM.",
        domains,
    )
    inbound_reserve_mb: int = setting("300", "Megabytes of the disk that mail leaves free, for signers.", amount)
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
    newcomer_hours: int = setting("24", "For how long somebody who was made an organiser approves nothing.", amount)
    allow_one_person: bool = setting("off", "Whether one person may do everything on a service that people reach.", flag)
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
    limit_confirm: str = setting("200 per 10 minutes", "Confirmations that one visitor may press.", rate)
    group_size: int = setting("20", "So many signatures of one visitor, domain or minute are shown as a group.", positive)
    group_share: int = setting(
        "20", "Per cent of the newest signatures in one group, from which milestones wait; 0: never.", amount
    )
    limit_sign_in: str = setting("10 per 10 minutes", "Sign-in attempts of one visitor.", rate)
    limit_code: str = setting("10 per 10 minutes", "Codes, or passwords, that may be tried for one organiser.", rate)
    limit_domain: str = setting("", "Confirmations to one receiving domain, the rest wait; empty: as many as there are.", rate)
    limit_commands: str = setting("300 per hour", "Commands by e-mail of one server, or of one domain; the rest wait.", rate)
    limit_asked: int = setting("300", "Letters a day that one visitor, or server, has us send and nobody answers.", positive)
    limit_unanswered: int = setting("5000", "Letters of four days that nobody answers, before all wait.", positive)
    limit_sign_in_day: int = setting("10", "Most letters with a sign-in link to one organiser in a day.", positive)
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

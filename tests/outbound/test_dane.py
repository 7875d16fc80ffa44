"""The certificate that an official's domain names in signed DNS is kept to (RFC 7672)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.outbound.own_domain import (
    DOMAIN,
    MX,
    NOT_AS_PUBLISHED,
    TLSA,
    certified_as,
    said_of_the_last,
    serve,
    sign_all,
)
from tests.support.servers.certificates import Authority
from tests.support.servers.dns_server import DnsServer
from tests.support.servers.smtp_server import SmtpServer
from tests.support.servers.three_servers import tiers
from tests.support.world import World
from workers.outbound.smtp import mx

pytestmark = pytest.mark.settings(MAIL_TIMEOUT_SECONDS="2")


def own_certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def tlsa(certificate: x509.Certificate, usage: int, selector: int, matching: int) -> str:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    chosen = certificate.public_bytes(Encoding.DER) if selector == 0 else key
    digest = {
        0: lambda data: data,
        1: lambda data: hashlib.sha256(data).digest(),
        2: lambda data: hashlib.sha512(data).digest(),
    }
    return f"{usage} {selector} {matching} {digest[matching](chosen).hex()}"


@certified_as("strange elsewhere.example")
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_the_certificate_that_it_names_is_enough(
    world: World, names: DnsServer, tmp_path: Path, selector: int, matching: int
) -> None:
    names.more[TLSA] = [tlsa(own_certificate(tmp_path, "elsewhere.example"), 3, selector, matching)]
    sign_all(names)
    serve(world)
    assert tiers(world) == {"Leader": "recipient"}
    assert said_of_the_last(world)["published"] == "DANE"


@pytest.mark.parametrize("certified", [f"authority {MX}", "strange elsewhere.example"], indirect=True)
def test_another_certificate_is_refused_whoever_signed_it(world: World, names: DnsServer, server: SmtpServer) -> None:
    names.more[TLSA] = [f"3 1 1 {'ab' * 32}"]
    sign_all(names)
    message = serve(world)
    assert (message.state, message.reply_text) == ("queued", NOT_AS_PUBLISHED)
    assert server.taken == []


@certified_as("")
def test_a_server_without_tls_is_refused(world: World, names: DnsServer, server: SmtpServer) -> None:
    names.more[TLSA] = [f"3 1 1 {'ab' * 32}"]
    sign_all(names)
    assert serve(world).reply_text == NOT_AS_PUBLISHED
    assert server.taken == []
    assert not any(command.startswith("MAIL") for command in server.commands)


@certified_as(f"strange {MX}", f"strange {DOMAIN}", "strange elsewhere.example")
@pytest.mark.parametrize("sent", [True, False], ids=["its certificate in DNS", "a digest in DNS"])
def test_an_authority_of_their_own_signs_for_their_names_alone(
    world: World,
    names: DnsServer,
    server: SmtpServer,
    strange: Authority,
    tmp_path: Path,
    certified: str,
    *,
    sent: bool,
) -> None:
    name = certified.split()[1]
    if not sent:  # then it has to be in what the server sends
        path = tmp_path / f"{name}.pem"
        path.write_bytes(path.read_bytes() + strange.file.read_bytes())
        assert server.tls is not None
        server.tls.load_cert_chain(path)
    anchor = x509.load_pem_x509_certificate(strange.file.read_bytes())
    names.more[TLSA] = [tlsa(anchor, 2, 0, 0 if sent else 1)]
    sign_all(names)
    serve(world)
    assert tiers(world) == {"Leader": "queued" if name == "elsewhere.example" else "recipient"}


@certified_as("strange elsewhere.example")
def test_records_of_another_use_ask_for_any_encryption(world: World, names: DnsServer) -> None:
    names.more[TLSA] = [f"1 1 1 {'ab' * 32}", f"3 1 9 {'ab' * 31}", f"3 9 1 {'ab' * 32}"]
    sign_all(names)
    serve(world)
    tls = said_of_the_last(world)["tls"]
    assert isinstance(tls, dict)
    assert tls["unverified"] == "its domain publishes no certificate in a way that mail servers use"


@pytest.mark.parametrize("missing", [DOMAIN, MX, TLSA[0]])
def test_what_is_not_signed_demands_nothing(world: World, names: DnsServer, missing: str) -> None:
    names.more[TLSA] = [f"3 1 1 {'ab' * 32}"]
    sign_all(names)
    names.signed.discard(missing)
    serve(world)
    assert tiers(world) == {"Leader": "recipient"}
    assert said_of_the_last(world)["published"] == ""


def test_where_nobody_can_say_no_letter_goes(world: World, names: DnsServer, server: SmtpServer) -> None:
    names.more[TLSA] = None
    sign_all(names)
    message = serve(world)
    assert (message.state, message.reply_text) == ("queued", "its mail servers cannot be looked up")
    assert server.commands == []


def test_an_alias_is_followed_where_it_is_signed(names: DnsServer, world: World) -> None:
    names.more |= {(MX, "CNAME"): ["real.example."], ("real.example", "A"): ["203.0.113.9"]}
    names.more.pop((MX, "A"))
    names.more[TLSA] = [f"3 1 1 {'ab' * 32}"]
    names.more["_25._tcp.real.example", "TLSA"] = [f"3 1 1 {'cd' * 32}"]
    names.signed |= {DOMAIN, MX, TLSA[0], "_25._tcp.real.example"}
    assert demanded_host() == (MX, "ab")
    names.signed.add("real.example")
    mx._resolver.cache_clear()
    assert demanded_host() == ("real.example", "cd")


def demanded_host() -> tuple[str, str]:
    [route] = mx.routes(DOMAIN, direct=True)
    return route.demand.names[0], route.demand.records[0].data.hex()[:2]


def test_a_name_server_elsewhere_is_not_believed_that_an_answer_is_signed(world: World, names: DnsServer) -> None:
    resolver = mx._resolver(names.place)
    sign_all(names)
    answer = resolver.resolve(DOMAIN, "MX")
    assert mx.dane.is_secure(answer, resolver)
    resolver.nameservers = ["192.0.2.53"]
    assert not mx.dane.is_secure(answer, resolver)

"""What DNS says of the domain that we send from, asked of a real name server: SPF, DKIM, and DMARC by its tree walk."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from service.core import config
from service.mailings.checks import sending_domain
from tests.support.servers.name_server import NameServer

SENDER = "Us <news@a.b.example.org>"
SPF_OK = {"lists.example.org": ["v=spf1 a:relay.example.org -all"]}
DMARC_OK = {"_dmarc.example.org": ["v=DMARC1; p=reject"]}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An RSA key's file, and how it is published."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path_factory.mktemp("dkim") / "dkim.pem"
    path.write_bytes(pem(private))
    der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return path, base64.b64encode(der).decode()


def pem(private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip


def look(folder: Path, texts: dict[str, list[str]], *, silent: bool = False, **changes: str) -> dict[str, tuple[str, str]]:
    """The level and the words of each finding."""
    with NameServer(texts, silent=silent) as server:
        environment = {"VAR_DIR": str(folder), "DNS_SERVER": server.address, "MAIL_DEFAULT_SENDER": SENDER} | changes
        config.use(config.load(environment))
        return {one.name: (one.level, one.said) for one in sending_domain.findings()}


def test_a_domain_in_order_is_well(tmp_path: Path, key: tuple[Path, str]) -> None:
    published = {"undersigned._domainkey.example.org": [f"v=DKIM1; k=rsa; p={key[1]}"]}
    signs = {"DKIM_DOMAIN": "example.org", "DKIM_KEY_FILE": str(key[0])}
    found = look(tmp_path, SPF_OK | DMARC_OK | published, **signs)
    assert {name: level for name, (level, _) in found.items()} == {"SPF": "ok", "DKIM": "ok", "DMARC": "ok"}
    assert found["DMARC"][1] == "example.org says p=reject; aligned by DKIM and SPF."


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "has no record"),
        (["v=spf1 -all", "v=spf1 +all"], "2 records"),
        (["v=spf1 +all"], "everybody"),
        (["v=spf10 -all", "hello"], "has no record"),
    ],
)
def test_spf_that_does_not_hold_stops_it(tmp_path: Path, records: list[str], said: str) -> None:
    level, words = look(tmp_path, {"lists.example.org": records} | DMARC_OK)["SPF"]
    assert level == "serious"
    assert said in words


@pytest.mark.parametrize(
    ("records", "said"),
    [([], "is no key"), (["v=DKIM1; p="], "revoked"), (["v=DKIM1; p=AAAA"], "another"), (["p=A", "p=B"], "more than one")],
)
def test_dkim_that_is_not_ours_stops_it(tmp_path: Path, key: tuple[Path, str], records: list[str], said: str) -> None:
    signs = {"DKIM_DOMAIN": "example.org", "DKIM_KEY_FILE": str(key[0])}
    level, words = look(tmp_path, {"undersigned._domainkey.example.org": records}, **signs)["DKIM"]
    assert level == "serious"
    assert said in words


def test_an_ed25519_key_is_published_as_its_bare_bytes(tmp_path: Path, key: tuple[Path, str]) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    path = tmp_path / "ed.pem"
    path.write_bytes(pem(private))
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    published = {
        "undersigned._domainkey.example.org": [f"p={key[1]}"],
        "ed25519._domainkey.example.org": [f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"],
    }
    signs = {"DKIM_DOMAIN": "example.org", "DKIM_KEY_FILE": str(key[0]), "DKIM_ED25519_KEY_FILE": str(path)}
    assert look(tmp_path, published, **signs)["DKIM"][0] == "ok"


DMARC: dict[str, tuple[dict[str, list[str]], dict[str, str], str, str]] = {
    "none at all": ({}, {}, "serious", "has a policy"),
    "at the domain itself": ({"_dmarc.a.b.example.org": ["v=DMARC1; p=none"]}, {}, "serious", "aligned"),
    "above it": ({"_dmarc.b.example.org": ["v=DMARC1; p=none"]}, {"MAIL_DOMAIN": "x.b.example.org"}, "ok", "b.example.org"),
    "two records are none": ({"_dmarc.example.org": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, {}, "serious", "has a policy"),
    "the walk ends where psd=n": (
        {"_dmarc.b.example.org": ["v=DMARC1; p=none; psd=n"], "_dmarc.example.org": ["v=DMARC1; p=reject"]},
        {}, "serious", "aligned",
    ),
    "below a public suffix": (
        {"_dmarc.org": ["v=DMARC1; p=none; psd=y"], "_dmarc.a.b.example.org": ["v=DMARC1; p=reject"]},
        {}, "ok", "aligned by SPF",
    ),
    "strict alignment": ({"_dmarc.example.org": ["v=DMARC1; p=reject; aspf=s"]}, {}, "serious", "aligned"),
    "another organisation": (DMARC_OK, {"MAIL_DOMAIN": "lists.example.net"}, "serious", "aligned"),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "changes", "level", "said"), DMARC.values(), ids=list(DMARC))
def test_dmarc_is_found_by_its_tree_walk(
    tmp_path: Path, texts: dict[str, list[str]], changes: dict[str, str], level: str, said: str
) -> None:
    found = look(tmp_path, texts, **changes)["DMARC"]
    assert found[0] == level, found
    assert said in found[1]


def test_a_long_name_is_walked_in_at_most_eight_steps(tmp_path: Path) -> None:
    with NameServer(DMARC_OK) as server:
        config.use(config.load({"VAR_DIR": str(tmp_path)}))
        names = sending_domain.Names(server.address, 3)
        sending_domain.walk(names, ".".join([*"abcdefghijkl", "example", "org"]))
        assert server.asked == 8


def test_a_name_server_that_is_silent_costs_three_seconds_and_stops_nothing(tmp_path: Path) -> None:
    began = time.monotonic()
    found = look(tmp_path, {}, silent=True)
    assert time.monotonic() - began < 4.5
    assert {level for level, _ in found.values()} == {"warning"}

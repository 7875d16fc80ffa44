"""DKIM: what we sign is verified by two independent verifiers, straight and with everything that may stand in a letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.core import config
from service.core.config import SettingRefused
from tests.stories.mailings.test_copies import MAILING, a_mailing, reader
from tests.support.verifiers import DOMAIN, ED, RSA, by_dkimpy, by_opendkim
from workers.outbound.message import dkim as ours
from workers.outbound.message import mime
from workers.outbound.message.stencil import Stencil

Verified = Callable[[bytes], list[bool]]
SIGNERS = [ours.Signer(RSA, DOMAIN, "rsa"), ours.Signer(ED, DOMAIN, "ed")]
NAMES = [
    "",
    "Ann",
    "  Ann   of  Green ",
    ".",
    "..",
    "From here",
    "Zoë Ő",
    'A "B" <c@d>',
    "=?utf-8?q?x?=",
    "x" * 200,
    "a  b\tc",
    "é" * 90,
]


@pytest.fixture(params=[by_dkimpy, by_opendkim], ids=["dkimpy", "opendkim"])
def verified(request: pytest.FixtureRequest) -> Verified:
    return request.param  # type: ignore[no-any-return]


def letter(files: list[mime.File] | None = None) -> bytes:
    head = [
        mime.address_header("From", "Undersigned", "notices@lists.example.org"),
        mime.address_header("To", "Zoë Ő", "zoe@example.org"),
        mime.header("Subject", "Bitte bestätigen: " + "wort " * 30),
        mime.header("Date", "Sun, 22 Nov 2026 17:00:00 +0000"),
        mime.header("Message-ID", "<1@lists.example.org>"),
    ]
    content = mime.message(head, "Hello \n.\n..\nFrom me  to you \t\n\n\n", "<p>Hëllo</p>  \n", files or [])
    top, _, body = content.partition(b"\r\n\r\n")
    return b"".join(signer.header(top + b"\r\n", body) for signer in SIGNERS) + content


def copy(name: str = "Ann") -> bytes:
    return Stencil(a_mailing(), SIGNERS).copy(reader(name, clp=name)).content


def test_letters_verify(verified: Verified) -> None:
    assert verified(letter()) == [True, True]


def test_letters_with_attachments_verify(verified: Verified) -> None:
    files = [
        mime.File("notice.pdf", "application/pdf", bytes(range(256)) * 40),
        mime.File("Größe.txt", "text/plain", b" a \r\n\r\n"),
    ]
    assert verified(letter(files)) == [True, True]


@pytest.mark.parametrize("name", NAMES)
def test_copies_verify(name: str, verified: Verified) -> None:
    assert "{name}" in MAILING
    assert verified(copy(name)) == [True, True]


@pytest.mark.parametrize("what", [b"Subject: ", b"List-Unsubscribe: <", b"To: ", b"Date: ", b"Dear", b"many"])
def test_a_changed_byte_fails(what: bytes, verified: Verified) -> None:
    content = copy()
    at = content.index(what, content.index(b"\r\nTo: ") if what != b"To: " else 0) + len(what)
    changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    assert verified(changed) == [False, False]


@pytest.mark.parametrize("made", [letter, copy], ids=["letter", "copy"])
@pytest.mark.parametrize("name", ours.SIGNED)
def test_no_header_can_be_added(name: str, made: object, verified: Verified) -> None:
    content = made()  # type: ignore[operator]
    assert verified(f"{name}: added@evil.example\r\n".encode() + content) == [False, False]


def test_a_copy_keeps_its_signatures_under_harmless_changes(verified: Verified) -> None:
    """Relays refold headers and add their own above (relaxed/relaxed)."""
    changed = b"Received: from a by b;\r\n Sun, 22 Nov 2026 17:00:00 +0000\r\n" + copy().replace(
        b"\r\nSubject: ", b"\r\nsubject:  "
    )
    assert verified(changed) == [True, True]


def test_the_oversigned_headers_are_those_that_readers_trust() -> None:
    assert {"From", "Subject", "To", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"} <= set(ours.SIGNED)
    assert "l=" not in copy().decode().partition("h=")[0]


def written(folder: Path, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    path = folder / "key.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*plain))
    return str(path)


def loaded(folder: Path, path: str) -> list[ours.Signer]:
    return ours.load(config.load({"VAR_DIR": str(folder), "DKIM_DOMAIN": "lists.example.org", "DKIM_KEY_FILE": path}))


def test_keys_that_receivers_will_not_trust_are_refused(tmp_path: Path) -> None:
    weak = [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())]
    for key in weak:
        with pytest.raises(SettingRefused, match="2048"):
            loaded(tmp_path, written(tmp_path, key))
    (tmp_path / "no.pem").write_text("no key")
    with pytest.raises(SettingRefused, match="PEM"):
        loaded(tmp_path, str(tmp_path / "no.pem"))
    for key in (RSA, ED):
        assert len(loaded(tmp_path, written(tmp_path, key))) == 1

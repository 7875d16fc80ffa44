"""Two verifiers of DKIM signatures that share nothing with our code or with each other: dkimpy, and OpenDKIM."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

DOMAIN = "lists.example.org"
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
VERDICT = re.compile(r"\bdkim=(\w+)")


def _published() -> dict[str, str]:
    """What stands in DNS, by name."""
    raw = ED.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    der = RSA.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    keys = {"rsa": ("rsa", der), "ed": ("ed25519", raw)}
    return {
        f"{selector}._domainkey.{DOMAIN}": f"v=DKIM1; k={kind}; p={base64.b64encode(key).decode()}"
        for selector, (kind, key) in keys.items()
    }


PUBLISHED = _published()


def by_dkimpy(content: bytes) -> list[bool]:
    """Whether the RSA and the Ed25519 signature hold, each by itself."""
    found = []
    for number in range(2):
        try:
            found.append(dkim.DKIM(content).verify(idx=number, dnsfunc=_look_up))
        except dkim.DKIMException:
            found.append(False)
    return found


def _look_up(name: bytes, timeout: int = 5) -> bytes | None:
    found = PUBLISHED.get(name.decode().rstrip("."))
    return found.encode() if found else None


def by_opendkim(content: bytes) -> list[bool]:
    """The same by Debian's opendkim in its test mode, which reads keys from a file; skipped, with the reason, without it."""
    program = shutil.which("opendkim") or shutil.which("opendkim", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("opendkim is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "keys").write_text("".join(f"{where} {key}\n" for where, key in PUBLISHED.items()))
        (folder / "conf").write_text(f"Mode v\nSyslog no\nTestPublicKeys {folder / 'keys'}\n")
        (folder / "message").write_bytes(content)
        command = [program, "-t", folder / "message", "-x", folder / "conf", "-vv"]
        said = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
    found = [verdict == "pass" for verdict in VERDICT.findall(said)]
    return [*found, False, False][:2]


def write_keys(folder: Path) -> dict[str, str]:
    """The private keys as files; the settings that name them."""
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "rsa.pem").write_bytes(RSA.private_bytes(*plain))
    (folder / "ed.pem").write_bytes(ED.private_bytes(*plain))
    return {
        "DKIM_DOMAIN": DOMAIN, "DKIM_SELECTOR": "rsa", "DKIM_KEY_FILE": str(folder / "rsa.pem"),
        "DKIM_ED25519_SELECTOR": "ed", "DKIM_ED25519_KEY_FILE": str(folder / "ed.pem"),
    }  # fmt: skip

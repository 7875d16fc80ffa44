"""Certificates made for a test: an authority of our own, and what it signs for a host name."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates; its own is written to `file`, for MAIL_CA_FILE."""

    def __init__(self, folder: Path, name: str = "tests") -> None:
        self.folder, self.file = folder, folder / f"{name}.pem"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime | None = None
    ) -> x509.CertificateBuilder:
        now = now or datetime.now(UTC)
        return (
            x509.CertificateBuilder(issuer_name=self.name, subject_name=subject, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    def server(self, host: str, now: datetime | None = None) -> ssl.SSLContext:
        """TLS for a server of this name or address; its certificate is good from an hour before `now` to an hour after it."""
        key = ec.generate_private_key(ec.SECP256R1())
        known_as = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")]), key, now)
        certificate = builder.add_extension(x509.SubjectAlternativeName([known_as]), critical=False)
        pem = certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = self.folder / f"{host}.pem"
        path.write_bytes(pem + key.private_bytes(*plain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

"""Timestamps from outside (RFC 3161): somebody else says that a manifest was there at a time, whatever its own date says.

A stolen key signs what its thief likes, with any date; it makes no timestamp service say that the file was there before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from service.proof.encoding import Unreadable
from service.proof.timestamping import der

SIGNED_DATA, TST_INFO = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d0109100104")
CONTENT_TYPE, MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010903"), bytes.fromhex("2a864886f70d010904")
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910020c"), bytes.fromhex("2a864886f70d010910022f")
HASHES: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
LONGEST_CHAIN = 5


@dataclass(frozen=True)
class Stamp:
    """A timestamp token: what it is about (SHA-256), when, and what its signature needs."""

    imprint: bytes
    at: datetime
    nonce: int | None
    info: bytes
    attributes: dict[bytes, bytes]
    signed: bytes
    digest: hashes.HashAlgorithm
    signature: bytes
    certificates: list[x509.Certificate]
    signer: x509.Certificate | None
    """The certificate that the signature itself names by its hash (RFC 5035, RFC 2634): no other may take its place."""

    @property
    def by(self) -> str:
        names = self.signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME) if self.signer else []
        return str(names[0].value) if names else "a service without a name"


def _signer(attributes: dict[bytes, bytes], certificates: list[x509.Certificate]) -> x509.Certificate | None:
    for kind, default in ((SIGNING_CERTIFICATE_V2, "sha256"), (SIGNING_CERTIFICATE, "sha1")):
        if kind not in attributes:
            continue
        named = der.inside(der.inside(der.inside(der.values(attributes[kind])[0])[0])[0])
        algorithm = HASHES[der.inside(named[0])[0].content].name if named[0].tag == der.SEQUENCE else default
        key_id = next(value.content for value in named if value.tag == der.OCTETS)
        return next(
            (certificate for certificate in certificates if _hash(algorithm, certificate.public_bytes(Encoding.DER)) == key_id),
            None,
        )
    return None


def _hash(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content, usedforsecurity=name != "sha1").digest()


def read(token: bytes) -> Stamp:
    """A token, or the answer of a service that holds one. Raises Unreadable."""
    try:
        return _read(token)
    except (ValueError, IndexError, KeyError, StopIteration, x509.InvalidVersion):
        raise Unreadable("it is no timestamp that we can read") from None


def _read(token: bytes) -> Stamp:
    outer = der.inside(der.values(token)[0])
    if outer[0].tag == der.SEQUENCE:  # an answer: its status, and the token behind it
        outer = der.inside(outer[1])
    if outer[0].content != SIGNED_DATA:
        raise Unreadable("it is no timestamp")
    signed_data = der.inside(der.values(outer[1].content)[0])
    kind, wrapped = der.inside(signed_data[2])
    [signer] = der.inside(signed_data[-1], der.SET)
    fields = der.inside(signer)
    if kind.content != TST_INFO or fields[3].tag != 0xA0:
        raise Unreadable("it is no timestamp")
    info = der.values(wrapped.content)[0].content
    attributes = {attribute[0].content: attribute[1].content for attribute in map(der.inside, der.values(fields[3].content))}
    listed = [value for part in signed_data if part.tag == 0xA0 for value in der.values(part.content)]
    certificates = [x509.load_der_x509_certificate(value.whole) for value in listed]
    about = der.inside(der.values(info)[0])
    imprint = der.inside(about[2])
    if der.inside(imprint[0])[0].content != bytes.fromhex("608648016503040201"):
        raise Unreadable("it is a timestamp over another hash than SHA-256")
    nonce = next((int.from_bytes(value.content, "big") for value in about[5:] if value.tag == der.INTEGER), None)
    return Stamp(
        imprint[1].content, _time(about[4]), nonce, info, attributes, der.written(der.SET, fields[3].content),
        HASHES[der.inside(fields[2])[0].content], fields[5].content, certificates, _signer(attributes, certificates),
    )  # fmt: skip


def _time(value: der.Value) -> datetime:
    text = value.content.decode("ascii").removesuffix("Z").partition(".")[0]
    if value.tag != der.TIME:
        raise Unreadable("it is no timestamp")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def broken(stamp: Stamp) -> str:
    """Why the token is not whole, by itself; "" where it is."""
    signer = stamp.signer
    if signer is None:
        return "it holds no certificate of whoever signed it"
    if stamp.attributes.get(CONTENT_TYPE) != der.written(der.OID, TST_INFO):
        return "it signs something else than a time"
    if stamp.attributes.get(MESSAGE_DIGEST) != der.written(der.OCTETS, _hash(stamp.digest.name, stamp.info)):
        return "its time was changed"
    return "" if _signed_by(signer, stamp) else "its signature does not fit"


def _signed_by(signer: x509.Certificate, stamp: Stamp) -> bool:
    try:
        key = signer.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(stamp.signature, stamp.signed, padding.PKCS1v15(), stamp.digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(stamp.signature, stamp.signed, ec.ECDSA(stamp.digest))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def is_trusted(stamp: Stamp, authorities: Sequence[x509.Certificate]) -> bool:
    """Whether it was signed by a timestamp service (RFC 3161 §2.3) that one of these authorities vouches for, at that time."""
    signer = stamp.signer
    if signer is None or not _stamps_times(signer):
        return False
    return _leads_to(signer, stamp.certificates, authorities, stamp.at, LONGEST_CHAIN)


def _stamps_times(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def _leads_to(
    certificate: x509.Certificate,
    others: Sequence[x509.Certificate],
    certificates: Sequence[x509.Certificate],
    at: datetime,
    most: int,
) -> bool:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc or most == 0:
        return False
    if certificate in certificates or any(_issued(certificate, authority) for authority in certificates):
        return True
    above = [issuer for issuer in others if issuer != certificate and _issued(certificate, issuer)]
    return any(_leads_to(issuer, others, certificates, at, most - 1) for issuer in above)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        is_authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return is_authority


def request(digest: bytes, nonce: int) -> bytes:
    """What a service is asked (RFC 3161 §2.4.1): a time for this SHA-256, with the certificate of whoever says it."""
    sha256 = der.written(der.SEQUENCE, der.written(der.OID, bytes.fromhex("608648016503040201")) + bytes([der.NULL, 0]))
    imprint = der.written(der.SEQUENCE, sha256 + der.written(der.OCTETS, digest))
    number = der.written(der.INTEGER, nonce.to_bytes(nonce.bit_length() // 8 + 1, "big"))
    return der.written(der.SEQUENCE, der.written(der.INTEGER, b"\1") + imprint + number + b"\x01\x01\xff")

"""Amazon SES: its notifications come through SNS, signed with a certificate of Amazon's.

Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages"; SES Developer Guide, "Amazon SNS notification
contents". The topic is checked too: anybody can have Amazon sign a message of a topic of their own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from service.core.config import settings
from service.inbound.parsing.failures import reasons, refused_command
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies.our_letters import TOKEN
from service.inbound.webhooks.event import Event, Forged

HOST = r"https://sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?"
CERTIFICATE = re.compile(HOST + r"/SimpleNotificationService-[A-Za-z0-9]{10,80}\.pem")
SUBSCRIBE = re.compile(HOST + r"/\?Action=ConfirmSubscription&\S{10,2000}")
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303  version 1 is Amazon's default
SECONDS = 5


def enabled() -> bool:
    return bool(settings().ses_topic)


def prove(_headers: Mapping[str, str], body: bytes) -> None:
    """Raises Forged unless Amazon signed this for our topic."""
    envelope = _envelope(body)
    names = SIGNED.get(envelope.get("Type", ""))
    if names is None or envelope.get("TopicArn") != settings().ses_topic or envelope.get("SignatureVersion") not in HASHES:
        raise Forged("it is not of our topic")
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    try:
        signature = base64.b64decode(envelope.get("Signature", ""), validate=True)
        key = load_pem_x509_certificate(certificate(envelope.get("SigningCertURL", ""))).public_key()
        if not isinstance(key, RSAPublicKey):
            raise Forged("its certificate holds no RSA key")
        key.verify(signature, text.encode(), padding.PKCS1v15(), HASHES[envelope["SignatureVersion"]])
    except (InvalidSignature, binascii.Error, ValueError, OSError) as error:
        raise Forged(f"its signature does not hold: {type(error).__name__}") from None


def _envelope(body: bytes) -> dict[str, str]:
    try:
        envelope = json.loads(body)
    except ValueError:
        raise Forged("it is no JSON") from None
    if not isinstance(envelope, dict) or not all(isinstance(value, str) for value in envelope.values()):
        raise Forged("it is no SNS message")
    return envelope


def certificate(url: str) -> bytes:
    """Amazon's certificate, fetched once and kept in VAR_DIR/sns. Raises Forged for any other address."""
    if not CERTIFICATE.fullmatch(url):
        raise Forged("its certificate is not Amazon's")
    kept = kept_certificate(url)
    if not kept.is_file():
        content = fetch(url)
        load_pem_x509_certificate(content)  # what is none is not kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_bytes(content)
        part.replace(kept)
    return kept.read_bytes()


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Amazon answers by itself: who sends us elsewhere is not believed."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(url: str) -> bytes:
    """At most 64 kB from an address of Amazon's, over TLS that is verified. Raises OSError."""
    with urllib.request.build_opener(NoRedirects).open(url, timeout=SECONDS) as answer:
        content: bytes = answer.read(65_536)
        return content


def kept_certificate(url: str) -> Path:
    return settings().var_dir / "sns" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.pem"


def read(body: bytes) -> list[Event]:
    """The events of a notification; the first message of a new topic asks us to confirm that we want them."""
    envelope = _envelope(body)
    if envelope["Type"] == "SubscriptionConfirmation":
        if SUBSCRIBE.fullmatch(envelope.get("SubscribeURL", "")):
            fetch(envelope["SubscribeURL"])
        return []
    try:
        event = json.loads(envelope["Message"])
    except ValueError:
        return []
    judged = _judged(event) if isinstance(event, dict) else None
    return [Event(f"ses:{envelope['MessageId']}", judged)] if judged else []


def _judged(event: dict[str, Any]) -> Judgement | None:
    kind = event.get("notificationType") or event.get("eventType")
    tokens = _tokens(event.get("mail") or {})
    if kind == "Complaint":
        feedback = (event.get("complaint") or {}).get("complaintFeedbackType") or "abuse"
        kind = "other" if feedback == "not-spam" else "complaint"
        return Judgement("complaint" if kind == "complaint" else "other", reason=feedback, machine="a report", tokens=tokens)
    if kind == "Bounce":
        return _bounce(event.get("bounce") or {}, tokens)
    return None


def _bounce(bounce: dict[str, Any], tokens: list[str]) -> Judgement:
    """Amazon's own "transient" counts where the server's words say nothing; its "permanent" is said of any refusal with 5."""
    first: dict[str, Any] = next(iter(bounce.get("bouncedRecipients") or []), {})
    status, text = str(first.get("status") or ""), str(first.get("diagnosticCode") or "")
    verdict = reasons.judge(status, text, refused_command.refused(text), str(first.get("emailAddress") or ""))
    if verdict.kind == "unknown" and bounce.get("bounceType") == "Transient":
        verdict = reasons.Verdict("soft", "transient, says Amazon")
    if str(bounce.get("bounceSubType")) in {"Suppressed", "OnAccountSuppressionList"}:
        verdict = reasons.Verdict("hard", "on Amazon's list of addresses that fail")
    return Judgement(
        "bounce", verdict.kind, status or None, str(first.get("emailAddress") or "") or None, "failed", verdict.reason, text,
        machine="a report", tokens=tokens,
    )  # fmt: skip


def _tokens(mail: dict[str, Any]) -> list[str]:
    """From the envelope sender, and the headers where SES is told to include them."""
    headers = [str(header.get("value")) for header in mail.get("headers") or [] if isinstance(header, dict)]
    return [token.lower() for token in TOKEN.findall(" ".join([str(mail.get("source")), *headers])[:20_000])]

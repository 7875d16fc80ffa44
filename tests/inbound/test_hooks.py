"""What providers report: proved, replays ignored, unknown messages answered alike."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from service.emails import links
from service.inbound.webhooks import ses
from service.models import Arrival, Message, Subscription
from tests.inbound.test_bounces import readers, suppressed
from tests.support.people import ANN
from tests.support.world import World

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
PASSWORD = "a-password-for-tests"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pytestmark = pytest.mark.settings(SES_TOPIC=TOPIC, POSTMARK_PASSWORD=PASSWORD, APPROVALS="0")


def keep_certificate(key: rsa.RSAPrivateKey = KEY) -> None:
    """As if it had been fetched from Amazon before."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path = ses.kept_certificate(CERTIFICATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def notification(said: dict[str, Any], number: str = "1", **changes: str) -> dict[str, str]:
    """Signed as Amazon does; `changes` come after the signature."""
    body = {
        "Type": "Notification", "MessageId": number, "TopicArn": TOPIC, "Message": json.dumps(said),
        "Timestamp": "2026-11-24T12:00:00.000Z",
    }  # fmt: skip
    return signed(body, ("Message", "MessageId", "Timestamp", "TopicArn", "Type")) | changes


def signed(body: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    text = "".join(f"{name}\n{body[name]}\n" for name in names)
    signature = base64.b64encode(KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    return body | {"SignatureVersion": "2", "SigningCertURL": CERTIFICATE, "Signature": signature}


def bounced(message: Message) -> dict[str, Any]:
    return {
        "notificationType": "Bounce", "mail": {"source": links.bounce_address(message.id)},
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [
            {"emailAddress": "p0@example.org", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]},
    }  # fmt: skip


def complained(message: Message) -> dict[str, Any]:
    headers = [{"name": "Message-ID", "value": links.message_id(message.id)}]
    return {"notificationType": "Complaint", "mail": {"headers": headers}, "complaint": {"complaintFeedbackType": "abuse"}}


def post(world: World, name: str, body: dict[str, Any], **headers: str) -> int:
    status = world.client.post(f"/hooks/{name}", data=json.dumps(body), headers=headers).status_code
    world.work()
    return status


def test_amazon_reports_a_bounce_once(world: World) -> None:
    (message,) = readers(world)
    keep_certificate()
    assert [post(world, "ses", notification(bounced(message))) for _ in range(2)] == [200, 200]
    assert suppressed(world, "p0@example.org") == "bounced: no such mailbox"
    assert len(world.rows(select(Arrival))) == 1


@pytest.mark.parametrize(
    ("reply", "folder", "reason"),
    [
        ("smtp; 550 Address rejected", "unclear", None), ("smtp; 554 5.7.1 Access denied", "", None),
        ("smtp; 550 no such user", "", "bounced: no such mailbox"), ("", "unclear", None),
    ],
)  # fmt: skip
def test_amazons_word_for_any_refusal_suppresses_nobody(world: World, reply: str, folder: str, reason: str | None) -> None:
    (message,) = readers(world)
    keep_certificate()
    told = bounced(message)
    told["bounce"]["bouncedRecipients"] = [{"emailAddress": "p0@example.org", "status": "5.0.0", "diagnosticCode": reply}]
    assert post(world, "ses", notification(told)) == 200
    assert suppressed(world, "p0@example.org") == reason
    assert world.rows(select(Arrival.folder)) == [folder]


def test_amazon_reports_a_complaint(world: World) -> None:
    (message,) = readers(world)
    keep_certificate()
    assert post(world, "ses", notification(complained(message))) == 200
    assert world.rows(select(Subscription.state)) == ["left"]


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageId": "2"}, {"Message": "{}"}, {"TopicArn": TOPIC + "s"}, {"Signature": ""}, {"SignatureVersion": "3"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.example/SimpleNotificationService-0123456789abcdef.pem"},
        {"SigningCertURL": "https://example.org/SimpleNotificationService-0123456789abcdef.pem"}, {"Type": "Something"},
    ],
)  # fmt: skip
def test_what_amazon_did_not_sign_is_refused(world: World, changes: dict[str, str]) -> None:
    (message,) = readers(world)
    keep_certificate()
    assert post(world, "ses", notification(bounced(message), **changes)) == 403
    assert suppressed(world, "p0@example.org") is None


def test_only_a_certificate_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = readers(world)
    keep_certificate()
    path = ses.kept_certificate(CERTIFICATE)
    answers = [b"<html>come back later</html>", path.read_bytes()]
    path.unlink()
    monkeypatch.setattr(ses, "fetch", lambda _url: answers.pop(0))
    assert [post(world, "ses", notification(bounced(message))) for _ in range(3)] == [403, 200, 200]
    assert suppressed(world, "p0@example.org")


CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=0123456789"


@pytest.mark.parametrize(("topic", "url", "status", "asked"), [
    (TOPIC, CONFIRM, 200, [CONFIRM]),
    (TOPIC + "s", CONFIRM, 403, []),
    (TOPIC, CONFIRM.replace("https", "http"), 200, []),
    (TOPIC, CONFIRM.replace(".com/", ".com.example/"), 200, []),
    (TOPIC, CONFIRM.replace("ConfirmSubscription", "Unsubscribe"), 200, []),
])  # fmt: skip
def test_a_subscription_is_confirmed_at_amazon_and_for_our_topic_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, topic: str, url: str, status: int, asked: list[str]
) -> None:
    keep_certificate()
    fetched: list[str] = []
    monkeypatch.setattr(ses, "fetch", fetched.append)
    body = {"Type": "SubscriptionConfirmation", "MessageId": "1", "TopicArn": topic, "Message": "Confirm?", "Token": "t",
            "SubscribeURL": url, "Timestamp": "2026-11-24T12:00:00.000Z"}  # fmt: skip
    assert post(world, "ses", signed(body, ses.SIGNED["SubscriptionConfirmation"])) == status
    assert fetched == asked


def test_our_mail_tells_postmark_to_keep_its_name(world: World) -> None:
    readers(world)
    world.subscribe(ANN)
    world.work()
    for letter in (world.letter("p0@example.org", "The first week"), world.letter(ANN["email"], "confirm")):
        assert letter.get_all("X-PM-KeepID") == ["true"]


def test_a_message_that_is_not_ours_is_answered_alike(world: World) -> None:
    (message,) = readers(world)
    keep_certificate()
    strange = bounced(message) | {"mail": {"source": f"bounce+{'a' * 26}@lists.example.org"}}
    assert post(world, "ses", notification(strange)) == 200
    assert suppressed(world, "p0@example.org") is None


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"undersigned:{password}".encode()).decode()


def test_postmark_reports_with_our_password_alone(world: World) -> None:
    (message,) = readers(world)
    said = {
        "RecordType": "Bounce", "ID": 42, "Type": "HardBounce", "Email": "p0@example.org",
        "Details": "smtp;550 5.1.1 user unknown", "Content": f"Message-ID: {links.message_id(message.id)}\r\n",
    }  # fmt: skip
    assert post(world, "postmark", said) == 403
    for wrong in (basic("another-password-here"), "Basic é", "é", "Basic Zg"):
        assert post(world, "postmark", said, Authorization=wrong) == 403
    assert suppressed(world, "p0@example.org") is None
    assert [post(world, "postmark", said, Authorization=basic(PASSWORD)) for _ in range(2)] == [200, 200]
    assert suppressed(world, "p0@example.org") == "bounced: no such mailbox"
    said = {"RecordType": "SpamComplaint", "ID": 43, "Metadata": {"message": links.message_token(message.id)}}
    assert post(world, "postmark", said, Authorization=basic(PASSWORD)) == 200
    assert world.rows(select(Subscription.state)) == ["left"]


@pytest.mark.settings(SES_TOPIC="", POSTMARK_PASSWORD="")
def test_a_provider_that_is_not_set_up_has_no_address(world: World) -> None:
    assert [post(world, name, {}) for name in ("ses", "postmark", "others")] == [404, 404, 404]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": 1}', b"\xff"])
def test_what_is_no_event_is_refused(world: World, body: bytes) -> None:
    assert world.client.post("/hooks/ses", data=body).status_code == 403
    assert world.client.post("/hooks/postmark", data=body).status_code == 403

"""Which time of a manifest is proved: a service outside is asked (RFC 3161), and what it says is checked."""

from __future__ import annotations

import hashlib
import io
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from service.core.db import transaction
from service.models import Failure, Manifest
from service.proof.__main__ import main
from service.proof.encoding import Unreadable, decode
from service.proof.manifests_check import Trust
from service.proof.timestamping import tokens
from service.proof.verify import Verdict, verdict, verify
from tests.support import crowd
from tests.support.people import SLUG
from tests.support.proof_files import KEYS, NOW, ONE
from tests.support.servers.timestamp_service import TimestampService
from tests.support.world import World
from workers import clock

DIGEST = hashlib.sha256(ONE).digest()
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> TimestampService:
    return TimestampService(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def token(service: TimestampService) -> bytes:
    return service.answer(tokens.request(DIGEST, 1 << 62))


def trusting(*services: TimestampService) -> Trust:
    found = [x509.load_pem_x509_certificate(one.authority.read_bytes()) for one in services]
    return Trust(keys=KEYS, authorities=tuple(one.public_bytes(Encoding.DER) for one in found))


def said(token: bytes, trust: Trust, manifest: bytes = ONE) -> tuple[Verdict, str]:
    found = verify([("manifest.json", manifest), ("time.tst", token)], LATER, trust)
    return verdict(found), "\n".join(finding.sentence for finding in found)


def test_the_verdict_says_which_time_is_proved(service: TimestampService, token: bytes) -> None:
    verdict_, words = said(token, trusting(service))
    assert verdict_ is Verdict.HOLDS
    assert "says Test Timestamps, for whom an authority that you trust vouches" in words
    assert f"proved is that it was there on {datetime.now(UTC):%Y-%m-%d} at" in words
    alone = verify([("manifest.json", ONE)], NOW, Trust(keys=KEYS))
    assert any("its date is its own word" in finding.sentence for finding in alone)


def test_who_trusts_no_authority_is_told_so(token: bytes) -> None:
    verdict_, words = said(token, Trust(keys=KEYS))
    assert verdict_ is Verdict.HOLDS  # the manifest does, by its key
    assert "whether to believe it is yours to know" in words
    assert "its date is its own word" in words


def test_an_authority_of_the_forgers_own_proves_nothing(tmp_path: Path, service: TimestampService) -> None:
    theirs = TimestampService(tmp_path / "forger")
    _, words = said(theirs.answer(tokens.request(DIGEST, 5)), trusting(service))
    assert "yours to know" in words
    assert "proved is" not in words


@pytest.mark.parametrize(
    ("usage", "proves"), [("critical,timeStamping", True), ("timeStamping", False), ("critical,serverAuth", False)]
)
def test_only_a_certificate_for_timestamps_counts(tmp_path: Path, usage: str, *, proves: bool) -> None:
    try:
        one = TimestampService(tmp_path / "tsa", usage=usage)
        token = one.answer(tokens.request(DIGEST, 5))
    except subprocess.CalledProcessError:
        assert not proves  # openssl itself refuses to sign with it
        return
    assert ("proved is" in said(token, trusting(one))[1]) == proves


@pytest.mark.parametrize("kind", ["rsa:2048 sha1", "rsa:3072 sha384", "ec -pkeyopt ec_paramgen_curve:P-256 sha256"])
def test_other_keys_and_hashes_are_read(tmp_path: Path, kind: str) -> None:
    key, _, name = kind.rpartition(" ")
    one = TimestampService(tmp_path / "tsa", key=key, hash=name)
    assert "proved is" in said(one.answer(tokens.request(DIGEST, 5)), trusting(one))[1]


def test_a_timestamp_of_another_file_is_named(service: TimestampService) -> None:
    other = service.answer(tokens.request(hashlib.sha256(b"another").digest(), 5))
    verdict_, words = said(other, trusting(service))
    assert verdict_ is Verdict.CANNOT_BE_JUDGED
    assert "about a file that is not here" in words


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_bit_of_a_timestamp_can_be_changed(service: TimestampService, token: bytes) -> None:
    """Whatever is changed, it is refused, or still says the same of the same file."""
    true = tokens.read(token)
    known = [x509.load_pem_x509_certificate(service.authority.read_bytes())]
    refused = 0
    for at in range(len(token)):
        for bit in (0, 3, 7):
            changed = bytearray(token)
            changed[at] ^= 1 << bit
            try:
                stamp = tokens.read(bytes(changed))
            except Unreadable:
                refused += 1
                continue
            if tokens.broken(stamp) or not tokens.is_trusted(stamp, known):
                refused += 1
            else:
                assert (stamp.imprint, stamp.at) == (true.imprint, true.at)
    assert refused > len(token)


NO_TIMESTAMPS = (b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x82\x00\x02\x05\x00", b"\x30\x81\x80" + b"\x30\x00" * 64)


@pytest.mark.parametrize("content", NO_TIMESTAMPS)
def test_what_is_no_timestamp_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(Unreadable, match="timestamp"):
        verify([("manifest.json", ONE), ("time.tst", content)], NOW, Trust(keys=KEYS))


def test_the_command_takes_the_authority_by_a_file(
    tmp_path: Path, service: TimestampService, token: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_bytes(ONE)
    (tmp_path / "time.tst").write_bytes(token)
    files = [str(tmp_path / "manifest.json"), str(tmp_path / "time.tst")]
    main([*files, "--authority", str(service.authority)])
    assert "proved is that it was there" in capsys.readouterr().out
    (tmp_path / "none.pem").write_text("nothing")
    assert main([*files, "--authority", str(tmp_path / "none.pem")]) == 2
    assert "it holds no certificates" in capsys.readouterr().out


class TestAsking:
    @pytest.fixture
    def environment(self, environment: dict[str, str], service: TimestampService) -> Iterator[dict[str, str]]:
        service.away, service.answers = False, None
        with service.serving() as url:
            yield environment | {"TIMESTAMP_URL": url, "TIMESTAMP_CA_FILE": str(service.authority)}

    def serve(self, world: World) -> None:
        world.publish(milestones=(1,))
        crowd.sign(range(1))
        world.work()

    def test_each_serving_gets_one_and_the_page_says_its_time(self, either_world: World, service: TimestampService) -> None:
        world = either_world
        self.serve(world)
        [token] = world.rows(select(Manifest.timestamp))
        assert token
        register = world.get(f"/notices/{SLUG}/deliveries").text
        assert "its timestamp</a> from outside" in register
        assert world.get(f"/notices/{SLUG}/servings/1/timestamp.tst").data == token
        assert world.get(f"/notices/{SLUG}/servings/2/timestamp.tst").status_code == 404
        text = world.get(f"/notices/{SLUG}/editions/1.txt").data
        found = world.client.get("/verify").text.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"csrf_token": found, "files": (io.BytesIO(b"# " + text[2:] if text[:2] == b"# " else text), "edition.txt")}
        page = world.client.post("/verify", data=form, content_type="multipart/form-data").text
        assert "proved is that it was there" in page, page

    @pytest.mark.parametrize("trouble", ["away", "nonsense", "another's"])
    def test_a_service_that_is_away_or_lies_delays_nothing_and_is_asked_again(
        self, world: World, service: TimestampService, trouble: str
    ) -> None:
        service.away = trouble == "away"
        if trouble != "away":
            service.answers = b"\x30\x03\x02\x01\x02" if trouble == "nonsense" else service.answer(tokens.request(DIGEST, 7))
        self.serve(world)
        assert world.letters("secretary@nec.example")
        assert world.rows(select(Manifest.timestamp)) == [None]
        assert world.rows(select(Failure.job)) == ["stamp"]
        service.away, service.answers = False, None
        with transaction() as session:
            clock.sweep_servings(session, datetime.now(UTC))
        world.work()
        assert world.rows(select(Manifest.timestamp)) != [None]
        assert world.rows(select(Failure)) == []

    def test_what_was_changed_since_has_no_time(self, world: World, service: TimestampService) -> None:
        self.serve(world)
        [manifest] = world.rows(select(Manifest))
        assert decode(manifest.content)["manifest"]["number"] == 1
        stamp = tokens.read(world.rows(select(Manifest.timestamp))[0])
        assert stamp.imprint.hex() == manifest.hash == hashlib.sha256(manifest.content).hexdigest()

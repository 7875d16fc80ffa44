"""`python -m service.proof FILE…`: says what holds and what does not, without us and without a network.

Takes any of: a manifest, a delivered letter (.eml), a PDF, CSV or text with its manifest, a receipt, two manifests (heads) with
the proof between them, the leaves of a tree, a chain of evidence, the published keys. Say with --key or --keys which keys are
theirs; keys among the files prove nothing, because they may come from whoever made the rest. A timestamp (.tst, RFC 3161)
beside a manifest proves its time, to those who trust its --authority. Exit: 0 holds, 1 does not hold, 2 cannot be read, 3
cannot be judged.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from service.proof.encoding import Unreadable, decode
from service.proof.manifests_check import Finding, Trust
from service.proof.verify import Verdict, verdict, verify

SIGNS = {True: "HOLDS     ", False: "DOES NOT  ", None: "          "}
UNREADABLE = 2


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m service.proof", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--key", action="append", default=[], help="the fingerprint of a key of theirs, as their site shows it")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="their published keys, fetched from their site by yourself")
    parser.add_argument("--authority", type=Path, metavar="FILE", help="certificates (PEM) that vouch for timestamp services")
    chosen = parser.parse_args(words)
    try:
        trust = Trust(tuple(chosen.key), decode(chosen.keys.read_bytes()) if chosen.keys else None)
        trust = trust._replace(authorities=_certificates(chosen.authority) if chosen.authority else ())
        files = [(path.name, path.read_bytes()) for path in chosen.files]
        findings = verify(files, datetime.now(UTC), trust)
    except (OSError, Unreadable) as error:
        _say(str(error))
        return UNREADABLE
    for finding in findings:
        _say(("UNKNOWN   " if not finding.judged else SIGNS[finding.holds]) + finding.sentence)
    _say(in_words(findings))
    return verdict(findings).value


def _certificates(path: Path) -> tuple[bytes, ...]:
    try:
        return tuple(
            certificate.public_bytes(Encoding.DER) for certificate in x509.load_pem_x509_certificates(path.read_bytes())
        )
    except ValueError:
        raise Unreadable(f"{path.name} cannot be read: it holds no certificates.") from None


def in_words(findings: list[Finding]) -> str:
    """The verdict as a sentence."""
    wrong = sum(finding.holds is False for finding in findings)
    return {
        Verdict.HOLDS: "Everything that could be checked holds.",
        Verdict.DOES_NOT_HOLD: f"{wrong} thing(s) here do not hold.",
        Verdict.CANNOT_BE_JUDGED: "This cannot be judged: nothing here is signed by a key that you are known to trust.",
    }[verdict(findings)]


def _say(sentence: str) -> None:
    """No control characters: a file's name or words must not speak for us on a terminal."""
    sys.stdout.write("".join(character if character.isprintable() else "�" for character in sentence) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

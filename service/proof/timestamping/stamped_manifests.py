"""Which time of a manifest is proved: that of a timestamp from outside, or only its own word."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from cryptography import x509

from service.proof.manifests_check import Finding, Findings, Signed, Trust
from service.proof.timestamping.tokens import Stamp, broken, is_trusted


def check_stamp(name: str, stamp: Stamp, signed: Sequence[Signed], trust: Trust) -> Findings:
    """A timestamp by itself: whole, about a manifest that is here, by whom the reader has reason to believe."""
    about = [manifest for manifest in signed if sha256(manifest.file).digest() == stamp.imprint]
    if why := broken(stamp):
        yield Finding(False, f"{name}: this timestamp does not hold: {why}.")
    elif not about:
        yield Finding(None, f"{name}: this timestamp is about a file that is not here.", judged=False)
    elif _trusts(stamp, trust):
        sentence = (
            f"{about[0].what} was there on {_in_words(stamp)}, says {stamp.by}, for whom an authority that you trust vouches"
        )
        yield Finding(True, f"{name}: the manifest of {sentence}.")
    else:
        sentence = f"{about[0].what} was there on {_in_words(stamp)}, says {stamp.by}; whether to believe it is yours to know"
        yield Finding(None, f"{name}: the manifest of {sentence} (--authority).")


def check_time(manifest: Signed, stamps: Sequence[Stamp], trust: Trust) -> Findings:
    """Says which time is proved; a key that was stolen signs any date."""
    matching = [stamp for stamp in stamps if stamp.imprint == sha256(manifest.file).digest()]
    proved = [stamp for stamp in matching if not broken(stamp) and _trusts(stamp, trust)]
    if proved:
        first = min(proved, key=lambda stamp: stamp.at)
        yield Finding(None, f"{manifest.name}: proved is that it was there on {_in_words(first)}, whatever its own date says.")
    elif not manifest.body["rehearsal"]:
        yield Finding(
            None, f"{manifest.name}: its date is its own word; that it was there then, nobody outside has proved here."
        )


def _trusts(stamp: Stamp, trust: Trust) -> bool:
    return is_trusted(stamp, [x509.load_der_x509_certificate(authority) for authority in trust.authorities])


def _in_words(stamp: Stamp) -> str:
    return f"{stamp.at:%Y-%m-%d at %H:%M:%S} UTC"

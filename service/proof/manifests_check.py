"""Manifests as they were handed over: signed with a key that is theirs, in time, in an unbroken chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from service.proof import keys
from service.proof.encoding import Document, decode, from_hex, sha256
from service.proof.merkle import grew

CLOCKS_DIFFER = timedelta(minutes=10)


class Finding(NamedTuple):
    """One thing that was looked at. `holds` None: a remark, neither way; not `judged`: it could not be told, and should be."""

    holds: bool | None
    sentence: str
    judged: bool = True


Findings = Iterator[Finding]


class Trust(NamedTuple):
    """What the reader knows from elsewhere than from the files that are checked.

    fingerprints: of keys that are theirs; keys: their document as they published it; issued: the SHA-256 of every manifest
    that they ever issued, where that is known (their own page knows); authorities: certificates, DER, of those who vouch for
    timestamp services.
    """

    fingerprints: tuple[str, ...] = ()
    keys: Document | None = None
    issued: frozenset[str] | None = None
    authorities: tuple[bytes, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.fingerprints and self.keys is None


@dataclass(frozen=True)
class Signed:
    """A manifest as it was handed over."""

    name: str
    file: bytes
    body: Document
    public_key: bytes
    signature: str

    @property
    def whole(self) -> bool:
        return keys.fits(self.public_key, "manifest", self.body, self.signature)

    @property
    def edition(self) -> str:
        return str(self.body["edition"]["hash"])

    @property
    def what(self) -> str:
        kind = "rehearsal" if self.body["rehearsal"] else f"serving {self.body['number']}"
        return f"{kind} of “{self.body['notice']}” ({self.body['issued_at'][:16].replace('T', ' ')} UTC)"


def read(name: str, file: bytes) -> Signed:
    whole = decode(file)
    return Signed(name, file, whole["manifest"], keys.from_base64(whole["public_key"]), whole["signature"])


def check_keys(name: str, document: Document, trust: Trust) -> Findings:
    """A document of keys: each is what its fingerprint says, and endorsed by the one before it; an old copy is a beginning."""
    published = document["keys"]
    theirs = trust.keys or document
    shorter = min(len(published), len(theirs["keys"]))
    if document["service"] == theirs["service"] and published[:shorter] != theirs["keys"][:shorter]:
        yield Finding(False, f"{name}: these are not the keys that {theirs['service']} published.")
    elif document["service"] != theirs["service"]:
        sentence = f"these keys say that they are of {document['service']}, and you trust those of {theirs['service']}."
        yield Finding(None, f"{name}: {sentence}", judged=False)
    for before, key in zip([published[0], *published], published, strict=False):
        if not keys.endorsed(before, key):
            yield Finding(False, f"{name}: the key before it does not vouch for the key {key['id']}.")
    which = " → ".join(key["id"] for key in published)
    yield Finding(None, f"{name}: the keys of {document['service']}, the oldest first: {which}.")


def check(manifest: Signed, given: list[Document], now: datetime, trust: Trust) -> Findings:
    body, fingerprint = manifest.body, keys.key_id(manifest.public_key)
    if not manifest.whole:
        yield Finding(
            False, f"{manifest.name}: the signature does not fit. The manifest was changed, or another key signed it."
        )
        return
    yield Finding(True, f"{manifest.name}: the manifest of {manifest.what} is signed with the key {fingerprint}, and whole.")
    yield _whose_key(manifest, fingerprint, given, trust)
    if trust.issued is not None and sha256(manifest.file) not in trust.issued and trust.keys and _is_of(manifest, trust.keys):
        yield Finding(False, f"{manifest.name}: this manifest was never issued here, whoever signed it.")
    if datetime.fromisoformat(body["issued_at"]) > now + CLOCKS_DIFFER:
        yield Finding(False, f"{manifest.name}: the manifest is dated {body['issued_at']}, which is in the future.")
    tree = body["tree"]
    sums = (tree["signed"] - tree["withdrawn"], tree["signed"] + tree["withdrawn"], tree["signed"])
    if sums != (body["count"], tree["size"], body["cut_off"]) or not 0 <= tree.get("struck", 0) <= tree["withdrawn"]:
        yield Finding(False, f"{manifest.name}: its totals contradict each other.")
    else:
        struck = tree.get("struck", 0)
        out = f", {struck:,} struck out" if struck else ""
        sentence = f"{tree['signed']:,} signed, {tree['withdrawn'] - struck:,} withdrew{out}, {body['count']:,} stood"
        yield Finding(
            None, f"{manifest.name}: up to signature number {body['cut_off']:,}: {sentence}; text {manifest.edition}."
        )


def _whose_key(manifest: Signed, fingerprint: str, given: list[Document], trust: Trust) -> Finding:
    """A file that lies beside a letter may come from whoever made the letter, so keys among the files give no trust."""
    if fingerprint in trust.fingerprints:
        return Finding(True, f"{manifest.name}: the key {fingerprint} is one that you trust.")
    for document in [trust.keys] if trust.keys else [each for each in given if _follows(each, trust)]:
        if _is_of(manifest, document):
            return _in_use(manifest, fingerprint, document)
    if trust.keys and not trust.fingerprints:
        sentence = f"it is of {manifest.body['service']}, and the keys that are known are those of {trust.keys['service']}"
        return Finding(None, f"{manifest.name}: {sentence}: check it there.", judged=False)
    if not trust.is_empty:
        return Finding(False, f"{manifest.name}: the key is {fingerprint}, not one that you trust.")
    where = f"{manifest.body['service']}/.well-known/undersigned-keys.json"
    sentence = f"whether the key {fingerprint} is theirs cannot be told from these files. Compare it with {where}"
    return Finding(None, f"{manifest.name}: {sentence}, and give it as --key, or that file as --keys.", judged=False)


def _is_of(manifest: Signed, document: Document) -> bool:
    return bool(document["service"] == manifest.body["service"])


def _follows(document: Document, trust: Trust) -> bool:
    """Whether a chain of keys begins with one that is trusted: those behind it are endorsed, each by the one before."""
    entries = document["keys"]
    return (
        bool(entries)
        and entries[0]["id"] in trust.fingerprints
        and all(keys.endorsed(before, entry) for before, entry in zip([entries[0], *entries], entries, strict=False))
    )


def _in_use(manifest: Signed, fingerprint: str, document: Document) -> Finding:
    issued = datetime.fromisoformat(manifest.body["issued_at"])
    entries = document["keys"]
    for entry, after in zip(entries, [*entries[1:], None], strict=True):
        if keys.from_base64(entry["public_key"]) == manifest.public_key:
            until = datetime.fromisoformat(after["from"]) if after else issued
            in_use = datetime.fromisoformat(entry["from"]) <= issued <= until
            sentence = "is published, and was in use then" if in_use else "was not in use when the manifest was signed"
            return Finding(in_use, f"{manifest.name}: the key {fingerprint} {sentence}.")
    return Finding(False, f"{manifest.name}: the key {fingerprint} is none of those that are published.")


def check_chain(signed: list[Signed], proofs: list[Document]) -> Findings:
    """Manifests of one notice, each holding the hash of the one before it, each tree beginning with the one before it.

    Some may be left out between two whose trees a consistency proof joins.
    """
    joined = {head(proof["new"]) for proof in proofs}
    served = {
        (manifest.body["service"], manifest.body["notice"], manifest.body["number"]): manifest
        for manifest in signed
        if not manifest.body["rehearsal"]
    }
    for (service, notice, number), manifest in sorted(served.items()):
        before = served.get((service, notice, number - 1))
        if (number == 1) != (manifest.body["previous"] is None):
            yield Finding(False, f"{manifest.name}: the chain is truncated: {manifest.what} does not name the one before it.")
        elif before is None and head(manifest.body["tree"]) in joined:
            continue
        elif before is None and any(key[:2] == (service, notice) and key[2] < number for key in served):
            yield Finding(False, f"The chain is truncated: the manifest before {manifest.what} is missing between those given.")
        elif before is not None and sha256(before.file) != manifest.body["previous"]:
            yield Finding(False, f"{manifest.name}: {manifest.what} follows on another manifest than the one given before it.")
        elif before is not None:
            yield Finding(True, f"{manifest.name}: {manifest.what} follows on {before.what}.")
            yield from _tree_grew(before, manifest)
    if any(manifest.file != served[key].file for manifest in signed if (key := _place(manifest)) in served):
        yield Finding(False, "Two different manifests claim to be the same serving.")


def _place(manifest: Signed) -> tuple[str, str, int]:
    return manifest.body["service"], manifest.body["notice"], manifest.body["number"]


def _tree_grew(before: Signed, manifest: Signed) -> Findings:
    proof, old, new = manifest.body["tree"]["grown_from"], before.body["tree"], manifest.body["tree"]
    if before.edition != manifest.edition:
        yield Finding(None, f"{manifest.name}: its text is another one than before, so its signatures begin anew.")
    elif (
        proof is None or (proof["size"], proof["root"]) != (old["size"], old["root"]) or not continues(old, new, proof["path"])
    ):
        yield Finding(
            False, f"{manifest.name}: its list of signatures does not continue the one before it: something was changed."
        )
    else:
        yield Finding(True, f"{manifest.name}: its list of signatures continues the one before it; nothing in it was changed.")


def head(tree: Document) -> tuple[int, str]:
    return tree["size"], tree["root"]


def continues(old: Document, new: Document, path: list[str]) -> bool:
    """Whether the tree of one head begins with the tree of the other."""
    heads = (from_hex(old["root"]), from_hex(new["root"]))
    return grew(old["size"], new["size"], *heads, [from_hex(step) for step in path])

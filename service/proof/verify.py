"""What holds and what does not, of the files that somebody has: `verify` says it in sentences. Nothing is asked of any server.

Read it from the top: a manifest is signed; manifests form a chain; a letter, a document, a receipt, a list of leaves and a
chain of evidence each fit a manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TypeVar

from service.proof import evidence, leaves
from service.proof.encoding import Document, Unreadable, encode, from_hex, sha256
from service.proof.given_files import Given
from service.proof.letters.letter_check import check_letter
from service.proof.manifests_check import (
    Finding,
    Findings,
    Signed,
    Trust,
    check,
    check_chain,
    check_keys,
    continues,
    head,
    read,
)
from service.proof.merkle import includes, leaf_hash, root_of
from service.proof.timestamping.stamped_manifests import check_stamp, check_time

T = TypeVar("T")
NOBODY = Trust()
NOBODY_SIGNED = "only the receipt in it was checked, for nobody signs the letter’s own words. Give the receipt by itself."


class Verdict(Enum):
    """What follows from all findings together; the value is the exit code of the command."""

    HOLDS = 0
    DOES_NOT_HOLD = 1
    CANNOT_BE_JUDGED = 3


def verdict(findings: list[Finding]) -> Verdict:
    """It holds where something was checked against a key that the reader trusts, and nothing spoke against it."""
    if any(finding.holds is False for finding in findings):
        return Verdict.DOES_NOT_HOLD
    if any(not finding.judged for finding in findings) or not any(finding.holds for finding in findings):
        return Verdict.CANNOT_BE_JUDGED
    return Verdict.HOLDS


def verify(files: list[tuple[str, bytes]], now: datetime, trust: Trust = NOBODY) -> list[Finding]:
    """Checks everything that can be checked with these files; what does not hold comes first, remarks last.

    Raises Unreadable, with the file's name, for what cannot be read at all.
    """
    given = Given()
    for name, content in files:
        _readable(name, partial(given.take, name, content))
    signed = [_readable(name, partial(read, name, file)) for name, file in given.manifests.items()]
    if not (signed or given.keys or given.evidence or given.receipts or trust.issued is not None):
        raise Unreadable("There is no manifest among these files, and without one nothing can be told.")
    findings: list[Finding] = []
    for name, step in _steps(given, signed, now, trust):
        findings += _readable(name, partial(list, step))
    return in_order(findings)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Each once; what does not hold comes first, remarks last."""
    return sorted(dict.fromkeys(findings), key=lambda finding: (False, True, None).index(finding.holds))


def _steps(given: Given, signed: list[Signed], now: datetime, trust: Trust) -> Iterator[tuple[str, Findings]]:
    """Each check, with the name of the file that it is about."""
    published = list(given.keys.values())
    keys_given = given.keys | ({"their published keys": trust.keys} if trust.keys else {})
    yield from ((name, check_keys(name, document, trust)) for name, document in keys_given.items())
    once = {manifest.file: manifest for manifest in reversed(signed)}  # the same file twice is one
    yield from ((manifest.name, check(manifest, published, now, trust)) for manifest in reversed(once.values()))
    yield from ((name, check_stamp(name, stamp, list(once.values()), trust)) for name, stamp in given.timestamps.items())
    yield from (
        (manifest.name, check_time(manifest, list(given.timestamps.values()), trust))
        for manifest in once.values()
        if manifest.whole
    )
    signed = [manifest for manifest in signed if manifest.whole]  # nothing is built on one that was changed
    yield from ((name, _consistency(name, proof, signed)) for name, proof in given.consistency.items())
    yield "The manifests", check_chain(signed, list(given.consistency.values()))
    yield from ((letter.name, check_letter(letter, signed)) for letter in given.letters)
    yield from ((name, _document(name, content, signed)) for name, content in given.other.items())
    yield from ((name, _receipt(name, receipt)) for name, receipt in given.receipts.items())
    yield from ((name, iter([Finding(None, f"{name}: {NOBODY_SIGNED}", judged=False)])) for name in given.with_receipt)
    yield from ((name, _leaves(name, text, signed)) for name, text in given.leaves.items())
    yield from ((name, _evidence(name, chain, signed)) for name, chain in given.evidence.items())


def _readable(name: str, act: Callable[[], T]) -> T:
    """A document of ours that lacks a field is none."""
    try:
        return act()
    except Unreadable as error:
        raise Unreadable(f"{name} cannot be read: {error}.") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        raise Unreadable(f"{name} cannot be read: it is not built as it should be.") from None


def _document(name: str, content: bytes, signed: list[Signed]) -> Findings:
    digest = sha256(content)
    texts = [manifest for manifest in signed if digest == manifest.edition]
    given_to = [
        (each["office"], manifest.what)
        for manifest in signed
        for each in manifest.body["deliveries"]
        if any(digest == file["sha256"] for file in [*each["attachments"], *each["linked"]])
    ]
    if texts:
        yield Finding(True, f"{name}: this is the exact text that was served.")
    elif given_to:
        office, what = given_to[0]
        others = f" and {len(given_to) - 1} other(s)" if len(given_to) > 1 else ""
        yield Finding(True, f"{name}: this was given to {office}{others} with {what}.")
    else:
        yield Finding(
            False,
            f"{name}: we could not confirm this file, because no manifest here names one with exactly these bytes. "
            "Either it was never served, or it was changed since: opening a file and saving it again is enough.",
        )


def _receipt(name: str, receipt: Document) -> Findings:
    statement, position = receipt["statement"], receipt["position"]
    leaf = leaf_hash(leaves.entry(statement["act"], from_hex(receipt["nonce"]), statement))
    what = _what(statement)
    for serving in receipt["servings"]:
        manifest = read(name, encode(serving["manifest"]))
        tree, path = manifest.body["tree"], [from_hex(step) for step in serving["path"]]
        names = (receipt["service"], receipt["notice"], statement["edition"])
        same = manifest.whole and names == (manifest.body["service"], manifest.body["notice"], manifest.edition)
        if same and includes(position, tree["size"], leaf, path, from_hex(tree["root"])):
            yield Finding(True, f"{name}: {what}, is counted in {manifest.what}.")
        else:
            yield Finding(False, f"{name}: {what}, is not in the tree of {manifest.what}: receipt or proof was changed.")
    if not receipt["servings"]:
        sentence = "no serving has counted it yet, and until then nobody has signed it. Get it again after the next one."
        yield Finding(None, f"{name}: {what}; {sentence}", judged=False)


def _what(statement: Document) -> str:
    number = f"signature number {statement['number']:,}"
    what = {"withdraw": "a withdrawal", "strike": f"{number}, struck out"}.get(statement["act"])
    return what or f"{statement['name']}, {number}"


def _leaves(name: str, text: str, signed: list[Signed]) -> Findings:
    edition, leaf_hashes = leaves.read(text)
    of_edition = [manifest for manifest in signed if manifest.edition == edition]
    if not of_edition:
        yield Finding(False, f"{name}: none of these manifests is about the text {edition}.")
    for manifest in of_edition:
        tree = manifest.body["tree"]
        part = leaf_hashes[: tree["size"]]
        totals = {act: sum(kind == act for kind, _ in part) for act in leaves.KINDS}
        same_head = root_of(leaf for _, leaf in part) == (tree["size"], from_hex(tree["root"]))
        if same_head and totals == {"sign": tree["signed"], "withdraw": tree["withdrawn"]}:
            yield Finding(True, f"{name}: these leaves have the head and the totals of {manifest.what}.")
        else:
            yield Finding(False, f"{name}: these leaves are not those of {manifest.what}: one was changed, left out or added.")


def _evidence(name: str, chain: Document, signed: list[Signed]) -> Findings:
    try:
        heads = evidence.hashes(chain["notice"], chain["records"])
    except ValueError as error:
        yield Finding(False, f"{name}: {error}.")
        return
    if heads[-1] != chain["head"]:
        yield Finding(False, f"{name}: the last record is not the one that the chain ends with: it was changed or cut off.")
        return
    yield Finding(True, f"{name}: {len(chain['records']):,} records, each following on the one before it.")
    if not any(manifest.body["notice"] == chain["notice"] for manifest in signed):
        sentence = "nobody signed this chain, and no manifest of the notice lies beside it: whose it is cannot be told."
        yield Finding(None, f"{name}: {sentence}", judged=False)
    for manifest in signed:
        state = manifest.body["evidence"]
        if manifest.body["notice"] == chain["notice"] and not manifest.body["rehearsal"]:
            whole = state["length"] < len(heads) and heads[state["length"]] == state["head"]
            sentence = "stands here unchanged" if whole else "is not all here: the chain is truncated, or was changed"
            yield Finding(whole, f"{name}: what had happened by {manifest.what} {sentence}.")


def _consistency(name: str, proof: Document, signed: list[Signed]) -> Findings:
    heads = [head(manifest.body["tree"]) for manifest in signed if manifest.edition == proof["edition"]]
    if head(proof["old"]) not in heads or head(proof["new"]) not in heads:
        yield Finding(False, f"{name}: it joins two heads that are not both in the manifests given.")
    elif continues(proof["old"], proof["new"], proof["path"]):
        yield Finding(
            True, f"{name}: the list of {proof['new']['size']:,} leaves begins with the list of {proof['old']['size']:,}."
        )
    else:
        yield Finding(False, f"{name}: the later list does not begin with the earlier one: something was changed.")

"""The verifier: what a stranger can tell from files alone; and a changed byte, anywhere, is found and named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.proof import evidence, keys, leaves, manifest, receipts
from service.proof.encoding import Unreadable, decode, encode, sha256
from service.proof.manifests_check import Trust
from service.proof.verify import Verdict, verdict, verify
from tests.support.proof_files import (
    CSV,
    EDITION,
    ENTRIES,
    FIRST,
    HEADS,
    KEYS,
    NOW,
    ONE,
    PDF,
    RECORDS,
    SECOND,
    STATEMENTS,
    TEXT,
    THREE,
    TWO,
    between,
    letter,
    made,
    published,
    receipt,
)

THEIRS = Trust(keys=KEYS)
ROOT = Path(__file__).parent.parent.parent.parent
GOOD: dict[str, dict[str, bytes]] = {
    "a manifest": {"one.json": ONE},
    "two heads": {"one.json": ONE, "two.json": TWO},
    "two heads and their keys": {"one.json": ONE, "two.json": TWO, "keys.json": encode(KEYS)},
    "two heads with the proof between": {"one.json": ONE, "three.json": THREE, "between.json": between(2, 5)},
    "a letter": {"letter.eml": letter()},
    "a PDF with its manifest": {"list.pdf": PDF, "one.json": ONE},
    "a list with its manifest": {"list.csv": CSV, "one.json": ONE},
    "the text with its manifest": {"1.txt": TEXT, "one.json": ONE},
    "a receipt": {"receipt.json": receipt(1, (ONE, 2), (TWO, 5))},
    "a receipt of a withdrawal": {"receipt.json": receipt(2, (TWO, 5))},
    "the leaves": {"leaves.txt": "".join(leaves.write(EDITION, ENTRIES)).encode(), "one.json": ONE, "two.json": TWO},
    "the evidence": {"evidence.json": encode(evidence.document("open-the-books", RECORDS, HEADS[-1])), "two.json": TWO},
}


def found(files: dict[str, bytes], trust: Trust = THEIRS) -> list[str]:
    """The sentences about what does not hold; what cannot be read is one, too."""
    try:
        return [one.sentence for one in verify(list(files.items()), NOW, trust) if one.holds is False or not one.judged]
    except Unreadable as error:
        return [str(error)]


@pytest.mark.parametrize("what", GOOD)
def test_what_is_as_it_was_holds(what: str) -> None:
    assert found(GOOD[what]) == []
    assert verdict(verify(list(GOOD[what].items()), NOW, THEIRS)) is Verdict.HOLDS
    assert verdict(verify(list(GOOD[what].items()), NOW)) is Verdict.CANNOT_BE_JUDGED


@pytest.mark.parametrize("what", sorted(set(GOOD) - {"a letter"}))
def test_each_changed_byte_is_found_and_its_file_named(what: str) -> None:
    for name, content in GOOD[what].items():
        for at in range(0, len(content), max(1, len(content) // 301)):
            changed = bytearray(content)
            changed[at] ^= 1 if at % 2 else 32  # another character, or the same in the other case
            wrong = found(GOOD[what] | {name: bytes(changed)})
            assert wrong, (name, at)
            assert name in " ".join(wrong) or "none of those that are published" in wrong[0], (name, at, wrong)


@pytest.mark.parametrize("part", [b"\nYou are", b"<p>You", b"JVBERi0x", b"77u/bnVt", b"IyBPcGVu", b"eyJtYW5p", b"m1@exam"])
def test_each_part_of_a_letter_is_guarded(part: bytes) -> None:
    content = letter()
    assert content.count(part) == 1
    at = content.index(part)
    for offset in range(part.startswith(b"\n"), len(part)):
        changed = bytearray(content)
        changed[at + offset] ^= 1
        wrong = found({"letter.eml": bytes(changed)})
        assert wrong, offset
        assert "letter.eml" in wrong[0]


def swapped(change: Callable[[Any], Any], file: bytes = ONE) -> bytes:
    """A manifest changed by somebody with a key of their own."""
    body = decode(file)["manifest"]
    change(body)
    return manifest.sign(body, Ed25519PrivateKey.generate())


def test_a_manifest_says_how_many_of_the_gone_were_struck_out_and_an_older_one_does_not() -> None:
    for file, said in (
        (TWO, "1 withdrew, 3 stood"),
        (swapped(lambda body: body["tree"].update(struck=1), TWO), "0 withdrew, 1 struck out, 3 stood"),
    ):
        assert said in " ".join(one.sentence for one in verify([("2.json", file)], NOW)), said


OWN = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
INTRUDER = published((OWN, NOW), by=OWN)["keys"][0]
FORGOT = made(2, 5, FIRST, made(1, 3), previous=sha256(ONE))
CHAIN = evidence.document("open-the-books", RECORDS[:1], HEADS[1])
BAD: dict[str, tuple[dict[str, bytes], str]] = {
    "a wrong key": ({"one.json": swapped(lambda body: None), "keys.json": encode(KEYS)}, "none of those that are published"),
    "a key out of use": ({"one.json": made(1, 2, issued_at=NOW), "keys.json": encode(KEYS)}, "was not in use"),
    "a key before its time": ({"one.json": made(1, 2, SECOND), "keys.json": encode(KEYS)}, "was not in use"),
    "an intruder among the keys": (
        {"keys.json": encode(KEYS | {"keys": [*KEYS["keys"], INTRUDER]}), "1.json": ONE}, "does not vouch"),
    "a future date": ({"one.json": made(1, 2, issued_at=NOW + timedelta(hours=1))}, "in the future"),
    "totals that contradict": ({"one.json": made(1, 2, count=3)}, "contradict"),
    "more struck out than gone": ({"one.json": swapped(lambda body: body["tree"].update(struck=1))}, "contradict"),
    "a chain without its beginning": ({"two.json": made(2, 5, SECOND)}, "truncated"),
    "a chain with a hole": ({"one.json": ONE, "three.json": THREE}, "truncated"),
    "another first manifest": ({"one.json": made(1, 3), "two.json": TWO}, "follows on another manifest"),
    "two of one number": ({"one.json": ONE, "uno.json": made(1, 3)}, "same serving"),
    "a tree that does not continue": ({"one.json": ONE, "two.json": FORGOT}, "does not continue"),
    "evidence cut off": ({"chain.json": encode(CHAIN), "two.json": TWO}, "truncated"),
    "evidence without its middle": (
        {"chain.json": encode(CHAIN | {"records": [RECORDS[0], RECORDS[2]], "head": HEADS[3]}), "two.json": TWO},
        "does not follow",
    ),
    "leaves of another text": (
        {"leaves.txt": "".join(leaves.write("0" * 64, ENTRIES)).encode(), "one.json": ONE},
        "none of these manifests",
    ),
    "a letter without an attachment": ({"letter.eml": letter().replace(b"signatures.csv", b"other.csv")}, "is missing"),
    "a letter of another serving": ({"letter.eml": letter(TWO)}, "no sound manifest knows"),
    "a receipt of somebody else": (
        {"receipt.json": encode(decode(receipt(1, (ONE, 2))) | {"statement": STATEMENTS[0]})},
        "is not in the tree",
    ),
    "a document without a manifest": ({"list.pdf": PDF}, "without one nothing can be told"),
    "nothing of ours": ({"x.txt": b"hello"}, "cannot be read"),
    "JSON of nobody": ({"x.json": b'{"a":1}\n'}, "no kind that we know"),
    "a document that lacks a field": ({"x.json": encode({"format": receipts.RECEIPT})}, "not built as it should be"),
    "a fraction": ({"x.json": b'{"format":1.0}\n'}, "not JSON as we write it"),
    "a name twice": ({"x.json": ONE.replace(b'{"manifest"', b'{"manifest":{},"manifest"')}, "one spelling"),
    "much nesting": ({"x.json": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"}, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_not_so_is_refused_with_the_reason(what: str) -> None:
    files, reason = BAD[what]
    wrong = found(files)
    assert any(reason in sentence for sentence in wrong), wrong


def test_a_trusted_fingerprint_is_insisted_on() -> None:
    right, other = (keys.key_id(keys.public_bytes(key)) for key in (FIRST, SECOND))
    assert verdict(verify([("one.json", ONE)], NOW, Trust((right,)))) is Verdict.HOLDS
    assert "not one that you trust" in found({"one.json": ONE}, Trust((other,)))[0]


def test_a_trusted_fingerprint_vouches_for_the_keys_behind_it() -> None:
    first = Trust((keys.key_id(keys.public_bytes(FIRST)),))
    later = [("two.json", TWO), ("one.json", ONE), ("keys.json", encode(KEYS))]
    assert verdict(verify(later, NOW, first)) is Verdict.HOLDS
    forged = encode(KEYS | {"keys": [*KEYS["keys"], INTRUDER]})
    assert verdict(verify([*later[:2], ("keys.json", forged)], NOW, first)) is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"one.json": ONE}, 0, "Everything that could be checked holds."),
        ({"one.json": ONE, "three.json": THREE}, 1, "1 thing(s) here do not hold."),
        ({"chain.json": encode(CHAIN)}, 3, "This cannot be judged"),
        ({"x.txt": b"hello"}, 2, "x.txt cannot be read"),
        ({}, 2, "usage"),
    ],
)
def test_the_command_says_it_and_ends_accordingly(tmp_path: Path, files: dict[str, bytes], code: int, said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    published_keys = tmp_path / "published.json"
    published_keys.write_bytes(encode(KEYS))
    command = [sys.executable, "-m", "service.proof", *(str(tmp_path / name) for name in files), "--keys", str(published_keys)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_the_verifier_stays_small_enough_to_be_read() -> None:
    """What judges a letter is read in ten minutes; all of the verifier is no more than a stranger may read before lunch."""
    lines = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "service" / "proof").rglob("*.py")}
    assert sum(lines[name] for name in ("mail_parts.py", "mail_values.py", "given_files.py", "letter_check.py")) <= 520
    assert sum(lines.values()) <= 1_800
    assert max(lines.values()) <= 220


def test_the_verifier_needs_the_standard_library_and_cryptography_alone() -> None:
    """In a process that can import nothing else, without a network."""
    refuse = (
        "import sys, runpy, socket; socket.socket = None\n"
        "own = set(sys.stdlib_module_names) | {'service', 'cryptography', '_cffi_backend'}\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] not in own: raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse()); sys.argv = ['service.proof', '--help']\n"
        "runpy.run_module('service.proof', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", refuse], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")

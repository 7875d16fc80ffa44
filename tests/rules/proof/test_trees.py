"""The trees, keys and manifests behind a notice: complete whoever confirms at once, signed by keys that can change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import reading, transaction
from service.errors import NotFound, Refused
from service.models import Edition, Enclosure, Leaf, Manifest, Serving, Signature
from service.notices import publishing
from service.people import retention
from service.proof import leaves, merkle
from service.proof.encoding import decode, encode
from service.proof.verify import verify
from service.proof_store import receipt_files, signing_key, trees
from service.servings import serving_lifecycle
from service.servings.documents import notice_documents
from service.signatures import signing
from tests.stories.operations.test_commands import result_of, run
from tests.support import crowd
from tests.support.people import ANN, OLIVE, SLUG
from tests.support.world import World, text_of
from workers import jobs

NOW = datetime.now(UTC)


def head(edition_id: int = 1) -> tuple[int, bytes]:
    """The tree's size and head as they are stored, which must be those of its leaves."""
    with reading() as session:
        edition = session.get_one(Edition, edition_id)
        entries = trees.entries(session, edition_id, 0, edition.tree_size)
        stored = edition.tree_size, trees.root(session, edition_id, edition.tree_size)
    assert stored == merkle.root_of(map(merkle.leaf_hash, entries))
    return stored


def serve(world: World) -> None:
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        number = serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC)).id
        session.execute(update(Serving).where(Serving.id == number).values(due_at=datetime.now(UTC)))
    jobs.serve(number)
    world.work("notices")


def holds(files: dict[str, bytes]) -> bool:
    return all(one.holds is not False for one in verify(list(files.items()), datetime.now(UTC) + timedelta(minutes=5)))


def test_many_at_once_leave_one_complete_tree(either_world: World) -> None:
    either_world.publish(milestones=(1000,))
    keys = crowd.ask(range(40))
    shares = [keys[at::8] for at in range(8)]
    acts: list[Callable[[], object]] = [lambda share=share: [crowd.confirm(key) for key in share] for share in shares]
    assert not [one for one in crowd.at_once(acts) if isinstance(one, Exception)]
    assert head()[0] == 40

    def withdraw(number: int) -> None:
        with transaction() as session:
            assert signing.withdraw(session, session.get_one(Signature, number), datetime.now(UTC))

    assert not [one for one in crowd.at_once([lambda n=n: withdraw(n) for n in range(1, 9)]) if isinstance(one, Exception)]
    assert head()[0] == 48
    found = either_world.rows(select(Leaf.entry).order_by(Leaf.position))
    assert [entry[:1] for entry in found].count(leaves.KINDS["withdraw"]) == 8
    assert either_world.rows(select(Edition.count)) == [32]


def test_signatures_without_leaves_get_theirs_with_the_next_one(world: World) -> None:
    """Confirmed before there were trees: here five, of which the second is gone without a trace."""
    world.publish(milestones=(1000,))
    with transaction() as session:
        for number in (1, 3, 4, 5):
            session.add(
                Signature(edition_id=1, email=f"p{number}@example.org", mailbox=f"p{number}@example.org", name=f"P {number}",
                          name_key=f"p {number}", display="public", state="confirmed", sequence=number, created_at=NOW,
                          confirmed_at=NOW)
            )  # fmt: skip
        session.execute(update(Edition).values(count=4, last_sequence=5))
    crowd.sign(range(1))
    assert head()[0] == 7
    assert world.rows(select(Signature.leaf).order_by(Signature.sequence)) == [0, 2, 3, 4, 6]
    serve(world)
    with reading() as session:
        old = session.scalars(select(Signature).where(Signature.sequence == 3)).one()
        assert holds({"receipt.json": encode(receipt_files.receipt(session, old, session.get_one(Edition, 1)))})
    assert holds({"leaves.txt": world.get(f"/notices/{SLUG}/editions/1/leaves.txt").data, "1.json": manifest(world, 1)})


def manifest(world: World, number: int) -> bytes:
    return world.get(f"/notices/{SLUG}/servings/{number}/manifest.json").data


def test_a_new_key_is_endorsed_and_signs_from_then_on(world: World) -> None:
    world.publish(milestones=(1000,))
    crowd.sign(range(1))
    serve(world)
    fingerprint = result_of(world, "proof", "rotate")["key"]
    crowd.sign(range(1, 2))
    serve(world)
    keys = world.get("/.well-known/undersigned-keys.json").data
    assert run(world, "proof", "keys").stdout.encode() == keys
    assert [one["id"] for one in decode(keys)["keys"]][1] == fingerprint
    files = {"1.json": manifest(world, 1), "2.json": manifest(world, 2), "keys.json": keys}
    assert holds(files)
    assert decode(files["1.json"])["public_key"] != decode(files["2.json"])["public_key"]
    assert decode(files["2.json"])["manifest"]["previous"] is not None
    assert holds({"chain.json": run(world, "proof", "evidence", SLUG).stdout.encode(), "2.json": files["2.json"]})


def test_a_key_that_is_lost_or_strange_signs_nothing(world: World) -> None:
    with transaction() as session:
        signing_key.current(session, NOW)
    path = world.settings.var_dir / "proof.pem"
    assert path.stat().st_mode & 0o077 == 0
    kept = path.read_bytes()
    for content, sentence in ((None, "is not there"), (b"nonsense", "holds no Ed25519 key")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(Refused, match=sentence), transaction() as session:
            signing_key.current(session, NOW)
    path.unlink()
    signing_key._made(path)
    with pytest.raises(Refused, match="that is published"), transaction() as session:
        signing_key.current(session, NOW)
    path.write_bytes(kept)
    with transaction() as session:
        signing_key.current(session, NOW)


def test_a_rehearsal_has_a_manifest_that_says_so_and_is_in_no_chain(world: World) -> None:
    world.add_organisers()
    world.publish(milestones=(1000,))
    with transaction() as session:
        session.execute(update(Edition).values(count=0))
        notice = publishing.find(session, SLUG)
        serving = Serving(notice_id=notice.id, edition_id=1, state="started", causes=["organiser"], rehearsal=True, due_at=NOW,
                          created_at=NOW, started_at=NOW, cut_off=0, count=0, tree_size=0)  # fmt: skip
        session.add(serving)
    jobs.serve(1)
    world.work("notices")
    assert world.rows(select(Manifest.number)) == [None]
    letter = world.letters(OLIVE)[0].as_bytes()
    assert any("rehearsal" in one.sentence for one in verify([("letter.eml", letter)], datetime.now(UTC)))
    assert world.get(f"/notices/{SLUG}/servings/1/manifest.json").status_code == 404


@pytest.mark.settings(WITNESS_EMAIL="witness@elsewhere.example")
def test_a_witness_gets_a_copy_of_each_manifest(world: World) -> None:
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work()
    letter = world.letter("witness@elsewhere.example")
    [file] = letter.iter_attachments()
    assert file.get_payload(decode=True) == manifest(world, 1)
    assert world.rows(select(Manifest.hash))[0] in text_of(letter)


@pytest.mark.settings(ATTACH_NAMES="2")
def test_a_list_too_long_to_attach_is_a_link_with_its_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_documents, "VOLUME", 2)
    monkeypatch.setattr(notice_documents, "QUICK", 1)  # so that a volume is made in a process of its own
    world.publish(milestones=(3,))
    crowd.sign(range(3))
    world.work("notices")
    letter = world.letter("chair@nec.example")
    assert {part.get_filename() for part in letter.iter_attachments()} == {"edition-1.txt", "manifest.json"}
    stored = {one.filename: one for one in world.rows(select(Enclosure).where(Enclosure.linked))}
    assert sorted(stored) == [f"{SLUG}-1-of-2.pdf", f"{SLUG}-2-of-2.pdf", f"{SLUG}-signatures.csv"]
    for name, one in stored.items():
        link = next(word for word in text_of(letter).split() if word.endswith(name)).removeprefix(world.settings.base_url)
        assert one.hash in text_of(letter)
        response = world.get(link)
        assert response.data == one.content
        assert world.get(link.replace("/served/", "/served/x")).status_code == 404
        assert world.get(link.replace(name, "other.pdf")).status_code == 404
        assert holds({name: response.data, "1.json": manifest(world, 1)})
    assert holds({"letter.eml": letter.as_bytes()})


def test_an_erased_signature_leaves_noise(world: World) -> None:
    world.publish(milestones=(1,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    [nonce] = world.rows(select(Signature.nonce))
    world.post(world.manage(ANN["email"]), {"act": "erase", "sure": "yes"})
    assert head()[0] == 2
    with reading() as session:
        connection = session.connection().connection.driver_connection
        dumped = "\n".join(connection.iterdump()) if connection is not None else ""
    assert nonce.hex() not in dumped.lower()


def test_names_forgotten_after_a_notice_closed_take_their_nonces_along(world: World) -> None:
    world.publish(milestones=(100,))
    crowd.sign(range(1))
    with transaction() as session:
        publishing.close(session, SLUG, NOW)
        retention.run(session, NOW + timedelta(days=400))
    assert world.rows(select(Signature.nonce)) == [None]
    with reading() as session, pytest.raises(NotFound):
        receipt_files.receipt(session, session.scalars(select(Signature)).one(), session.get_one(Edition, 1))

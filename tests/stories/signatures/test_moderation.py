"""What organisers do to a signature: hidden names stand on no public page, struck ones count no more, two decide what must."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from service.core.db import reading
from service.emails import links
from service.models import AuditEntry, Correction, Edition, Letter, Message, Proposal, Request, RequestItem, Signature
from service.organisers import audit
from service.proof.encoding import decode
from tests.rules.proof.test_trees import head, holds, manifest, serve
from tests.stories.people.test_retention import holding
from tests.support.crowd import at_once
from tests.support.moderating import WHY, decide, press, send_corrections, states, two_signers
from tests.support.people import ANN, AUGUST, BEN, OLIVE, PETRA, SLUG
from tests.support.world import World, html_of, text_of

CHAIR = "chair@nec.example"
PUBLIC = ("/", f"/notices/{SLUG}", f"/notices/{SLUG}/signatures", f"/notices/{SLUG}/count.json", f"/notices/{SLUG}/deliveries",
          f"/notices/{SLUG}/deliveries.json", f"/notices/{SLUG}/deliveries.atom", "/news.atom",
          f"/notices/{SLUG}/editions/1/leaves.txt")  # fmt: skip


def pages_with(world: World, name: str) -> set[str]:
    return {path for path in PUBLIC if name in world.get(path, world.browser()).text}


def test_a_hidden_name_stands_on_no_public_page_and_is_still_served_and_counted(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    olive = world.sign_in(OLIVE)
    assert pages_with(world, ANN["name"]) == {"/", f"/notices/{SLUG}", f"/notices/{SLUG}/signatures"}
    assert press(world, olive, "hide").status_code == 303
    serve(world)
    assert pages_with(world, ANN["name"]) == set()
    assert "Ben" in world.get("/").text
    assert world.count() == 2
    assert ANN["name"] in text_of(world.letter(CHAIR))
    assert "hidden" in world.get("/organise/people/signature/1", olive).text
    manage = manage_page(world)
    assert "taken your name off our public pages" in world.get(manage).text
    world.post(manage, {"act": "display", "id": "1", "display": "public"})  # her own choice does not bring it back
    assert pages_with(world, ANN["name"]) == set()
    assert press(world, olive, "show").status_code == 303
    assert len(pages_with(world, ANN["name"])) == 3
    entries = world.rows(select(AuditEntry).where(AuditEntry.act.in_(("hide signature", "show signature"))))
    assert [(one.act, one.subject, one.details) for one in entries] == [
        (act, audit.person(ANN["email"]), {"signature": 1, "reason": WHY}) for act in ("hide signature", "show signature")
    ]


def struck_by_two(world: World) -> None:
    """Olive proposes to strike out Ann's signature, and Petra approves it."""
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    assert press(world, olive, "strike", reason="not a real person").status_code == 303
    assert decide(world, petra) == 303
    world.work()


def test_striking_out_takes_two_who_see_what_they_decide(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    olive, petra, august = world.sign_in(OLIVE), world.sign_in(PETRA), world.sign_in(AUGUST)
    assert press(world, petra, "strike").status_code == 403
    assert press(world, olive, "strike", reason="").status_code == 422
    assert press(world, olive, "strike", reason="not a real person").status_code == 303
    assert press(world, olive, "strike", reason="not a real person").status_code == 303  # a double press
    assert len(world.rows(select(Proposal.id))) == 1
    assert "Striking it out is proposed" in world.get("/organise/people/signature/1", olive).text
    for page in ("/organise", "/organise/notices", f"/organise/notices/{SLUG}"):
        text = world.get(page, petra).text
        assert "not a real person" in text, page
        assert ANN["name"] in text, page
        assert ANN["name"] not in world.get(page, august).text, page
    assert (decide(world, olive), decide(world, august)) == (409, 403)
    assert states(world) == ["confirmed", "confirmed"]
    assert decide(world, petra) == 303
    assert states(world) == ["struck", "confirmed"]
    with reading() as session:
        assert audit.verify(session)[1] == ""
    entries = world.rows(select(AuditEntry).where(AuditEntry.subject == audit.person(ANN["email"])).order_by(AuditEntry.id))
    acts = [(one.act, one.organiser_id) for one in entries if one.act != "look at"]
    assert acts == [("propose: strike signature", 1)] * 2 + [("approve: strike signature", 2)]


def test_who_is_counted_without_a_name_is_not_named_to_an_approver(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world, display="count")
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    press(world, olive, "strike", reason="not a real person")
    assert "/organise/people/signature/1" in world.get("/organise", olive).text  # behind it the audit notes who looks
    page = world.get("/organise", petra).text
    assert "not a real person" in page
    assert ANN["name"] not in page


def test_a_strike_is_right_everywhere(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(2,))
    world.add_organisers()
    two_signers(world)
    world.work()
    served = world.letter(CHAIR, "2 signatures").as_bytes()
    struck_by_two(world)
    assert (world.count(), head()[0]) == (1, 3)
    assert pages_with(world, ANN["name"]) == set()
    told = world.letter(ANN["email"], "struck out")
    for words in (text_of(told), html_of(told)):
        assert world.settings.contact_email in words
        assert "number 1" in words
        assert ANN["name"] not in words
    send_corrections(world)
    said = text_of(world.letter(CHAIR, "(1 struck out)"))
    assert "1 was struck out by us as false or abusive:\n\n1\n" in said.replace("\r\n", "\n")
    assert "1 person stands" in said
    assert ANN["name"] not in said
    document = world.get(f"/notices/{SLUG}/deliveries.json").json or {}
    assert document["struck"] == 1
    assert [(line["withdrawn"], line["struck"]) for line in document["corrections"]] == [(0, 1), (0, 1)]
    assert "1 signature was struck out by two organisers as false" in world.get(f"/notices/{SLUG}/deliveries").text
    assert "1 struck out" in world.get(f"/notices/{SLUG}/deliveries.atom").text
    serve(world)
    letter = world.letters(CHAIR, "1 signature")[-1]
    for words in (text_of(letter), html_of(letter)):
        said = "1 signature was struck out as false or abusive since our last letter, and is not counted here."
        assert said in " ".join(words.split())
        assert ANN["name"] not in words
    assert "1 had been struck out before" in world.get(f"/notices/{SLUG}/deliveries").text
    tree = decode(manifest(world, 2))["manifest"]["tree"]
    assert (tree["signed"], tree["withdrawn"], tree["struck"]) == (2, 1, 1)
    leaves = world.get(f"/notices/{SLUG}/editions/1/leaves.txt").data
    one, two = manifest(world, 1), manifest(world, 2)
    assert holds({"1.json": one, "2.json": two, "leaves.txt": leaves, "old.eml": served, "new.eml": letter.as_bytes()})


def test_a_struck_signer_has_a_proof_and_learns_on_asking_again_that_it_stays_so(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    press(world, olive, "strike")
    decide(world, petra)
    serve(world)
    manage = manage_page(world)
    page = world.get(manage).text
    assert "struck out by the organisers" in page
    assert "Withdraw my signature" not in page
    receipt = world.post(manage, {"act": "receipt of withdrawal", "id": "1"}).data
    assert holds({"receipt.json": receipt, "1.json": manifest(world, 1)})
    assert b'"strike"' in receipt
    world.sign(ANN)
    [answer] = world.rows(select(Letter.text).join(Message).where(Message.kind == "already"))
    assert "was struck out by the organisers, so nothing was changed" in " ".join(answer.split())
    assert states(world) == ["struck", "confirmed"]
    assert press(world, olive, "let sign again", reason="she showed us a letter").status_code == 303
    world.sign(ANN, clp="Valley")
    assert states(world) == ["pending", "confirmed"]
    receipt = world.post(manage, {"act": "receipt of withdrawal", "id": "1"}).data  # the leaf is a strike's still
    assert holds({"receipt.json": receipt, "1.json": manifest(world, 1)})
    [key] = world.rows(
        select(Request.key)
        .join(RequestItem)
        .where(Request.purpose == "confirm", Request.used_at.is_(None), RequestItem.signature_id == 1)
    )
    assert world.post(f"/confirm/{links.sign('confirm', key)}").status_code == 200
    assert world.rows(select(Signature.sequence).where(Signature.state == "confirmed").order_by(Signature.id)) == [3, 2]
    assert world.rows(select(Edition.struck)) == [1]


@pytest.mark.settings(APPROVALS="0")
def test_where_one_organiser_does_both_a_strike_is_one_press(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    assert press(world, world.sign_in(OLIVE), "strike").status_code == 303
    assert states(world) == ["struck", "confirmed"]
    assert world.rows(select(Proposal.state)) == ["approved"]
    assert "by the organisers as false" in world.get(f"/notices/{SLUG}/deliveries").text


def test_a_press_for_the_wrong_state_is_refused_in_a_sentence(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    world.sign({"name": "Cara Pending", "email": "cara@example.org"})
    olive = world.sign_in(OLIVE)
    cases = [("show", 1, "is not hidden"), ("hide", 3, "is not confirmed"), ("let sign again", 1, "is not struck out"),
             ("dance", 1, "Choose one of the buttons")]  # fmt: skip
    for act, number, sentence in cases:
        response = press(world, olive, act, number)
        assert response.status_code == 422
        assert sentence in response.text
    press(world, olive, "withdraw", 2)
    assert "was withdrawn on" in press(world, olive, "strike", 2).text
    assert world.post("/organise/signatures/99", {"act": "hide", "reason": WHY}, olive, page="/organise").status_code == 404
    press(world, olive, "strike", 1)
    assert "is proposed for signature 1 already" in press(world, olive, "strike", 1, "another reason").text


def test_what_has_changed_since_it_was_proposed_is_not_struck(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    two_signers(world)
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    press(world, olive, "strike")
    manage = manage_page(world)
    world.post(manage, {"act": "erase", "sure": "yes"})
    assert world.get("/organise/notices", petra).status_code == 200
    assert decide(world, petra) == 409
    assert world.rows(select(Proposal.state)) == ["open"]
    assert decide(world, olive, "refuse") == 303
    assert world.count() == 1


def test_who_was_struck_and_erases_everything_is_held_nowhere(world: World) -> None:
    world.publish(milestones=(1,))
    world.add_organisers()
    two_signers(world)
    struck_by_two(world)
    assert '"struck_at": "20' in world.post(manage_page(world), {"act": "export"}).text
    world.post(manage_page(world), {"act": "erase", "sure": "yes"})
    assert holding(ANN["email"]) == set()
    assert holding(ANN["name"]) <= {"enclosures"}
    assert (world.count(), head()[0]) == (1, 3)


def manage_page(world: World) -> str:
    return world.manage(ANN["email"])


def test_two_approvals_at_once_strike_once(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(1,))
    world.add_organisers()
    two_signers(world)
    browsers = [world.sign_in(PETRA), world.sign_in(PETRA)]
    press(world, world.sign_in(OLIVE), "strike")
    manage = manage_page(world)
    acts = [lambda one=one: decide(world, one) for one in browsers]
    results = at_once([*acts, lambda: world.post(manage, {"act": "withdraw", "id": "1"}, world.browser()).status_code])
    assert set(results) <= {200, 303, 409, 404}
    assert world.count() == 1
    assert head()[0] == 3
    assert world.rows(select(Correction.sequence)) == [1]
    assert world.rows(select(Signature.state).where(Signature.email == BEN["email"])) == ["confirmed"]

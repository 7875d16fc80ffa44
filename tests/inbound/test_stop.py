"""An answer to an update that says only "stop": obeyed at its reader's own address, asked back elsewhere, in many languages."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from sqlalchemy import select

from service.emails import links
from service.models import Message
from tests.inbound.post import DOMAIN, letter, receive
from tests.inbound.test_stories import last, send_update, state
from tests.stories.mailings.test_sending import subscribe
from tests.support.people import ANN, BEN
from tests.support.world import World, text_of

US = f"notices@{DOMAIN}"
ONLY = {
    "English": "Stop",
    "in capitals": "STOP!!!",
    "one word": "unsubscribe",
    "kindly": "Hello,\n\nplease take me off your mailing list.\n\nMany thanks\nAnn",
    "with a signature": "Please unsubscribe me.\n-- \nAnn Ashworth\n+44 1632 960001",
    "from a telephone": "Remove me please\n\nSent from my iPhone",
    "above our text": "Stop this.\n\nOn 25 Nov 2026 at 09:10, The Network <us@lists.example.org> wrote:\n> News.",
    "below our text": "> News.\n\nunsubscribe",
    "beside our text without a mark": "unsubscribe\n\nThe first week\nNews.",
    "German": "Bitte nehmen Sie mich aus dem Verteiler.\nMit freundlichen Grüßen\nAnn",
    "French": "Merci de me désinscrire",
    "Spanish": "Quiero darme de baja, por favor",
    "Italian": "Cancellatemi dalla lista, grazie",
    "Dutch": "Graag afmelden",
    "Portuguese": "Não quero mais receber",
    "Polish": "Proszę wypisać mnie",
    "Welsh": "Tynnwch fi oddi ar y rhestr",
    "Greek": "Διαγραφή",
    "Russian": "Отпишите меня от рассылки, пожалуйста",
    "Turkish": "Beni listeden çıkarın",
    "Hebrew": "הסירו אותי מהרשימה",
    "Arabic": "إلغاء الاشتراك",
    "Hindi": "मुझे सूची से हटाएं",
    "Chinese": "请取消订阅",
    "Japanese": "配信停止をお願いします",
    "Korean": "수신거부",
    "Thai": "ยกเลิกการรับข่าวสาร",
}
MORE = {
    "a question": "stop?",
    "another cause": "Stop the cuts!",
    "the opposite": "Please do not stop.",
    "no": "No.",
    "a reason": "Unsubscribe. You are spam.",
    "somebody else": "Unsubscribe Ben",
    "an offer": "I can stop by on Monday",
    "thanks": "Thank you!",
    "nothing": "",
}


@pytest.fixture
def reader(either_world: World) -> World:
    """Ann and Ben are on the list, and an update went to them."""
    either_world.publish()
    subscribe(either_world, ANN, BEN)
    send_update(either_world)
    return either_world


def copy_of(world: World, email: str) -> EmailMessage:
    return world.letter(email, "The first week")


def reply(world: World, text: str, to: str = US, author: str = ANN["email"], **headers: str) -> None:
    copy = copy_of(world, ANN["email"])
    thread = {"In_Reply_To": copy["Message-ID"], "References": copy["Message-ID"]}
    receive(world, letter(author, to, "Re: The first week", text, **(thread | headers)), to, author)


def own_address(world: World) -> str:
    """Where answers come that go to the envelope's sender."""
    number = world.rows(select(Message.id).where(Message.kind == "mailing").order_by(Message.id))[0]
    return links.bounce_address(number)


@pytest.mark.settings(APPROVALS="0")
def test_at_the_readers_own_address_it_is_obeyed(reader: World) -> None:
    for name, text in ONLY.items():
        reply(reader, text, own_address(reader))
        assert "left the list" in last(reader).outcome, name
        assert last(reader).folder == "", name
    assert (state(reader, ANN["email"]), state(reader, BEN["email"])) == ("left", "confirmed")


@pytest.mark.settings(APPROVALS="0")
def test_anything_more_is_read_by_a_person(reader: World) -> None:
    for name, text in MORE.items():
        for address in (own_address(reader), US):
            reply(reader, text, address)
            assert last(reader).folder == "replies", (name, address)
    reply(reader, "Stop", own_address(reader), Auto_Submitted="auto-replied")
    assert last(reader).folder == "automatic"
    assert state(reader, ANN["email"]) == "confirmed"
    assert reader.letters(ANN["email"], "leave") == []


@pytest.mark.settings(APPROVALS="0")
def test_at_an_address_of_before_it_is_asked_back(reader: World) -> None:
    """It could be made of the Message-ID, which everybody sees to whom she answers."""
    number = reader.rows(select(Message.id).where(Message.kind == "mailing").order_by(Message.id))[0]
    reply(reader, "Stop", f"bounce+{links.message_token(number)}@{DOMAIN}", author="eve@evil.example")
    assert last(reader).outcome == "answered: asked whether to leave"
    assert state(reader, ANN["email"]) == "confirmed"


@pytest.mark.settings(APPROVALS="0")
def test_elsewhere_it_is_asked_back_and_one_press_leaves(reader: World) -> None:
    reply(reader, "Stop")
    assert last(reader).outcome == "answered: asked whether to leave"
    assert state(reader, ANN["email"]) == "confirmed"  # anybody could have written it in her name
    reader.work()
    asked = reader.letter(ANN["email"], "leave")
    assert asked["In-Reply-To"] == "<a-person-wrote-this@mail.example.org>"
    assert "asked to take this address off the list" in text_of(asked)
    reader.post(reader.link(asked, "unsubscribe"))
    assert state(reader, ANN["email"]) == "left"


@pytest.mark.settings(APPROVALS="0")
def test_an_answer_from_another_address_asks_the_reader(reader: World) -> None:
    """The copy that it answers is hers: the question goes to her, and nothing to whoever wrote."""
    reply(reader, "unsubscribe", author="ann.at.work@example.org")
    reader.work()
    assert reader.letter(ANN["email"], "leave")
    assert reader.letters("ann.at.work@example.org") == []


@pytest.mark.settings(APPROVALS="0")
def test_without_its_thread_the_author_is_asked(reader: World) -> None:
    receive(reader, letter(BEN["email"], US, "Unsubscribe", ""), US, BEN["email"])
    reader.work()
    assert reader.letter(BEN["email"], "leave")
    receive(reader, letter("nobody@example.org", US, "Unsubscribe", ""), US, "nobody@example.org")
    assert last(reader).folder == "replies"  # on no list: a person looks


@pytest.mark.settings(APPROVALS="0")
def test_a_list_hears_it_at_its_own_address(reader: World) -> None:
    to = f"updates-request@{DOMAIN}"
    receive(reader, letter(ANN["email"], to, "", "Bitte abmelden"), to, ANN["email"])
    reader.work()
    assert reader.letter(ANN["email"], "leave")


@pytest.mark.settings(APPROVALS="0")
def test_a_forged_from_is_not_answered(reader: World) -> None:
    failed = f"{DOMAIN}; dmarc=fail header.from=example.org"
    reply(reader, "Stop", Authentication_Results=failed)
    assert last(reader).folder == "quarantine"
    reader.work()
    assert reader.letters(ANN["email"], "leave") == []

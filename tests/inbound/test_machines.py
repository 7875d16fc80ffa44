"""Who wrote a message: people whom a word or a header makes look like machines, and machines that look like people."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as any_
from sqlalchemy import select

from service.inbound.parsing.classify import Judgement, judge
from service.models import Arrival, Message
from tests.inbound.post import DOMAIN, letter, receive
from tests.support.world import World

ASK = f"updates-subscribe@{DOMAIN}"


def read(
    subject: str, text: str = "I will bring six chairs.", author: str = "Ada <ada@example.org>", **headers: str
) -> Judgement:
    return judge(letter(author, f"notices@{DOMAIN}", subject, text, **headers), "ada@example.org")


PEOPLE = [
    ("Re: What happens next", {"X_Auto_Response_Suppress": "DR, OOF, AutoReply", "In_Reply_To": "<a@b>"}),
    ("Re: What happens next", {"X_Auto_Response_Suppress": "All"}),
    ("Re: On holiday pay: what we won", {"In_Reply_To": "<a@b>"}), ("RE: Absence of minutes", {}),
    ("AW: Urlaub für alle", {}), ("Réf : Absence de procès-verbal", {}), ("Odp: Urlop dla wszystkich", {}),
    ("SV: Frånvaro i styrelsen", {}), ("Re: Vacation pay", {}), ("On holiday pay", {}), ("Holiday notice periods", {}),
    ("Vacation pay: our demand", {}), ("Absent from the minutes", {}), ("Urlaub: unser Antrag", {}),
    ("Thank you for your message to the council", {}), ("Auto-enrolment: what we won", {}),
    ("Automatic gates at the station", {}), ("Out of office hours: who answers the phone?", {}), ("Ferie: chi viene?", {}),
    ("Hello", {"From": "Postmaster General's Pensioners <pgp@example.org>"}),
    ("Hello", {"From": "Bounce <bounce.b@example.org>"}), ("Hello", {"From": '"Bounce, Ada" <ada@example.org>'}),
    ("Hello", {"From": "System Administrator <ada@example.org>"}),
    ("Hello", {"From": "MTA Members <mta.members@example.org>"}), ("Hello", {"From": "Mail System Fans <fans@example.org>"}),
    ("Re: quota", {"From": "System Administrator <ada@example.org>"}),
    ("Re: rejected", {"From": "Ada Bounce <ada@example.org>"}),
    ("Hello", {"From": "Noreen Reply <noreen.reply@example.org>"}),
    ("Fwd: Report Domain: a.example Submitter: b.example", {}),
    ("Re: Report domain: a.example Submitter: b.example Report-ID: 1", {}), ("Hello", {"Auto_Submitted": "no"}),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "headers"), PEOPLE)
def test_a_word_or_a_header_makes_nobody_a_machine(subject: str, headers: dict[str, str]) -> None:
    said = read(subject, **headers)
    assert (said.machine, said.kind in {"reply", "other"}) == ("", True), said


SUBJECTS = [
    "Guest list for Saturday", "On holiday next week", "Away day", "Urlaubsgeld", "Absence", "Férias coletivas",
    "Thank you for your email", "Fwd: Out of office", "Delivery failed", "quota for women", "Mailbox full of leaflets",
    "bounce", "Failure notice period", "Spam?", "Returned mail from the council", "Je suis absent le 3, mais d'accord",
    "Please confirm your identity", "Re: Automatic doors",
]  # fmt: skip
TEXTS = [
    "I agree with you.", "Can you confirm you sent this?", "Please verify that you are not a scam.",
    "Who are you? Please confirm your identity.", "I was on holiday last week. What did I miss?",
    "Our delivery failed, the parcel was returned to sender.", "User unknown? So said my mother.",
    "I'll be away from the office on Friday but can come on Saturday.", "My mailbox was full, sorry.",
    "Automatic voting machines must go.", "The council rejected my letter; it was not delivered.",
    "Thank you for contacting me. I will reply when I can.", "550 people were there!",
]  # fmt: skip
NAMES = [
    "Ada Whitlock <ada@example.org>", "Mail System Fans <fans@example.org>", "Bounce <b@example.org>",
    "postmistress@example.org",
    "System Administrator <sa@firm.example>",
    "Postmaster Pat <pat@example.org>", "bouncer@example.org", "reply@example.org",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(any_.sampled_from(SUBJECTS), any_.sampled_from(TEXTS), any_.sampled_from(NAMES), any_.booleans())
def test_no_words_of_people_make_them_machines(subject: str, text: str, author: str, asks_for_silence: bool) -> None:
    headers = {"In_Reply_To": "<a@b>", "X_Auto_Response_Suppress": "All"} if asks_for_silence else {}
    said = read(subject, text, author, **headers)
    assert (said.machine, said.kind in {"reply", "other"}) == ("", True), said


PREFIXES = {
    "af": "Outomatiese antwoord", "ar": "رد تلقائي", "az": "Avtomatik cavab", "be": "Аўтаматычны адказ",
    "bg": "Автоматичен отговор", "bn": "স্বয়ংক্রিয় উত্তর", "ca": "Resposta automàtica", "cs": "Automatická odpověď",
    "cy": "Ateb awtomatig", "da": "Automatisk svar", "de": "Automatische Antwort", "el": "Αυτόματη απάντηση",
    "en": "Automatic reply", "es": "Respuesta automática", "et": "Automaatvastus", "eu": "Erantzun automatikoa",
    "fa": "پاسخ خودکار", "fi": "Automaattinen vastaus", "fil": "Awtomatikong tugon", "fr": "Réponse automatique ",
    "ga": "Freagra uathoibríoch", "gl": "Resposta automática", "gu": "સ્વચાલિત જવાબ", "he": "תשובה אוטומטית",
    "hi": "स्वचालित उत्तर", "hr": "Automatski odgovor", "hu": "Automatikus válasz", "hy": "Ինքնաշխատ պատասխան",
    "id": "Balasan otomatis", "is": "Sjálfvirkt svar", "it": "Risposta automatica", "ja": "自動応答", "ka": "ავტომატური პასუხი",
    "kk": "Автоматты жауап", "kn": "ಸ್ವಯಂಚಾಲಿತ ಉತ್ತರ", "ko": "자동 회신", "lb": "Automatesch Äntwert",
    "lt": "Automatinis atsakymas", "lv": "Automātiskā atbilde", "mk": "Автоматски одговор", "ml": "യാന്ത്രിക മറുപടി",
    "mr": "स्वयंचलित उत्तर", "ms": "Balasan automatik", "nb": "Automatisk svar", "nl": "Automatisch antwoord",
    "pl": "Odpowiedź automatyczna", "pt": "Resposta automática", "ro": "Răspuns automat", "ru": "Автоматический ответ",
    "sk": "Automatická odpoveď", "sl": "Samodejni odgovor", "sq": "Përgjigje automatike", "sr": "Аутоматски одговор",
    "sv": "Automatiskt svar", "sw": "Jibu otomatiki", "ta": "தானியங்கு பதில்", "te": "స్వయంచాలక ప్రత్యుత్తరం",
    "th": "ตอบกลับอัตโนมัติ", "tr": "Otomatik yanıt", "uk": "Автоматична відповідь", "ur": "خودکار جواب",
    "uz": "Avtomatik javob", "vi": "Trả lời tự động", "zh-CN": "自动答复",
    "zh-TW": "自動回覆", "en, old": "Out of Office AutoReply",
    "en, short": "OOO", "de, old": "Abwesenheitsnotiz", "fr, old": "Absence du bureau", "nl, old": "Automatische reactie",
    "ja, old": "不在通知",
    "ko, old": "부재중", "he, old": "מענה אוטומטי", "es, old": "Fuera de la oficina", "it, old": "Fuori sede",
    "auto": "Auto",
}  # fmt: skip


@pytest.mark.parametrize("language", PREFIXES)
@pytest.mark.parametrize("subject", ["{}: What happens next", "{}: Re: What happens next", "Re: {}: What happens next"])
def test_what_exchange_writes_before_a_subject_is_known_in_each_of_its_languages(language: str, subject: str) -> None:
    said = read(subject.format(PREFIXES[language]), "…")
    assert (said.kind, bool(said.machine)) == ("auto-reply", True)


NOBODY = [
    "no-reply@shop.example", "noreply@shop.example", "no_reply@shop.example", "do-not-reply@shop.example",
    "donotreply@shop.example", "shop-noreply@mail.example", "noreply-dmarc-support@mail.example", "no.reply@shop.example",
    "noreply2@shop.example", "ne-pas-repondre@impots.example", "nepasrepondre@shop.example", "no-responder@banco.example",
    "nao-responda@banco.example", "nicht-antworten@amt.example", "keine-antwort@amt.example", "non-rispondere@poste.example",
    "svara-inte@bank.example", "NoReply@Shop.Example", "unattended@office.example",
]  # fmt: skip


@pytest.mark.parametrize("author", NOBODY)
def test_where_nobody_reads_answers_none_is_sent(author: str) -> None:
    assert judge(letter(author, f"updates-request@{DOMAIN}", "Your order", "help"), author).machine


REPORTS = [
    "Report Domain: lists.example.org Submitter: provider.example Report-ID: <2026.11.24.77>",
    "Report domain: lists.example.org Submitter: provider.example Report-ID: 42",
    "[Preview] Report Domain: lists.example.org Submitter: p.example Report-ID: x",
    "report domain:\r\n lists.example.org submitter: provider.example report-id: 1",
]  # fmt: skip


@pytest.mark.parametrize("subject", REPORTS)
@pytest.mark.parametrize("to", [f"postmaster@{DOMAIN}", f"updates-request@{DOMAIN}", f"notices@{DOMAIN}"])
@pytest.mark.settings(INBOX_FORWARD_TO="desk@example.org")
def test_a_nightly_report_of_dmarc_is_neither_answered_nor_anybodys_reply(world: World, subject: str, to: str) -> None:
    world.publish()
    receive(
        world,
        f"From: reports@provider.example\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n".encode(),
        to,
        "reports@provider.example",
    )
    assert world.rows(select(Arrival.folder)) == ["automatic"]
    assert world.rows(select(Message)) == []


@pytest.mark.parametrize("name", ["Postmaster General's Pensioners", "Bounce", "System Administrator"])
def test_people_are_answered_whatever_they_are_called(world: World, name: str) -> None:
    world.publish()
    receive(world, letter(f"{name} <pgp.branch@example.org>", ASK, "subscribe"), ASK, "pgp.branch@example.org")
    assert world.letter("pgp.branch@example.org", "confirm")

"""Names as people really have them, in the scripts of the world, pass everywhere; web addresses and piled marks do not."""

from __future__ import annotations

import unicodedata

import pytest
from sqlalchemy import select

from service.errors import Refused
from service.models import Complaint, Official, Signature, Subscription
from service.text import person_names
from tests.inbound.post import DOMAIN, letter, receive
from tests.stories.operations.test_commands import result_of, write
from tests.support.people import OFFICIALS, SLUG
from tests.support.world import World

ASK = f"updates-subscribe@{DOMAIN}"
REAL = {
    "Latin": ["Ann Ashworth", "J.R.Smith", "J. R. Smith", "O'Brien", "Siobhán O’Brien", "St. Mary's",
              "St.Mary's", "Dr.med. Ute Groß", "Dr.med.dent. Jan Šváb", "Prof.Dr. Ilse Ahrens",
              "Anne-Marie D'Arcy", "Jean-Luc St.John", "Kay Dobbs Jr.", "A.B.Co.", "Wm.Green", "Y.Wang",
              "J.Kim", "T.Do", "X.Li", "J.de Vries", "M.van der Berg", "Dr.de Souza", "Cllr.la Rue",
              "ver.di", "Ann Ashworth, B.Com.", "B.Sc. Ann", "Vice-Chair/Sec.", "North/South", "Ward No.10",
              "CLP: Harbour", "P@trick", "Ø", "Ægir Þórsson", "Łukasz Żółć", "Ģirts Ķēniņš", "İpek Şahin",
              "Ňáňa Ďurišová", "cand.med. Ole Dahl", "Rev.Dr.Kay"],
    "Vietnamese": ["Nguyễn Thị Ngọc Ánh", "Trần Đức Huệ", "Lê Ưng Ỷ", unicodedata.normalize("NFD",
                   "Nguyễn Thị Hiền")],
    "Greek": ["Γιώργος Καλλέργης", "Ἀλέξανδρος ᾬδης", "Μ.Ν.Νικολάου", "Ἁγνὴ ᾯ"],
    "Cyrillic": ["И.И.Иванов", "Олександра Ґонґадзе", "Жанар Әлиева", "Йован Ђурић", "А\u0301нна Й\u0301",
                 "Ѳеодоръ"],
    "Armenian": ["Արամ Պետրոսյան", "Ա.Սարգսյան"],
    "Georgian": ["ნინო ბერიძე", "გ.მაისურაძე"],
    "Hebrew": ["יוסף כהן", "מֹשֶׁה בֶּן־דָּוִד", "בְּרֵאשִׁ֖ית", "שָׁ֣לֹום", "ג'ורג' לוי", 'ד"ר לאה'],
    "Arabic": ["محمد سالم", "مُحَمَّدٌ", "عَبْدُ ٱللَّٰهِ", "الرَّحْمَٰنِ", "پروین احمدی", "علی‌رضا",
               "گل بانو", "ٱلرَّحِيمِۭ"],
    "Syriac": ["ܝܘܚܢܢ", "ܡܰܪܝܰܡ"],
    "Thaana": ["އާދަމް", "ފާތިމަތު"],
    "Devanagari": ["स्त्री शक्ति", "कृष्णा श्रीवास्तव", "त्र्यंबकेश्वर", "र्द्ध्रि", "क्‍षमा",
                   "डॉ. ज्योत्स्ना", "कि॒रँ॑"],
    "Bengali": ["নিমাই চট্টোপাধ্যায়", "সুস্মিতা", "শ্রীকৃষ্ণ", "মোঃ রহিম"],
    "Gurmukhi": ["ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ", "ਹਰਜਿੰਦਰ"],
    "Gujarati": ["નિર્મલા પટેલ", "શ્રેયા"],
    "Tamil": ["நிமல் குமார்", "ஸ்ரீதரன்", "ஜெயலட்சுமி"],
    "Telugu": ["నిర్మల రెడ్డి", "శ్రీలక్ష్మి"],
    "Kannada": ["ನಿರ್ಮಲಾ", "ಕೃಷ್ಣಮೂರ್ತಿ"],
    "Malayalam": ["നിർമ്മല", "കൃഷ്ണൻ നായർ"],
    "Sinhala": ["නිමල් පෙරේරා", "ශ්‍රී කාන්ත්"],
    "Thai": ["สมชาย ใจดี", "ศรีสุดา มีสุข", "น้ำผึ้ง", "กี่ปุ๊", "พ.ต.อ. เกื้อ"],
    "Lao": ["ສົມພອນ", "ນ້ຳຫວານ"],
    "Tibetan": ["བསྟན་འཛིན་དབང་མོ།", "བསྒྲུབས", "ཧཱུྃ", "སྒྲོལ་མ", "ཧྐྵྨླྺྲྱྃ"],
    "Burmese": ["မောင်မောင်", "မြို့", "ဒေါ်ခင်ကြည်", "ကျွန်ုပ်", "ဩဇာ", "စိုင်းသွႅင်ႇ"],
    "Khmer": ["ភួង សុភា", "ស្ត្រី", "ចន្ទ្រា", "សុវត្ថិ ដារ៉ា"],
    "Ethiopic": ["አበበ በቀለ", "ወ/ሮ ሰላማዊት"],
    "Cherokee": ["ᏩᏯ"],
    "Mongolian": ["ᠴᠢᠩᠭᠢᠰ"],
    "Han": ["李小龍", "歐陽娜", "高橋", "阿依努尔·买买提"],
    "Kana": ["たかはし ゆき", "ジョージ", unicodedata.normalize("NFD", "ガブリエル")],
    "Hangul": ["김철수", unicodedata.normalize("NFD", "박지영")],
    "Javanese": ["ꦱꦫꦶ"],
    "Balinese": ["ᬲᬸᬤᬶ"],
}  # fmt: skip

ADDRESSES = [
    "http://evil.example", "HTTPS://EVIL.EXAMPLE/x", "hxxp://evil.example", "see www.evil.example",
    "www.evil.ninja", "WWW.evil", "evil.example", "Evil.Example", "EVIL.EXAMPLE", "urgent: evil.com",
    "pay at evil.com.", "(evil.com)", "“evil.com”", "evil.com,", "evil.co.uk", "labour.uk", "bit.ly",
    "bit.ly/abc", "BIT.LY/ABC", "t.me/joinchat", "x.com", "evil.de", "evil.zone", "evil.party",
    "evil.ninja/x", "evil.ninja:8080", "evil.ninja?id=1", "192.0.2.1", "192.0.2.1/x", "user@evil.example",
    "Ann ann@evil.ninja", "Ann <ann@evil.example>", "mailto:ann", "tel:0900123456", "javascript:alert(1)",
    "data:text/html,x", "sms:4711", "ｅｖｉｌ．ｃｏｍ", "evil。com", "evil․com", "ann＠evil．example",
    "ann﹫evil.example", "evil\u200d.com", "www\u200c.evil.zone", "münchen.de", "пример.рф", "сайт.онлайн",
    "例え.コム", "公司.中国", "उदाहरण.भारत", "xn--e1afmkfd.xn--p1ai", "مثال.السعودية", "http://[::1]/", "ftp:evil",
    "Ann Ashworth evil.shop", "Ann evil.site now",
]  # fmt: skip

PILED = [
    "Z" + "\u0301" * 5 + "algo", "a\u0316\u0317\u0318\u0319", "Ann A" + "\u0336" * 20, "о" + "\u0488" * 4,
    "α" + "\u0345" * 5, "Ann " + "\u0301" * 4, "Ann 1" + "\u20dd" * 4, "ก" + "้" * 8,
    "ก" + "\u0e49\u0301\u0302\u0303\u0304", "م" + "ّ" * 3, "李" + "\u0301" * 4,
    "q\u0301\u200d\u0302\u200d\u0303\u200d\u0304", "Ann-" + "\u0332" * 5,
    "ש" + "\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05bb",
]  # fmt: skip

EVERY_REAL = [(script, name) for script, listed in REAL.items() for name in listed]


@pytest.mark.parametrize(("script", "name"), EVERY_REAL)
def test_a_real_name_is_taken_as_it_is(script: str, name: str) -> None:
    assert person_names.person(name) == unicodedata.normalize("NFC", name)
    assert person_names.without_links(name, "clp")


@pytest.mark.parametrize("text", ADDRESSES)
def test_a_web_or_e_mail_address_is_no_name(text: str) -> None:
    for check in (person_names.person, lambda text: person_names.without_links(text, "clp")):
        with pytest.raises(Refused, match="Leave out web addresses and e-mail addresses"):
            check(text)


@pytest.mark.parametrize("text", PILED)
def test_marks_piled_on_a_letter_are_no_name(text: str) -> None:
    with pytest.raises(Refused, match="at most three accents"):
        person_names.clean(text, "clp")


def test_three_marks_are_taken_and_the_fourth_is_not() -> None:
    assert person_names.person("q\u0301\u0302\u0303")
    with pytest.raises(Refused):
        person_names.person("q\u0301\u0302\u0303\u0304")
    assert person_names.person("e\u0302\u0301\u0303\u0304\u0306")  # NFC makes one letter of the first three
    assert len(unicodedata.normalize("NFC", "e\u0302\u0301\u0303\u0304\u0306")) == 4


def test_the_sentence_says_how_a_name_passes() -> None:
    for refused, taken in (("Rob.de Vries", "Rob. de Vries"), ("Harbour.Party", "Harbour. Party")):
        with pytest.raises(Refused, match="put a space after each full stop"):
            person_names.person(refused)
        assert person_names.person(taken)


def test_the_form_takes_names_of_every_script_and_refuses_the_others(world: World) -> None:
    world.publish()
    passed = [name for _, name in EVERY_REAL]
    for number, name in enumerate(passed):
        assert world.sign({"name": name, "email": f"p{number}@p{number}.example"}, clp=name).status_code == 200, name
    assert world.rows(select(Signature.name).order_by(Signature.id)) == [unicodedata.normalize("NFC", name) for name in passed]
    for name in [*ADDRESSES, *PILED]:
        for person, clp in ((name, "Harbour"), ("Ann Ashworth", name)):
            assert world.sign({"email": "ann@example.org", "name": person}, clp=clp).status_code == 422, (person, clp)
    assert "put a space after each full stop" in world.sign({"email": "a@example.org", "name": "evil.example"}).text
    assert len(world.rows(select(Signature.id))) == len(passed)


def test_a_letters_own_name_of_its_author_is_kept_nowhere(world: World) -> None:
    world.publish()
    receive(world, letter("Visit evil.example <ann@example.org>", ASK), ASK, "ann@example.org")
    assert world.rows(select(Subscription.name)) == [""]
    assert not any("evil.example" in str(each) for each in world.letters())


def test_names_that_come_in_elsewhere_are_judged_alike(world: World) -> None:
    world.publish()
    assert world.subscribe({"email": "ann@example.org", "name": "see evil.example"}).status_code == 422
    complaint = {"email": "ann@example.org", "name": "ann@evil.example", "text": "It hurts."}
    assert world.post("/complaints", complaint).status_code == 422
    rows = (
        "email,name,clp,office\na@example.org,evil.example,,\nb@example.org,Ben,bit.ly/x,\nc@example.org,မြို့,St.Mary's,chair\n"
    )
    document = result_of(world, "subscribers", "import", write(world, "p.csv", rows), "--list", "updates", "--source", "fair")
    assert [one["line"] for one in document["bad"]] == [2, 3]  # type: ignore[attr-defined]
    assert world.rows(select(Subscription.name)) == ["မြို့"]
    offices = OFFICIALS + (
        "Whip,evil.example,whip@nec.example,https://nec.example/whips,2026-10-01\n"
        "See evil.example,Lee Moor,moor@nec.example,party website,2026-10-01\n"
        "Treasurer,Lee Moor,moor@nec.example,https://nec.example/treasurer,2026-10-01\n"
    )
    document = result_of(world, "officials", "import", write(world, "o.csv", offices))
    assert [one["line"] for one in document["bad"]] == [4, 5]  # type: ignore[attr-defined]
    assert "https://nec.example/treasurer" in world.rows(select(Official.source))
    assert world.rows(select(Complaint.id)) == []
    assert world.get(f"/notices/{SLUG}").status_code == 200

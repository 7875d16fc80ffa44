"""Whether a text that should be a name holds a web address or an e-mail address. It judges and changes nothing.

Mail programs and browsers make links of such words by themselves, so a stranger's name would be a stranger's advertisement in
our letters. Abbreviations that stand without a space (J.R.Smith, Dr.med., St.Mary's) are no addresses.
"""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = str.maketrans("", "", "\u200b\u200c\u200d\u2060\u00ad\ufeff")
DOTS = str.maketrans({"\u3002": "."})
"""The ideographic full stop separates labels, too (RFC 3490 §3.1); NFKC makes dots of the others."""
E_MAIL = re.compile(r"[^\s@]@[^\s@]+\.[^\s@.]")
SCHEME = re.compile(r"\w://|(?<!\w)(?:https?|ftps?|mailto|javascript|data|file|tel|sms|magnet):\S", re.IGNORECASE)
WORD = re.compile(r"[^\s/\\:?#@,;!()<>\[\]{}\"'“”„‘’‚«»|·]+")
PATH = re.compile(r"/|:\d|[?#]\w")


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


COUNTRIES = words_of(
    """
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg
    ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi
    gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw
    ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
    ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn
    so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws
    ye yt za zm zw
    """
)
"""Endings of two letters. Some are also parts of names (de, la, do, li), so these count less than the others."""
ENDINGS = words_of(
    """
    com org net info biz edu gov mil int aero coop museum mobi asia post example test invalid localhost onion xyz top online
    site website shop store club app page link click icu vip live blog news tech space fun cloud email social party vote
    world today agency digital media network zone team group global city uk eu рф рус бел укр срб қаз сайт онлайн орг ком
    москва дети 中国 中國 香港 台湾 台灣 公司 网络 网址 在线 商城 한국 닷컴 コム みんな
    भारत संगठन ไทย السعودية امارات مصر ایران شبكة ישראל ελ ευ հայ გე
    """
)
"""Endings that are no part of a name, whatever their case; not all there are, but those that people meet."""
ABBREVIATIONS = words_of(
    """
    dr prof rev st ste mr mrs ms mx mme mlle mgr sr jr hon sir fr dipl ing med phil cand stud mag priv doz univ wm chas jas
    thos jos chr joh gen lt col maj capt cpl sgt insp supt cllr
    """
)
"""What people write in front of a name with a full stop; one letter is an initial."""


def holds_link(text: str) -> bool:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(INVISIBLE)).translate(DOTS)
    if "." not in text and ":" not in text:
        return False
    if E_MAIL.search(text) or SCHEME.search(text):
        return True
    return any(_is_host(word[0], text[word.end() :]) for word in WORD.finditer(text))


def _is_host(word: str, rest: str) -> bool:
    """Whether this word names a host; `rest` is what follows it directly."""
    labels = word.strip(".-").split(".")
    if len(labels) < 2 or not all(labels):
        return False
    ending, before = labels[-1].lower(), labels[-2].lower()
    if labels[0].lower() == "www" or _is_ip(labels) or ending.startswith("xn--"):
        return True
    is_known_ending = ending in ENDINGS or (ending in COUNTRIES and (labels[-1].islower() or word.isupper()))
    short = len(before) == 1 or before in ABBREVIATIONS
    if PATH.match(rest) and not word.endswith("."):
        return is_known_ending or (not short and len(ending) > 1 and ending.isalpha())
    if ending in ENDINGS:
        return len(before) > 1 or word.islower()  # B.Com is a degree
    return is_known_ending and not short and len(before) > 2


def _is_ip(labels: list[str]) -> bool:
    return len(labels) == 4 and all(label.isdecimal() and len(label) <= 3 for label in labels)

"""Bounces that follow no standard: qmail, Exim, old Sendmail and Exchange, Notes, GroupWise, and what people wrote themselves.

What tells them from mail that merely talks of bounces: a mail system wrote them, or to the null return path's owner; and the text
itself, not a quotation, says that a message could not be delivered.
"""

from __future__ import annotations

import re

from service.incoming import automatic
from service.incoming.reading import Part, embedded
from service.incoming.reports import ADDRESS, ORIGINAL_TYPES

FAILED_SUBJECT = re.compile(
    r"undeliver|non.?deliver|not (?:be )?deliver|delivery (?:status notification|failure|failed|problem|report|error|unsuccessful|has failed|notification)|failure (?:notice|delivery)|"
    r"returned (?:mail|e-?mail|to sender|message)|mail (?:delivery (?:fail|error|status|problem|report|system)|failure|error|undeliver|system error|could not|not delivered|returned)|"
    r"failed mail|mail failed|message (?:could not|not|status - undeliver|delivery (?:fail|error|status)|you sent blocked|undeliver|delayed)|warning:.{0,40}(?:could not send|delayed|message)|delayed mail|delivery (?:delay|warning|temporarily)|"
    r"bounced?\b|error sending|unknown user|user unknown|unable to deliver|could not (?:be )?(?:send|sent|deliver)|rejected|nondeliverable|mail refused|email error|can.?t (?:be )?deliver|mailbox (?:full|unavailable|unknown)|quota|"
    r"unzustellbar|nicht zustellbar|zustell|échec|non remis|non distribu|retour de courrier|no entregado|no se (?:ha )?pud|devuelto|devolu|error de entrega|fallo|falha|não (?:foi )?entregue|mancato recapito|impossibile|non recapitat|onbestelbaar|niet (?:worden )?(?:bezorgd|afgeleverd)|"
    r"niedostarcz|nie dostarcz|zwrot|nedoručit|nedoručen|не доставлен|недоставлен|невозможно доставить|отправить|olevererad|kunde inte levereras|ikke levere|toimittamaton|kézbesít|teslim edil|"
    r"配信|配達|エラー|返送|不達|退信|退回|投递|无法|系统退信|배달|반송|전송 실패|הודעה|فشل",
    re.IGNORECASE,
)
FAILED_TEXT = re.compile(
    r"(?:could|can|may|might|was|were|has|have|did|is|are|will)(?: ?not|n.t)(?: yet| be| been| possibly)*.{0,20} (?:deliver\w*|sent|send|be (?:sent|relayed|processed|completed)|reach(?:ed)?|accepted)|cannot be (?:delivered|sent)|"
    r"undeliver(?:able|ed)|not (?:yet )?been delivered|unable to (?:deliver|send|relay|route|complete)|delivery (?:to|of|for|has|was|attempt|status|fail\w*|error|problem|could|not|is)\b|deliveries? fail|fail(?:ed|ure)? (?:to|addresses|delivery|recipient)|non-?delivery|permanent (?:fatal )?error|"
    r"fatal errors|transcript of session|transient non-?fatal|returned (?:to (?:you|sender)|mail|message|unopened)|errors? (?:occurred|occured|was|were|while|in|detected)|rejected|refused|message (?:bounced|returned|status|not delivered|undeliver)|bounced?|user unknown|unknown user|mailbox|recipient|"
    r"does not exist|quota|following address|the following recipient|smtp error|remote (?:host|server)|response from|reason|delay(?:ed)?|still (?:being|trying)|"
    r"nicht zugestellt|unzustellbar|zustellung|fehlgeschlagen|empfänger|n.a (?:pas )?pu|n.ont pas|échec|impossible|remis|destinataire|no (?:se )?(?:ha )?pud|no fue entregado|entrega|destinatario|falha|n[aã]o (?:p[oô]de|foi)|impossibile|non (?:è stato|può)|recapit|kon niet|niet (?:worden )?(?:bezorgd|afgeleverd)|nie (?:może|mogła|mogł|został)|nie istnieje|doručit|"
    r"не (?:может|могло|удалось|доставлено|был)|доставк|存在|送信|配信|配達|届け|宛|退信|投递|无法|送达|배달|전송",
    re.IGNORECASE,
)
COPY_BEGINS = re.compile(
    r"^[ >\t]*(?:-{2,}.{0,60}(?:copy of|below this line|original|returned|unsent|undelivered|header|message follow|your message|message body|forwarded).{0,80}|"
    r"(?:the |your )?(?:original|unsent|returned|undelivered|following is the|attached is|rejected)(?: message| mail| text| headers?).{0,60}(?:follows?|below|headers?|was|:).{0,40}|message header follows.{0,20}|"
    r"(?:this is a copy of|below is a copy|here is a copy|a copy of (?:the|your)|included is a copy|copy of (?:your )?(?:original )?message).{0,80}|"
    r"original message headers:.{0,40}|message headers? follow.{0,20}|={3,}.{0,40}(?:original|returned|header).{0,40}|\+{3,}.{0,40}|_{10,}|begin (?:returned|original) message.{0,40}|"
    r"(?:return-path|received|x-received|dkim-signature|arc-seal|message-id|mime-version|x-mailer|content-type):\s.{0,200})$",
    re.IGNORECASE | re.MULTILINE,
)
"""Where the returned message begins; what stands behind it is our own text, and says nothing of the failure."""
TRANSCRIPT = re.compile(r"(?:<<<|>>>|\b(?:550|551|552|553|554|571|450|451|452|421)[ -])")
QUOTED = re.compile(r"^[ \t]{0,4}[>|].*$", re.MULTILINE)
DELAYED_TEXT = re.compile(
    r"warning message only|you do not need to resend|still (?:being (?:tried|retried|attempted|queued)|trying|in (?:the )?queue|attempting|undelivered)|will (?:continue|keep|be (?:retried|re-?tried|tried|attempted)|try|retry)\b.{0,40}(?:try|trying|deliver|attempt|retr|for|again|until|\d)|"
    r"(?:has|have) been delayed|is delayed|delivery (?:is )?(?:delayed|incomplete|delay)|not yet been (?:delivered|able)|has not yet|could not (?:yet )?be delivered for \d|no action is required|temporarily (?:delayed|deferred|unable)|"
    r"wird weiter(?:hin)? versucht|verzögert|retardé|retrasad|em atraso|atrasad|ritardat|vertraagd|задерж|遅延|遅れ|延迟",
    re.IGNORECASE,
)
GAVE_UP = re.compile(
    r"giv(?:ing|en) up|gave up|has been (?:returned|removed|bounced|failed)|permanent(?:ly)? (?:error|fail)|permanent fatal|i've given up|too long in (?:the )?queue|in the queue too long|no longer (?:be )?(?:try|attempt|retr)|could not be delivered (?:to|after|within)|delivery (?:has )?failed|"
    r"retry (?:timeout|time(?:out)? exceeded)|will not be (?:tried|retried|attempted)|expired|message (?:was )?(?:returned|bounced)|failed permanently|undeliverable",
    re.IGNORECASE,
)
LONGEST = 20_000


def words(message: Part) -> str:
    """What the bounce itself says: its text parts before the returned message, without quotations."""
    said = []
    for part in message.walk():
        if part.content_type in ORIGINAL_TYPES and said:
            break
        if part.content_type in {"text/plain", "text/html", "message/delivery-status", "text"} and not part.parts:
            said.append(part.text[:LONGEST])
        elif part.content_type.startswith("multipart/") and not part.parts:
            said.append(part.content[:LONGEST].decode("utf-8", "replace"))
    text = "\n".join(said[:4])
    copy = next((found for found in COPY_BEGINS.finditer(text) if found.start() > 40), None)
    return QUOTED.sub("", text[: copy.start()] if copy else text)[:LONGEST]


def seems(message: Part, sender: str | None) -> bool:
    """Whether this is a bounce without a report of the standard kind."""
    if message.has("x-failed-recipients"):
        return True
    text = words(message)
    if automatic.AUTOMATIC_SUBJECT.search(message.subject) or automatic.CHALLENGE.search(text[:3_000]):
        return False
    by_daemon, null = automatic.comes_from_daemon(message), automatic.null_sender(message, sender)
    if not (by_daemon or null):
        return _report_of_a_gateway(message, text)
    subject = bool(FAILED_SUBJECT.search(message.subject))
    if message.parameters.get("report-type", "").lower() == "delivery-status" and FAILED_TEXT.search(text):
        return True
    if by_daemon and (subject or TRANSCRIPT.search(text)):
        return bool(FAILED_TEXT.search(text)) or subject
    if null and subject:
        return bool(FAILED_TEXT.search(text) or TRANSCRIPT.search(text))
    if null and STRONG_TEXT.search(text[:1_500]):
        return _returns_something(message)
    return by_daemon and bool(FAILED_TEXT.search(text)) and _returns_something(message)


def replies(text: str) -> list[str]:
    """The lines of a text that hold a server's reply, each with the one behind it, for replies are folded."""
    lines = [line.strip() for line in text.splitlines()]
    found = [f"{line} {lines[at + 1] if at + 1 < len(lines) else ''}" for at, line in enumerate(lines) if REPLIED.search(line)]
    return [one for one in found if not COMMANDED.match(one)][:50]


REPLIED = re.compile(r"(?:^|[\s:(<])(?:5[0-7]\d|4[2-7]\d)[ -]\S|(?<![\d.])[45]\.\d{1,2}\.\d{1,2}(?![\d.])")
COMMANDED = re.compile(r"\W*>>>")


def _report_of_a_gateway(message: Part, text: str) -> bool:
    """Some gateways sign with a person's or the list's address: then all of subject, text and a returned message must say so."""
    if message.has("in-reply-to") and not message.has("auto-submitted"):
        return False
    first = text.lstrip()[:1_500]
    return bool(FAILED_SUBJECT.search(message.subject) and STRONG_TEXT.search(first)) and _returns_something(message)


STRONG_TEXT = re.compile(
    r"(?:message|mail|e-?mail|letter).{0,120}(?:could not be|cannot be|was not|can.t be|has not been|unable to be|not) (?:delivered|sent)|undeliver(?:able|ed)|delivery (?:failed|failure|to the following)|returned (?:message|mail|to sender)|permanent fatal errors|user unknown|unknown user|the following address|failed recipient|could not deliver|unable to deliver|"
    r"宛先|配信できません|届けできません|送信できません|无法投递|退信",
    re.IGNORECASE,
)


def _returns_something(message: Part) -> bool:
    if any(part.content_type in ORIGINAL_TYPES for part in message.walk()):
        return True
    return any(COPY_BEGINS.search(part.text) for part in message.walk() if part.content_type.startswith("text/"))


def delayed(text: str, subject: str) -> bool:
    """Whether a server only says that it goes on trying."""
    if re.search(r"delay|warning|still|verzög|retard|遅延", subject, re.IGNORECASE) and not re.search("fail", subject, re.IGNORECASE):
        return bool(DELAYED_TEXT.search(text)) or not GAVE_UP.search(text)
    return bool(DELAYED_TEXT.search(text)) and not GAVE_UP.search(text)


def recipient(message: Part, text: str) -> str:
    """The address that failed, as the bounce names it: for people to read, never to decide by."""
    named = message.get("x-failed-recipients")
    if found := ADDRESS.search(named or text):
        return found[0].rstrip(".")
    original = next((part for part in message.walk() if part.content_type in ORIGINAL_TYPES), None)
    inner = embedded(original) if original else None
    found = ADDRESS.search(inner.get("to")) if inner else None
    return found[0] if found else ""


HEDGED = re.compile(r"may not|might not|possibly|pipe to|transaction failed|malformed|temporar|try again|google\S{0,80}group", re.IGNORECASE)
"""Words of a text that leave open whether the reader is gone."""

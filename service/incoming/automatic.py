"""Whether a machine wrote a message, and how we know: such a message confirms nothing, asks for nothing, and gets no answer."""

from __future__ import annotations

import re

from service.incoming.reading import Part

DAEMON = re.compile(
    r"(?:^|[<\s\"'(])(?:mailer[-_.]?daemon|mail[-_.]?daemon|post[-_]?master|mailerdaemon|maildaemon|mdaemon|mail[-_ ]?delivery[-_ ]?(?:sub)?"
    r"system|mail[-_ ]?administrator|mailadmin|mmdf|uucp|double-bounce|bounces?|delivery[-_]?(?:agent|system)|"
    r"microsoftexchange[0-9a-f]{16,}|mailsystem|mail_system|mail-system|mail-?delivery|ndr|smtp[-_ ]?gateway)(?=[@+>\s\"')=-]|$)",
    re.IGNORECASE,
)
NAMED_DAEMON = re.compile(
    r"mail delivery (?:sub)?system|mail ?delivery ?service|system administrator|mail administrator|delivery (?:sub)?system|"
    r"mailer-daemon|internet mail delivery|message delivery|mail system|mta|mail router|postmaster|email engine|bounce",
    re.IGNORECASE,
)
AUTOMATIC_SUBJECT = re.compile(
    r"^\W*(?:(?:re|aw|sv|antw|wg|fwd?)\s*:\s*)*\W*(?:"
    r"auto(?:matic(?:ally generated)?|mated)?[\s_-]*(?:reply|response|respon[ds]e?r?|answer|antwort|generated|mail)|auto\s?:|auto\s?re\s?:"
    r"|autoreply|autoresponse|autoresponder|autorespond|out[\s_-]*of[\s_-]*(?:the[\s_-]*)?office|ooo\b|oof\b|away from (?:my |the )?(?:office|mail|desk|e-?mail)"
    r"|(?:i am |i'm |i’m )?(?:currently )?(?:away|on (?:annual |maternity |sick |parental |paternity )?(?:leave|holidays?|vacation))\b"
    r"|(?:annual|maternity|sick|parental|paternity) leave|vacation|holiday (?:notice|message|reply)|on holiday|absence|absent\b"
    r"|thank you for (?:contacting|your (?:e-?mail|message|enquiry|inquiry))|we(?:'ve| have) received your (?:e-?mail|message|enquiry|request)"
    r"|abwesenheit|abwesend|automatische[rs]? (?:antwort|antwoord|beantwoording|reactie)|nicht (?:im|am) (?:büro|haus|arbeitsplatz)|urlaub|außer haus"
    r"|réponse automatique|reponse automatique|absence du bureau|absent du bureau|message d.absence|en congés?|accusé de réception automatique"
    r"|respuesta autom|fuera de (?:la )?oficina|ausente|ausencia|estoy de vacaciones|resposta autom|fora do escrit|ausência|férias"
    r"|risposta automatica|fuori (?:sede|ufficio)|assente|in ferie|afwezig|niet aanwezig|autosvar|frånvaro|fravær|fraværende|ikke på kontoret"
    r"|automaattinen vastaus|poissa|poissaolo|autoodpowiedź|odpowied[źz] automatyczna|automatyczna odpowied|nieobecno|urlop|poza biurem"
    r"|automatická odpov|mimo kancelář|nepřítomn|automatikus válasz|távollét|házon kívül|răspuns automat|raspuns automat|автоответ|автоматичн?ес?к?ий ответ|"
    r"автоматическ|отсутств|нет на работе|в отпуске|автоматична відпов|otomatik yanıt|otomatik cevap|ofis dışı|işyerinde değil"
    r"|αυτόματη απάντηση|εκτός γραφείου|自動返信|自動応答|不在通知|不在のお知らせ|自动回复|自動回覆|外出|부재중|자동 ?회신|자동 ?응답|رد تلقائي|تلقائي|מענה אוטומטי"
    r")",
    re.IGNORECASE,
)
CHALLENGE = re.compile(
    r"spamarrest|boxbe|bluebottle|\btmda\b|(?:confirm|verify) (?:that )?(?:your message|you sent|you are (?:a (?:person|human)|not)|your identity)|"
    r"your (?:message|e-?mail).{0,60}(?:awaits?|requires?|needs?|waiting for).{0,20}(?:verification|confirmation|authori[sz]ation)|"
    r"waitlisted|guest list|(?:click|reply|visit).{0,60}(?:to (?:be added|join|get onto)|added to).{0,30}(?:whitelist|white list|guest ?list|approved|allowed)|whitelist.{0,40}request",
    re.IGNORECASE,
)
VACATION_HEADERS = (
    "x-autoreply", "x-autorespond", "x-autoresponse", "x-autoresponder", "x-auto-reply-from", "x-autoreply-from",
    "x-mail-autoreply", "x-autoreply-message-id", "x-vacation", "x-oof", "x-ms-exchange-inbox-rules-loop", "x-loop-autoreply",
    "x-cron-env", "x-opentext-autoreply",
)  # fmt: skip
LIST_HEADERS = ("list-id", "list-post", "list-unsubscribe", "list-help", "list-owner", "list-subscribe", "list-archive", "mailing-list",
                "x-mailman-version", "x-mailing-list", "x-beenthere", "x-ml-name")  # fmt: skip
BULK = {"bulk", "junk", "list"}


def comes_from_daemon(message: Part) -> bool:
    """Whether the From (or Sender) is a mail system's own."""
    senders = [message.get("from"), message.get("sender"), message.get("x-original-from")]
    return any(DAEMON.search(one) or NAMED_DAEMON.search(one.partition("<")[0]) for one in senders if one)


def null_sender(message: Part, sender: str | None) -> bool:
    """The null return path, told by the envelope or by the server that took it (RFC 5321 §4.5.5)."""
    if sender is not None:
        return not sender.strip("<> ")
    paths = [path.strip() for path in message.all("return-path")]
    return bool(paths) and paths[0] in {"<>", "<#@[]>", ""}


def vacation(message: Part) -> str:
    """Why this is somebody's automatic answer (RFC 3834 §5), or an empty text."""
    submitted = message.get("auto-submitted").partition(";")[0].strip().lower()
    if submitted.startswith("auto-replied") or "vacation" in submitted:
        return "Auto-Submitted: auto-replied"
    if name := next((name for name in VACATION_HEADERS if message.has(name)), ""):
        return f"the header {name}"
    if message.get("precedence").strip().lower().replace("-", "_") in {"auto_reply", "autoreply", "vacation"}:
        return "Precedence: auto_reply"
    if re.search(r"vacation|auto-?re(?:ply|spon)|autoanswer", message.get("x-mailer") + message.get("delivered-to"), re.IGNORECASE):
        return "the program that wrote it"
    if message.has("x-auto-response-suppress") and message.has("in-reply-to") and not message.has("auto-submitted"):
        return "X-Auto-Response-Suppress"
    if "autoresponder" in message.get("x-post-messageclass").lower():
        return "X-POST-MessageClass"
    if AUTOMATIC_SUBJECT.search(message.subject):
        return "its subject"
    return ""


def machine(message: Part, sender: str | None) -> str:
    """Why this message must not be answered, nor obeyed (RFC 3834 §2); empty where a person may have written it."""
    submitted = message.get("auto-submitted").partition(";")[0].strip().lower()
    if null_sender(message, sender):
        return "the null return path"
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted[:40]}"
    if comes_from_daemon(message):
        return "a mail system wrote it"
    if (found := message.get("precedence").strip().lower()) in BULK:
        return f"Precedence: {found}"
    if name := next((name for name in LIST_HEADERS if message.has(name)), ""):
        return f"the header {name}"
    if message.content_type == "multipart/report":
        return "it is a report"
    return vacation(message)

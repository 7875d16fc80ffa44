"""Why a server did not deliver: its words and its status (RFC 3463), judged together.

Words come before numbers, for many servers say 5.1.1 of a full mailbox, or 5.7.1 of one that does not exist; among the words
those that speak of us (policy, reputation) come first, since a server that refuses us may say "user" in the same breath.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from service.incoming.reports import REPLY, STATUS

Class = Literal["hard", "soft", "blocked", "delayed", "unknown"]


class Verdict(NamedTuple):
    """A class and its reason in a word or two."""

    kind: Class
    reason: str


class Rule(NamedTuple):
    kind: Class
    reason: str
    words: re.Pattern[str]


def _rule(kind: Class, reason: str, *words: str) -> Rule:
    return Rule(kind, reason, re.compile("|".join(words), re.IGNORECASE))


RULES = (
    _rule("soft", "greylisted", "gr[ea]y[- ]?list", "try again (?:later|in \\d+)", "please retry later"),
    _rule(
        "blocked", "authentication", r"\bdmarc\b", r"\bspf\b.{0,60}(?:fail|check|record|reject|not allowed|policy|invalid|violation|deny|denied)",
        r"(?:fail\w*|violat\w*|check|invalid|reject\w*|denied).{0,40}\bspf\b", "sender policy framework", r"\bdkim\b.{0,40}(?:fail|required|missing|invalid)",
        "unauthenticated (?:e-?mail|sender)", r"(?:mail|message|sender).{0,30}not (?:been )?authenticated", "is not authorized to send mail",
        "sender (?:id|authentication)", "550 5.7.26",
    ),
    _rule("soft", "mailbox full", "over[- ]?quota", "quota", r"mail ?box\b.{0,40}\b(?:is )?(?:full|exceed)", r"(?:inbox|box|mailbox|storage|account).{0,30}\bfull\b",
          "exceed(?:s|ed)? (?:its|the|his|their) (?:storage|size|disk|mailbox)", "storage (?:limit|space|allocation)", "insufficient (?:system |disk )?(?:storage|space)",
          r"mailbox.{0,40}size.{0,20}limit", "disk full", "no space left", "not enough (?:storage|space|disk)", "out of (?:storage|space)", r"too many messages (?:in|on) (?:this |the )?mail ?box",
          "mailfolder is full", "maildir (?:over|full)", "postfach (?:ist )?(?:voll|überfüllt)", "speicher(?:platz|grenze)", "kontingent", "boîte.{0,40}(?:pleine|saturée)", "bo[iî]te aux lettres.{0,20}pleine",
          "dépass\\w+ (?:son|le) quota", "buz[oó]n.{0,30}(?:lleno|excedid)", "caixa (?:postal |de correio )?.{0,20}cheia", "casella.{0,30}piena", "skrzynk\\w+.{0,40}(?:pełn|przepełn)", "přeplněn",
          "переполнен", "ящик.{0,30}полон", "превыш\\w+ .{0,20}(?:квот|размер)", "容量", "メールボックス.{0,20}(?:いっぱい|一杯|満)", "邮箱.{0,10}满", "空间(?:已满|不足)", "已满", "용량", "가득",
          "postlådan är full", "brevlådan är full", "postkassen er fuld", "postboks.{0,20}full", "postilaatikko.{0,20}täynnä", "mailbox is vol", "postvak.{0,20}vol"),
    _rule("soft", "message too large", r"(?:message|mail|e-?mail|size|body|attachment)s?.{0,40}(?:too (?:big|large|long)|exceeds?\b.{0,60}\b(?:size|limit|maximum|length))", "size limit", r"exceed\w* .{0,30}(?:maximum|max|fixed).{0,20}size",
          r"max(?:imum)? (?:message |mail )?size (?:exceed|allowed)", "larger than", "nachricht.{0,20}zu gro", "message trop (?:gros|volumineux)", r"message length exceeds"),
    _rule(
        "blocked", "reputation", r"\bdns ?bl\b", r"\brbls?\b", "black[- ]?list", "block[- ]?list", "deny ?list", "blacklisted", "spamhaus", "spamcop", "barracuda.{0,30}reputation", r"\bsorbs\b", r"\babuseat\b", "senderscore", "proofpoint",
        "sender ?base", "reputation", r"(?<!not )\blisted (?:at|in|on|by)\b", "poor (?:sender )?score", r"(?:ip|host|server|client|sender).{0,60}(?:is|has been|was|are) (?:temporarily |currently |being )?(?:blocked|banned|rejected|denied|deferred|blocked)",
        r"(?:blocked|banned|rejected|refused|denied) (?:due to|because of|for|by) .{0,40}(?:abuse|spam|policy|complaints|reputation|reports)", r"(?:your|this|the|sending) (?:ip|host|server|network|mail server)\b.{0,60}(?:block|ban|reject|not allowed|not permitted|denied|refused)",
        r"\bblocked\b.{0,30}(?:see|using|http|contact|support|by )", "connection (?:refused|rejected|denied) .{0,40}(?:abuse|spam|policy|listed)", r"\[(?:ip|cs01|tss0\d|ts0\d|ph01|bl2[1-3])\]", r"\(?(?:cs01|tss0\d|bl2[1-3]|s3140|s3150|ctm\d|rly:[a-z]\d)\b",
        "access denied, (?:banned|traffic)", "banned send", "unsolicited", r"\babuse\b", "bulk mail",
    ),
    _rule(
        "blocked", "no reverse name", "reverse (?:dns|lookup|hostname|name)", r"\bptr\b", r"\br-?dns\b", "cannot find your (?:reverse )?host ?name", "can(?:'|no)t resolve your", "unable to resolve .{0,30}(?:client|your)", "client host rejected: cannot find", "no (?:valid )?host ?name",
        "ip name lookup failed", "helo command rejected", "ehlo .{0,20}(?:invalid|rejected)", "hostname .{0,30}does not resolve", "unresolvable relay host", "domain must resolve", "dynamic (?:ip|pool|address)", "sender address rejected: domain not found",
    ),
    _rule(
        "blocked", "spam", r"(?<!anti)(?<!anti-)(?<!anti )\bspam\b(?! ?arrest)", "spamm?(?:y|ish|ing|mer|assassin|-?like)", "junk ?mail", "content (?:filter|rejected|reject|denied|policy|restriction)", "message content", r"(?:rejected|blocked|refused|denied|filtered).{0,40}(?:content|filter)", r"virus", "malware", "phish", "infected",
        "suspicious", "contains .{0,30}(?:url|link|attachment).{0,40}(?:block|not allowed|prohibited)", "bad (?:header|content)", "banned (?:content|file|attachment)", "disallowed attachment", "looks like", "advertis", "uce\\b", "classified as", r"considered .{0,20}(?:spam|unsolicited)", "垃圾", "スパム", "迷惑メール", "спам",
    ),
    _rule(
        "blocked", "too fast", "rate limit", r"too many (?:connections|messages|e-?mails|recipients|mails|sessions|concurrent|requests|errors)", "too fast", "throttl", r"(?:sending|connection|message|mail) rate", "exceed\\w* (?:the )?(?:hourly|daily|max|maximum|your).{0,30}(?:limit|rate|connections|messages|emails)", "receiving mail at a rate", "slow down", "frequency limit", "connection limit",
    ),
    _rule(
        "blocked", "relaying denied", r"relay(?:ing|ed)?\b.{0,40}(?:den(?:y|ied)|not (?:allowed|permitted|authorized|supported)|prohibit|refus|reject|restrict)", r"(?:den(?:y|ied)|unable to|cannot|not (?:allowed|permitted) to|do(?:es)? not|prohibit\w*|not open|no|refus\w+|won.t|will not) relay", "not a (?:permitted |known )?relay", "we do not relay", "sorry, that domain isn't in my list",
        "rcpthosts", "not in my list of allowed", "relay access", "authenticat\\w+ (?:is )?required", "authentication needed", "must (?:issue|authenticate|check).{0,40}(?:starttls|first|before)", "use smtp auth", "must be authenticated",
    ),
    _rule(
        "blocked", "sender refused", r"(?:sender|return|envelope|from|reply|mail from)(?:'s)?[- ](?:address|domain|path|e-?mail|mail ?box|host|verif\\w*).{0,90}(?:not exist|reject|refus|denied|invalid|unknown|not (?:be )?(?:found|resolv|verif|accept|allow|valid)|fail|block|unroutable|unresolvable|no (?:mx|dns|a) )",
        r"domain of sender", r"(?:reject\w*|invalid|unknown|bad|unable to verify|verify|could not verify|cannot resolve|refus\w+|denied) (?:the |your )?(?:sender|return[- ]path|envelope[- ]from|from address)", "sending domain", "unrout(?:e)?able sender", "sender (?:is )?(?:rejected|refused|denied|unknown|blocked)",
        r"(?:only accepts|does not accept|will not accept|not accepting) (?:mail|messages|e-?mail) from", "not (?:in|on) (?:the )?(?:list of )?(?:allowed|approved|accepted) senders", "from you\\b|from this sender|recipient preferences", "invalid ip for sending",
    ),
    _rule(
        "hard", "no such user", r"(?:user|recipient|mail ?box|account|addressee|address|local[- ]part|alias|login|person|name|id|inbox|receiver|subscriber)s?\b.{0,45}?\b(?:is |are |was |were |has |have |been )?(?:unknown|not (?:be )?(?:found|exist|known|recognized|recognised|valid|listed|a (?:known|valid)|local|our customer|registered|available|here|hosted)|does ?n[o'’]t exist|do not exist|doesn.t have|does not have|non-?exist\w*|invalid|undeliverable|unroutable|removed|deleted|closed|terminated|cancell?ed|expired|deactivated|de-activated|no longer|discontinued|been (?:closed|removed|deleted|moved|changed))",
        r"\b(?:unknown|invalid|no such|non-?existent|nonexistent|not a valid|not a known|not a|bad|undeliverable|incorrect|wrong|illegal|obsolete|unrecognized|unroutable|unrouteable|inexistent|undefined|no|never heard of) (?:local |virtual |mail |e-?mail |internal |destination |recipient'?s? |primary |delivery |target |external |final |valid )?(?:user|recipient|mail ?box(?:es)?|address(?:ee|es)?|account|alias|person|local[- ]part|receiver|subscriber|destination|name|employee|customer|person|individual|inbox|forwarding|route to user|rcpt)",
        r"no mail ?box", "there is no (?:such |one )", "that user", r"couldn.t be found", "could not be found", "wasn.t found", r"isn.t (?:a|in|known)", r"not listed in", "not our (?:customer|user)", "unknown (?:to|at|in) (?:this|the|our)", "unknown or illegal", "address unknown", "unknown_user", "unknownuser", "user_unknown", "unrouteable address", "unroutable address", "unknown address error", "name not found",
        r"recipient address rejected: (?:access denied|undeliverable|unverified)", "rejected recipient", r"bad[_ -]recipient", r"recipient address rejected[. ]*(?:\(|$)", "invalid final delivery", "did not (?:exactly )?match", "リストにありません", "ディレクトリ.{0,10}見つかりません", r"(?:deactivated|de-activated|closed|terminated|deleted|expired|cancell?ed|discontinued|former) (?:user|recipient|mail ?box|account|address)", "no final e-?mail|not have a final","mailbox unavailable(?! or access denied)", "no longer (?:valid|active|available|in use|exists?|works?|employed|with|at|accept|on|a |used|monitored|here|in operation|uses|handles|subscrib)",
        "has (?:left|moved|been (?:terminated|closed|deleted|removed))", "address has changed", "moved (?:to|away)", r"has ?n[o'’]t (?:a|an|got)", "do(?:es)?n.t (?:handle|have a|like recipient)", "doesn't match any", "dns error|" "do not have .{0,30}(?:account|mailbox)",
        "list of valid (?:users|recipients)", "valid recipient", "recipient verification failed", "verification failed for", "recipient not (?:ok|allowed|accepted|recogni)", "rcpt (?:to )?(?:unknown|invalid|failed)", "unable to (?:find|locate) (?:the )?(?:recipient|user|mailbox)", "can.?t (?:find|verify|open) (?:the )?(?:recipient|user|mailbox)", "addressing error", "bad destination mailbox", r"no (?:user|recipient|one) (?:here|there|by|of|with|found|exist)", r"not (?:a )?(?:valid|known|recognized|recognised) (?:user|recipient|mailbox|address|here)", "does not exist", "doesn.t exist", "not exist", "user not", "not known", "inactive user|delivery to .{0,60}(?:discontinued|terminated)", "no account",
        "null mx|nullmx|does not accept (?:mail|e-?mail|any mail)|doesn.t accept (?:mail|e-?mail)|never accepts mail",
        "unbekannte[rsn]? ?(?:benutzer|empfänger|adresse|user)?", r"(?:benutzer|empfänger|adresse|postfach|konto).{0,40}(?:unbekannt|existiert nicht|nicht gefunden|ungültig|nicht vorhanden|gibt es nicht)", "kein (?:solcher|gültiger) (?:benutzer|empfänger)", "existiert nicht", "utilisateur .{0,20}(?:inconnu|n.existe)", r"(?:adresse|destinataire|bo[iî]te|compte|usager|utilisateur).{0,40}(?:inconnue?|n.existe pas|introuvable|invalide|inexistante?|erronée?)",
        r"(?:usuario|destinatario|direcci[oó]n|buz[oó]n|cuenta|casilla).{0,40}(?:desconocid[oa]|no existe|inexistente|inv[aá]lid[oa]|no encontrad[oa]|no es v[aá]lid|no se encuentra)", "no existe", r"(?:usu[aá]rio|destinat[aá]rio|endere[cç]o|caixa|conta).{0,40}(?:desconhecid[oa]|n[aã]o existe|inexistente|inv[aá]lid[oa]|n[aã]o encontrad|n[aã]o foi encontrad)", r"(?:utente|destinatario|indirizzo|casella).{0,40}(?:sconosciut[oa]|non esiste|inesistente|non valid[oa]|non trovat)", "onbekende? (?:gebruiker|ontvanger|adres)", r"(?:gebruiker|adres|ontvanger|postbus).{0,30}(?:onbekend|bestaat niet|niet gevonden)", r"nie istnieje", r"(?:nieznany|niepoprawny|brak) (?:użytkownik|adres|odbiorc|konta)", r"neexistuje", "neznámý", r"не существует", r"не ?найден", r"неизвестн\w+ (?:пользовател|получател|адрес)", "нет такого", "такого пользователя нет", "недоступен или не существует", "не зарегистрирован", "не існує",
        "宛先.{0,20}(?:不明|見つかりません|存在しません|誤|間違)", "(?:ユーザ|アドレス|メールアドレス|宛先|メールボックス)ー?.{0,20}(?:存在しません|見つかりません|不明|ありません|登録されていません|使われておりません|使用されていません)", "お届けできませんでした.{0,60}存在", "不存在", "找不到", "无此用户", "不存在该用户", "收件人.{0,20}(?:错误|不正确|无效)", "用户名?.{0,10}(?:不存在|错误)", "用戶不存在", "존재하지 ?않", "없는 (?:사용자|계정|주소)", "찾을 수 없", r"(?:användare|mottagare|adress).{0,30}(?:okänd|finns inte|hittades inte)", "okänd (?:användare|mottagare)", r"(?:bruger|modtager|adresse).{0,30}(?:ukendt|findes ikke|ikke fundet)", r"(?:bruker|mottaker|adresse).{0,30}(?:ukjent|finnes ikke|eksisterer ikke)", r"(?:käyttäjä|vastaanottaja|osoite)\w*.{0,30}(?:tuntematon|ei löydy|ei ole olemassa)", "kullanıcı (?:bulunamadı|yok)", "bilinmeyen kullanıcı", "adres bulunamadı", "felhasználó.{0,20}(?:nem létezik|ismeretlen)", "άγνωστος χρήστης", "δεν υπάρχει",
    ),
    _rule(
        "hard", "no such domain", r"(?:host|domain|server|site|system|hostname|mx|destination|node|computer|name|nameserver)s?(?: name)?\b.{0,60}(?:unknown|not (?:be )?(?:found|exist|known|resolv\w*)|does ?n.t exist|does not exist|non-?existent|invalid|no longer|couldn.t be found|unresolvable|isn.t valid)", r"(?:unknown|no such|invalid|non-?existent|illegal|bad|unresolvable|unrecognized|undefined|unregistered) (?:host|domain|mail domain|server|system|site|destination|hostname|mx)", "nxdomain", "host or domain name not found", "name service error", "couldn't find any host|no (?:mx|a|dns) (?:record|or a|host)|all relevant mx records",
        "no route to (?:host|domain)", "bad destination (?:host|system)", "no matches to nameserver query", "dns hard error|permanent dns", "domain.{0,30}(?:not (?:found|exist)|has expired)", "无法解析|域名", "домен.{0,30}(?:не найден|не существует)", "unrouteable mail domain|unroutable domain", "no mail exchangers?|no mailserver", "no (?:smtp|mail) service", "no mx found", "mx .{0,40}(?:points to|invalid|empty)|can't find .{0,20}mx",
    ),
    _rule("soft", "account disabled", r"\b(?:disabled|suspend\w*|inactive|dormant|locked|frozen|de-?activat\w+|not active|blocked|paused|restricted|on hold)\b", "not (?:currently )?accepting (?:mail|messages)", "has been idle", "gesperrt", "deaktiviert", "désactivé", "desactivad", "disattivat", "zablokowan", "заблокирован"),
    _rule("blocked", "policy", r"\bpolic(?:y|ies)\b", r"(?:not|isn.t|aren.t) (?:allowed|permitted|authori[sz]ed|accepted)", r"(?:permission|access)\b.{0,15}\bdenied", r"prohibited", "administrative(?:ly)? (?:prohibition|denied|reject)", r"\bdenied\b", r"\brestrict\w*", "rejected by", "security (?:policy|reasons?)", "not acceptable", "refused by (?:recipient|filter)", "administrator", "sender (?:address )?(?:is )?(?:rejected|refused|not|denied|unknown|blocked|verif)", r"sender.{0,20}reject", "rejected for", "message (?:was )?(?:refused|rejected)", "forbidden", "mail (?:was |has been )?(?:refused|rejected)", "violat", "firewall"),
    _rule("soft", "no answer", r"time[ds]?[ -]?out", "timeout", r"(?:could not|couldn.t|cannot|can.t|unable to|failed to).{0,20}(?:connect|contact|reach|open|establish)", r"connection (?:\w+ )?(?:refused|reset|lost|closed|dropped|timed|died|broken|failed|unexpect)", "connection to .{0,60}(?:failed|refused|timed|lost)", r"(?:retry|delivery|queue|maximum|message).{0,30}(?:time|period|lifetime|attempts?).{0,30}(?:expired|exceeded|reached|elapsed|over)", "expired", r"not (?:responding|answering|available|reachable)", "no (?:response|answer|reply)", "network (?:is )?(?:error|problem|unreachable|down)", "unreachable", "did not accept our requests to connect", r"delivery (?:failed|attempted|was tried) \d+ (?:attempts|times)", r"(?:multiple|many|several|repeated) (?:retries|attempts|tries)", r"for the last \d+ seconds", r"aborted after", "not been collected", "too long (?:in|on) (?:the )?queue|in the queue too long|queue too long", r"for (?:more than |over |the last |at least )?\d+ (?:minutes?|hours?|days?)", "temporar", "greeting", "deferred", "lookup fail", "name server", "dns (?:temporary|query|lookup|failure|soft)", "host (?:is )?(?:down|unreachable|not (?:available|responding))", "shutting down|shutdown", "busy", "service (?:is )?(?:currently |temporarily )?(?:unavailable|not available)"),
    _rule("soft", "server trouble", r"\bloop\w*", "too many hops", "hop ?count", "system (?:error|problem|resources|config|not (?:ready|accepting|capable))", "internal (?:server )?(?:software )?error", "local (?:configuration|error|processing)", "i/o error|input/output", "cannot (?:open|write|create|append|update|lock|allocate|access|deliver|be delivered)", "can't (?:create|open|write|append|lock)", "mailer (?:error|died|returned)", "command (?:died|failed|time)", "program (?:failure|failed|error)", "configuration (?:error|problem)", "permission", "syntax", "bare lf|bare linefeed|line too long|headers? (?:too|are)|8 ?bit|smtputf8|mime", "starttls|\btls\b|certificate|ssl|encryption", "out of memory", "not implemented|unrecognized command|bad sequence|command out of", "protocol error", "unexpected", "database", "ldap", "exit (?:code|status)|unknown mailer error"),
)
"""Looked through from the top; the first words found decide."""

BY_STATUS: dict[str, Verdict] = {
    **dict.fromkeys(("1.0", "1.1", "1.3", "1.4", "1.5", "1.6", "1.10"), Verdict("hard", "no such user")),
    **dict.fromkeys(("1.2", "4.4"), Verdict("hard", "no such domain")),
    **dict.fromkeys(("1.7", "1.8", "1.9"), Verdict("blocked", "sender refused")),
    "2.1": Verdict("soft", "account disabled"),
    "2.2": Verdict("soft", "mailbox full"),
    "2.3": Verdict("soft", "message too large"),
    "3.1": Verdict("soft", "mailbox full"),
    "3.4": Verdict("soft", "message too large"),
    **dict.fromkeys(("4.1", "4.2", "4.7"), Verdict("soft", "no answer")),
    "4.6": Verdict("soft", "server trouble"),
}
"""RFC 3463 and its registry: subject and detail of a permanent status (class 5)."""
BY_SUBJECT: dict[str, Verdict] = {
    "2": Verdict("soft", "mailbox trouble"), "3": Verdict("soft", "server trouble"), "4": Verdict("soft", "no answer"),
    "5": Verdict("soft", "server trouble"), "6": Verdict("soft", "content"), "7": Verdict("blocked", "policy"),
}  # fmt: skip
SURE = {"1.1", "1.2", "1.3", "1.6", "1.10"}
NOT_ABOUT_THE_READER = {"authentication", "reputation", "no reverse name", "spam", "too fast", "relaying denied"}


NAMES = re.compile(r"https?://\S+|[^\s<>()\"':;,\[\]]{1,80}@[^\s<>()\"':;,\[\]]{1,100}|\b(?:[\w-]{1,63}\.){2,8}[a-z]{2,24}\b", re.IGNORECASE)
"""Web pages, addresses and hosts, whose names may say anything: spam@, blocked.example, /errors/unknown-user."""


def by_words(text: str) -> Verdict | None:
    """What the words alone say."""
    flat = " ".join(NAMES.sub(" <> ", text[:6_000]).split())
    for rule in RULES:
        if rule.words.search(flat):
            return Verdict(rule.kind, rule.reason)
    return None


def judge(status: str, text: str) -> Verdict:
    """Class and reason of one refusal: `status` as x.y.z or empty, `text` the server's words."""
    said = by_words(text)
    status = specific(status, text)
    kind, _, detail = status.partition(".")
    if kind == "4" or (not kind and temporary(text)):
        return _temporary(said)
    known = BY_STATUS.get(detail)
    if detail in SURE and (said is None or said.reason in {"account disabled", "policy", "no answer", "server trouble"}):
        return known or Verdict("hard", "no such user")
    if said is not None:
        return said
    return known or BY_SUBJECT.get(detail.partition(".")[0]) or Verdict("unknown", "nobody could say why")


def _temporary(said: Verdict | None) -> Verdict:
    """A server that asks us to come back never says that a reader is gone."""
    if said is not None and said.kind in {"soft", "blocked"}:
        return said
    return Verdict("soft", "come back later")


def specific(status: str, text: str) -> str:
    """The status that says the most: the report's own, or where that is vague (x.0.0) or missing, the one in the words."""
    if status and not status.endswith(".0.0"):
        return status
    found = STATUS.search(text[:2_000])
    if found and not found[0].endswith(".0.0"):
        return found[0]
    return status or (found[0] if found else "")


def temporary(text: str) -> bool:
    found = REPLY.search(text[:500])
    return found is not None and found[1] == "4"

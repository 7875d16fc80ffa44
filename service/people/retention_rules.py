"""What we keep of each table, and until when; a test refuses a table without its sentence, and the privacy page shows some."""

from __future__ import annotations

KEPT = "kept: "
RULES: dict[str, str] = {
    "signatures": "unconfirmed: UNCONFIRMED_DAYS; confirmed: pseudonymised PSEUDONYMISE_DAYS after the notice closes; "
    "a keyed mark of the visitor who confirmed, so that fraud is seen: 30 days",
    "subscriptions": "unconfirmed: UNCONFIRMED_DAYS; left: two years, so that an import cannot bring them back",
    "requests": "unconfirmed: UNCONFIRMED_DAYS; to be written to again: 30 days and UNCONFIRMED_DAYS; "
    "used: UNCONFIRMED_DAYS after they ran out; of a receipt: as what it manages",
    "request_items": "with their request",
    "waiting_forms": "until a worker has acted on them, in the next second as a rule; UNCONFIRMED_DAYS at most",
    "consents": "never confirmed: UNCONFIRMED_DAYS; six years after a withdrawal (Limitation Act 1980 s.5); erased people "
    "and signers of notices closed long ago as a keyed hash",
    "messages": "to an address we hold nothing else of: UNCONFIRMED_DAYS; letters one by one: 90 days after they were settled; "
    "servings: kept; mailings: with the mailing; a keyed mark of the visitor, or server, that asked for one: two days",
    "letters": "30 days after they were accepted, for they may hold links; letters to officials: kept",
    "attempts": "with their message",
    "arrivals": "90 days after they came in, with the address of the machine that brought them",
    "raw_mail": "30 days after it came in",
    "former_tokens": KEPT + "one number, no personal data",
    "bounces": "a year; whose they are is a keyed hash; the receiving domain: 30 days",
    "suppressions": KEPT + "a keyed hash alone",
    "holds": "until an organiser has looked at the failures; a keyed hash alone, with the receiving domain",
    "brakes": "a year after they were judged; no personal data",
    "brake_decisions": "with their brake; no personal data",
    "outcome_counts": "of a receiving domain or an hour: a week; of a mailing: 30 days; counts alone",
    "reply_patterns": "a year after the last failure in such words; no personal data",
    "complaints": "six years after they were answered; of erased people that there was one, without name, address and words",
    "sign_in_links": "a day after they ran out",
    "organiser_sessions": "a day after they ran out",
    "organisers": KEPT + "until an administrator removes them; what they wrote and approved names them by number",
    "recovery_codes": "with their organiser's second factor",
    "audit_entries": KEPT + "who did what; people in it are a keyed hash; a reason stands as its organiser wrote it",
    "imports": "the file: seven days; what became of it: a year",
    "import_lines": "with their import; no personal data",
    "days": KEPT + "counts alone; a domain that fewer than five wrote from is not named",
    "officials": KEPT + "public offices, with the source of each address",
    "notices": KEPT + "public",
    "editions": KEPT + "public",
    "demands": KEPT + "public",
    "mail_policies": "what an official's domain says of its mail servers: until a day after its end; no personal data",
    "milestones": KEPT + "no personal data",
    "mailing_lists": KEPT + "no personal data",
    "mailings": KEPT + "public",
    "mailing_versions": KEPT + "what was written and approved",
    "mailing_seen": KEPT + "which version an organiser saw last",
    "mailing_reports": KEPT + "counts alone",
    "tallies": KEPT + "no personal data",
    "servings": KEPT + "the record of what was served",
    "deliveries": KEPT + "the record of what was served",
    "leaves": KEPT + "noise to whoever lacks the nonce, which goes with its signature",
    "tree_nodes": KEPT + "hashes of leaves",
    "manifests": KEPT + "the record of what was served; no names of signers",
    "evidence": KEPT + "the record of what was served; no names of signers",
    "proof_keys": KEPT + "public keys",
    "proposals": KEPT + "who changed what with whose approval",
    "askings": KEPT + "no personal data",
    "corrections": "sent: numbers of signatures alone, for a year",
    "failures": "until the job succeeds, or its row no longer waits; no personal data",
    "told_problems": "a day after the problem was over; no personal data",
    "enclosures": "what officials were sent, and have: emptied PSEUDONYMISE_DAYS after the notice closes; its hash is kept",
}
BESIDE: dict[str, str] = {
    "lists that officials were sent": "they have them, whoever is erased later, and are told the number of each who is",
    "files of people that organisers send": "seven days",
    "backups": "encrypted, as long as organisers keep them; whoever was erased since is erased again when one is brought back",
    "copies made before a backup is brought back": "encrypted, 30 days",
    "the note of an erasure": KEPT + "a keyed hash and a time, so that no backup brings anybody back",
    "ceilings of visits": "in Redis, the address of the visitor, an hour at most, and an hour more in its log",
}
"""What lies beside the tables, and until when."""

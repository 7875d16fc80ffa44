"""The tables, one file per family of nouns; no decisions are taken here."""

from service.models.audit import AuditEntry, Import, ImportLine
from service.models.base import Base
from service.models.lists import (
    Day,
    Mailing,
    MailingList,
    MailingReport,
    MailingSeen,
    MailingVersion,
    Subscription,
    Tally,
)
from service.models.mail import Attempt, Enclosure, Letter, Message, Suppression
from service.models.notices import Demand, Edition, Milestone, Notice, Official
from service.models.organisers import Organiser, OrganiserSession, RecoveryCode, SignInLink
from service.models.people import Complaint, Consent, Request, RequestItem, Signature
from service.models.servings import Delivery, Serving

__all__ = [
    "Attempt", "AuditEntry", "Base", "Complaint", "Consent", "Day", "Delivery", "Demand", "Edition", "Enclosure", "Import",
    "ImportLine", "Letter", "Mailing", "MailingList", "MailingReport", "MailingSeen", "MailingVersion", "Message",
    "Milestone", "Notice", "Official", "Organiser", "OrganiserSession", "RecoveryCode", "Request", "RequestItem", "Serving",
    "SignInLink", "Signature", "Subscription", "Suppression", "Tally",
]  # fmt: skip

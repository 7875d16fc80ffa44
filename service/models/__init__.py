"""The tables, one file per family of nouns; no decisions are taken here."""

from service.models.audit import AuditEntry, Import, ImportLine
from service.models.base import Base
from service.models.brakes import Brake, BrakeDecision, Hold, OutcomeCount, ReplyPattern
from service.models.inbound import Arrival, Bounce, FormerTokens, RawMail
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
from service.models.mail import Attempt, Enclosure, Letter, MailPolicy, Message, Suppression
from service.models.notices import Demand, Edition, Milestone, Notice, Official
from service.models.operations import Failure, ToldProblem
from service.models.organisers import Organiser, OrganiserSession, RecoveryCode, SignInLink
from service.models.people import Complaint, Consent, Request, RequestItem, Signature, WaitingForm
from service.models.proof import Evidence, Leaf, Manifest, ProofKey, TreeNode
from service.models.servings import Delivery, Serving
from service.models.standing import Asking, Correction, Proposal

__all__ = [
    "Arrival", "Asking", "Attempt", "AuditEntry", "Base", "Bounce", "Brake", "BrakeDecision", "Complaint", "Consent",
    "Correction", "Day", "Delivery", "Demand", "Edition", "Enclosure", "Evidence", "Failure", "FormerTokens", "Hold", "Import",
    "ImportLine", "Leaf", "Letter", "MailPolicy", "Mailing", "MailingList", "MailingReport", "MailingSeen", "MailingVersion",
    "Manifest", "Message", "Milestone", "Notice", "Official", "Organiser", "OrganiserSession", "OutcomeCount", "ProofKey",
    "Proposal", "RawMail", "RecoveryCode", "ReplyPattern", "Request", "RequestItem", "Serving", "SignInLink", "Signature",
    "Subscription", "Suppression", "Tally", "ToldProblem", "TreeNode", "WaitingForm",
]  # fmt: skip

"""Who works where in the demonstration: queues, legal entities, connections, routes and grants, before any message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from exceptions_app.actions.approval_rules import Asked, approve_rule, propose_rule
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.field_rules import Release, approve_field_rule, propose_field_rule
from exceptions_app.actions.grants import ROLES, add_to_role, grant_connection, grant_role, grant_verbs
from exceptions_app.demo_front_door import CRM
from exceptions_app.demo_people import PEOPLE
from exceptions_app.models import FieldRule, LegalEntity, Queue, Route
from integrations.demo.companies import MERIDIAN_DE, MERIDIAN_NL
from integrations.demo.partners import MASTER_DATA
from integrations.demo.payments import TREASURY
from integrations.demo.postings import LEDGER
from integrations.models import Connection
from integrations.refusals import Category

_BECAUSE = "Demonstration"
_HOLD = Category.POLICY_HOLD.value


@dataclass(frozen=True, slots=True)
class _Way:
    """One route: what arrives, by which queue it goes. Without a party it leads to the connection's only entity."""

    queue: str
    entity: str
    priority: int = 3
    category: str = ""
    object_type: str = ""
    party_id: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    """A connection, with the account by which its source hands in."""

    slug: str
    name: str
    connector: str
    owner: str
    account: str
    account_name: str
    ways: tuple[_Way, ...]
    folder: str = ""


# The path of each connector below the simulator's address.
TARGETS = {"en16931": "tax-authority", "erp": "erp", "erp_master": "erp", "iso20022": "bank"}
_QUEUES = (
    ("e-invoicing", "E-invoicing", "Invoices that a tax authority refused."),
    ("receivables", "Receivables", "Customer invoices that the ledger did not book."),
    ("general-ledger", "General ledger", "Journals that the ledger did not book."),
    ("master-data", "Master data", "Suppliers and customers that the ledger did not take."),
    ("treasury", "Treasury", "Payments that the bank rejected."),
    ("holds", "Holds", "Transactions held before sending by a policy or a screening."),
)
_CLERKS_QUEUES = ("e-invoicing", "receivables", "holds")
_ENTITIES = (("NL01", MERIDIAN_NL, "Europe/Amsterdam"), ("DE01", MERIDIAN_DE, "Europe/Berlin"))


def _billing(entity: str) -> tuple[_Way, ...]:
    return (_Way("holds", entity, 2, _HOLD), _Way("e-invoicing", entity))


_POSTINGS = tuple(
    way
    for code in ("NL01", "DE01")
    for way in (
        _Way("general-ledger", code, object_type="journal", party_id=code),
        _Way("receivables", code, object_type="customer_invoice", party_id=code),
    )
)
_SOURCES = (
    _Source(
        "billing-nl", "Billing Netherlands", "en16931", "Billing platform team", "billing", "Billing platform",
        _billing("NL01"), "billing-nl",
    ),
    _Source(
        "billing-de", "Billing Germany", "en16931", "Billing platform team", "billing", "Billing platform",
        _billing("DE01"), "billing-de",
    ),
    _Source(
        LEDGER, "Corporate ledger (ERP)", "erp", "Finance systems team", "ledger-gateway", "Gateway of the ledger",
        _POSTINGS,
    ),
    _Source(CRM, "CRM (deals to be booked)", "erp", "Sales operations", CRM, "CRM", _POSTINGS),
    _Source(
        MASTER_DATA, "Master data (ERP)", "erp_master", "Master data team", "master-data-hub", "Master data hub",
        tuple(_Way("master-data", code, party_id=code) for code in ("NL01", "DE01")),
    ),
    _Source(
        TREASURY, "House bank", "iso20022", "Treasury systems team", "payment-hub", "Payment hub",
        tuple(
            way
            for code, account in (("NL01", MERIDIAN_NL.iban), ("DE01", MERIDIAN_DE.iban))
            for way in (
                _Way("holds", code, 1, Category.COMPLIANCE.value, "payment", account),
                _Way("treasury", code, 2, object_type="payment", party_id=account),
            )
        ),
        TREASURY,
    ),
)  # fmt: skip


def set_up_organisation(*, by: AbstractUser, at: datetime) -> None:
    """People, places, connections and who may do what there, each with its audit event."""
    _people(by, at=at)
    queues = {slug: Queue(slug=slug, name=name, purpose=purpose) for slug, name, purpose in _QUEUES}
    entities = {
        code: LegalEntity(code=code, name=company.name, country=company.country, currency="EUR", time_zone=zone)
        for code, company, zone in _ENTITIES
    }
    for place in (*queues.values(), *entities.values()):
        save_configuration(place, by=by, at=at, because=_BECAUSE)
    position = 10
    for source in _SOURCES:
        connection = _connection(source, by, at=at)
        for step, way in enumerate(source.ways):
            route = Route(
                position=position + step, connection=connection, queue=queues[way.queue], entity=entities[way.entity],
                priority=way.priority, category=way.category, object_type=way.object_type, party_id=way.party_id,
            )  # fmt: skip
            save_configuration(route, by=by, at=at, because=_BECAUSE)
        position += 10
    _grants(queues, list(entities.values()), by, at=at)
    _rule(at=at)
    _field_rules(at=at)


def _people(by: AbstractUser, *, at: datetime) -> None:
    for who in PEOPLE:
        person = get_user_model().objects.create_user(
            who.username,
            password=who.password,
            first_name=who.given_name,
            last_name=who.family_name,
            is_staff=who.administers,
            is_superuser=who.username == "administrator",
            time_zone="Europe/Amsterdam",
            email=f"{who.username}@meridian.example",
        )
        role = who.shares or who.username
        if role in ROLES:
            grant_role(role, (), by=by, at=at)
            add_to_role(role, person, by=by, at=at)
    for account, name in {source.account: source.account_name for source in _SOURCES}.items():
        get_user_model().objects.create_user(account, first_name=name)


def _connection(source: _Source, by: AbstractUser, *, at: datetime) -> Connection:
    connection = Connection(
        slug=source.slug, name=source.name, connector=source.connector, owner=source.owner, watched_folder=source.folder
    )
    save_configuration(connection, by=by, at=at, because=_BECAUSE)
    accounts = {"ingest_messages": source.account, "configure_connection": "administrator"}
    for permission, account in accounts.items():
        holder = get_user_model().objects.get(username=account)
        grant_connection(permission, holder, connection, by=by, at=at, because=_BECAUSE)
    return connection


def _rule(*, at: datetime) -> None:
    """Two must approve a large journal, of which there is one; by the two who keep the rules."""
    by_name = {who.get_username(): who for who in get_user_model().objects.filter(is_staff=True)}
    asked = Asked(above=Decimal(100_000), currency="EUR", approvers=2, object_type="journal")
    because = "The group's limits of authority, of January."
    rule = propose_rule(asked, by=by_name["administrator"], at=at, because=because)
    approve_rule(rule.pk, by=by_name["deputy"], at=at, frozen_sha256=rule.frozen_sha256)


def _field_rules(*, at: datetime) -> None:
    """One that holds, on fields that nobody has to mend here, and one that the deputy has not decided on yet."""
    by_name = {who.get_username(): who for who in get_user_model().objects.filter(is_staff=True)}
    asked = Release(position=10, who=FieldRule.Who.NOBODY, object_type="payment", part="Payer")
    because = "From which account we pay is agreed with the bank, and not mended in a payment."
    rule = propose_field_rule(asked, by=by_name["administrator"], at=at, because=because)
    approve_field_rule(rule.pk, by=by_name["deputy"], at=at, frozen_sha256=rule.frozen_sha256)
    asked = Release(position=20, who=FieldRule.Who.NOBODY, object_type="journal", field="Company code")
    because = "A journal of another company is booked there, and declined here."
    propose_field_rule(asked, by=by_name["administrator"], at=at, because=because)


def _grants(queues: Mapping[str, Queue], entities: Sequence[LegalEntity], by: AbstractUser, *, at: datetime) -> None:
    for role in ROLES:
        where = [queues[slug] for slug in (_CLERKS_QUEUES if role == "clerk" else queues)]
        grant_role(role, [*where, *entities], by=by, at=at, because=_BECAUSE)
    for who in PEOPLE:
        if who.own_queues:
            where = [queues[slug] for slug in who.own_queues]
            person = get_user_model().objects.get(username=who.username)
            grant_verbs(ROLES["clerk"], person, [*where, *entities], by=by, at=at, because=_BECAUSE)

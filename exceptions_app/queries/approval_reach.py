"""What a rule of approval asks of what is open, and who could approve under it: before anybody decides on the rule.

Who could approve follows from routes, grants and roles, so the answer is the same for whoever asks; what is open counts
as far as the reader sees it.
"""
# ruff: noqa: S608, S611 - made of constants of `models.demands` and of this module

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.contrib.auth.models import Group
from django.db import connection as database
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from exceptions_app.models import ApprovalRule, Proposal
from exceptions_app.models.demands import IN_FORCE, RULES
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.wording import listed, say

MOST_READ: Final = 10_000
MOST_PLACES: Final = 20
MOST_NAMED: Final = 10
_PROPOSALS = Proposal._meta.db_table
_TYPED = """(
    SELECT 0::bigint AS id, 'in_force' AS state, %s::bigint AS entity_id, %s::text AS object_type,
        %s::numeric AS above, %s::text AS currency, %s::int AS approvers, %s::bigint AS role_id
)"""
_IS_ASKED_OF = f"""EXISTS (
    SELECT 1 FROM (SELECT {_PROPOSALS}.case_id, {_PROPOSALS}.proposed_at) proposed
    CROSS JOIN LATERAL ({RULES.replace(IN_FORCE, _TYPED)}) rule
)"""


def _approvers(table: str) -> str:
    """Who holds the verb on which of these places. What an emergency gave ends by itself: no rule is built on that."""
    verb = "JOIN public.auth_permission p ON p.id = g.permission_id AND p.codename = 'approve'"
    return f"""
        SELECT g.user_id AS person, g.content_object_id AS place
        FROM public.exceptions_app_{table}usergrant g {verb} WHERE g.ends_at IS NULL
        UNION SELECT m.user_id, g.content_object_id FROM public.exceptions_app_{table}groupgrant g {verb}
        JOIN public.workbench_user_groups m ON m.group_id = g.group_id
    """


_ON_QUEUES, _ON_ENTITIES = _approvers("queue"), _approvers("legalentity")
_KIND_FITS = "('' IN (asked.object_type, {0}.object_type) OR asked.object_type = {0}.object_type)"
_PLACES = f"""
    WITH on_queue AS ({_ON_QUEUES}), on_entity AS ({_ON_ENTITIES}),
    asked AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(entities)s::bigint[], %(kinds)s::text[], %(roles)s::bigint[])
            AS typed (id, entity_id, object_type, role_id)
    ),
    waiting AS (
        SELECT DISTINCT c.queue_id, c.entity_id, c.object_type FROM {_PROPOSALS} proposed
        JOIN public.exceptions_app_exceptioncase c ON c.id = proposed.case_id WHERE proposed.state = 'open'
    ),
    leads AS (
        SELECT r.queue_id, r.entity_id, r.object_type FROM public.exceptions_app_route r
        UNION SELECT n.queue_id, r.entity_id, CASE r.object_type WHEN '' THEN n.object_type ELSE r.object_type END
        FROM public.exceptions_app_routingrule n JOIN public.exceptions_app_route r
            ON (n.connection_id IS NULL OR r.connection_id IS NULL OR r.connection_id = n.connection_id)
            AND (n.entity_id IS NULL OR r.entity_id = n.entity_id)
            AND ('' IN (n.object_type, r.object_type) OR n.object_type = r.object_type)
        WHERE n.state = 'in_force' AND NOT n.is_end AND n.queue_id IS NOT NULL
        UNION SELECT waiting.queue_id, waiting.entity_id, waiting.object_type FROM waiting
    ),
    place AS (
        SELECT DISTINCT asked.id, asked.role_id, leads.queue_id, leads.entity_id FROM asked JOIN leads
            ON (asked.entity_id IS NULL OR leads.entity_id = asked.entity_id) AND {_KIND_FITS.format("leads")}
    )
    SELECT place.id, q.name, q.slug, l.name, l.code, count(u.id), (array_agg(
        COALESCE(NULLIF(btrim(concat(u.first_name, ' ', u.last_name)), ''), u.username) ORDER BY u.first_name, u.id
    ) FILTER (WHERE u.id IS NOT NULL))[:{MOST_NAMED}]
    FROM place JOIN public.exceptions_app_queue q ON q.id = place.queue_id
    JOIN public.exceptions_app_legalentity l ON l.id = place.entity_id
    LEFT JOIN (on_queue JOIN on_entity ON on_entity.person = on_queue.person)
        ON on_queue.place = place.queue_id AND on_entity.place = place.entity_id
    LEFT JOIN public.workbench_user u ON u.id = on_queue.person AND u.is_active AND (place.role_id IS NULL OR EXISTS (
        SELECT 1 FROM public.workbench_user_groups m WHERE m.user_id = u.id AND m.group_id = place.role_id
    ))
    GROUP BY place.id, q.id, l.id ORDER BY 1, 6, 2, 4
"""
# A role that says who has authority need not give the right itself: whoever has it holds that right beside it.
_HAS_AN_APPROVER = f"""EXISTS (
    SELECT 1 FROM public.workbench_user_groups m JOIN public.workbench_user u ON u.id = m.user_id AND u.is_active
    WHERE m.group_id = auth_group.id
        AND EXISTS (SELECT 1 FROM ({_ON_QUEUES}) held WHERE held.person = u.id)
        AND EXISTS (SELECT 1 FROM ({_ON_ENTITIES}) held WHERE held.person = u.id)
)"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rule applies: how many people could approve under it there by themselves, and the first of them."""

    queue: str
    queue_slug: str
    entity: str
    entity_code: str
    people: int
    named: Sequence[str]

    @property
    def who(self) -> str:
        """“Ada, Ben and 3 more”; empty for nobody."""
        more = self.people - len(self.named)
        return listed([*self.named, *([say("{number} more", number=more)] if more > 0 else [])])


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule asks of what is open as far as the reader sees it, and the places with the fewest people first."""

    rule: ApprovalRule
    sees: bool
    number: int
    money: Mapping[str, Decimal]
    is_partial: bool
    places: Sequence[Place]
    shown: str = ""
    """What is decided on; empty for a rule that is looked at alone."""

    @property
    def short(self) -> list[Place]:
        """Where fewer people could approve than the rule asks for."""
        return [place for place in self.places if place.people < self.rule.approvers]

    @property
    def is_nobody_anywhere(self) -> bool:
        return not any(place.people for place in self.places)

    @property
    def first_places(self) -> Sequence[Place]:
        return self.places[:MOST_PLACES]

    @property
    def beyond(self) -> int:
        return len(self.places[MOST_PLACES:])


def effect_of(rule: ApprovalRule, reach: Reach, *, sees: bool, shown: str = "") -> Effect:
    """Two queries; one for who may see no exceptions."""
    found = list(_open_under(rule, reach)[: MOST_READ + 1]) if sees else []
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    for amount, currency in found[:MOST_READ]:
        if amount is not None:
            money[currency] += amount
    places = places_of([rule]).get(rule.pk or 0, [])
    number = min(len(found), MOST_READ)
    return Effect(rule, sees, number, dict(money), len(found) > MOST_READ, places, shown)


def _open_under(rule: ApprovalRule, reach: Reach) -> QuerySet[Proposal, tuple[Decimal | None, str]]:
    typed = [rule.entity_id, rule.object_type, rule.above, rule.currency, rule.approvers, rule.role_id]
    asked = RawSQL(_IS_ASKED_OF, typed, output_field=BooleanField())
    found = Proposal.objects.filter(asked, state=Proposal.State.OPEN, case__in=cases_within(reach))
    return found.order_by("-id").values_list("case__amount", "case__currency")


def places_of(rules: Sequence[ApprovalRule]) -> dict[int, list[Place]]:
    """Number of the rule, 0 for one that nobody proposed yet → where it applies. One query for all."""
    typed: dict[str, Any] = {
        "ids": [rule.pk or 0 for rule in rules], "entities": [rule.entity_id for rule in rules],
        "kinds": [rule.object_type for rule in rules], "roles": [rule.role_id for rule in rules],
    }  # fmt: skip
    found: defaultdict[int, list[Place]] = defaultdict(list)
    with database.cursor() as cursor:
        cursor.execute(_PLACES, typed)
        for number, queue, slug, entity, code, people, named in cursor.fetchall():
            found[number].append(Place(queue, slug, entity, code, people, named or []))
    return found


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a rule may ask for; `approves` says whether anybody who has it may approve anywhere."""

    group: Group
    approves: bool

    @property
    def name(self) -> str:
        return self.group.name


def roles_for_rules() -> list[Role]:
    """All roles. One query."""
    approves = RawSQL(_HAS_AN_APPROVER, [], output_field=BooleanField())
    return [Role(one, bool(one.approves)) for one in Group.objects.annotate(approves=approves).order_by("name")]

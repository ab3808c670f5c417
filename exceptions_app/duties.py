"""Segregation of duties over what led to a proposal: who is left to decide, beside those with a hand in it.

The questions are the SQL of `models.duties`, which the trigger of the database asks as well.
"""
# ruff: noqa: S608 - made of constants of `models.duties`

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import connection as database

from exceptions_app.hands import HAD_A_HAND, arrival_hands
from exceptions_app.models import (
    ErasureRequest,
    ExceptionCase,
    KeptRule,
    LegalHold,
    MappingProposal,
    PayloadVersion,
    Proposal,
    RetentionPolicy,
    Transaction,
)
from exceptions_app.models.batch_duties import late_for_batch
from exceptions_app.models.demands import LACKS
from exceptions_app.models.duties import (
    FIRST_HOLDS,
    GIVEN,
    GIVEN_OF_MAPPING,
    GIVEN_OF_RULE,
    HAS_A_HAND,
    HELD_BEFORE,
    HELD_FOR_MAPPING_BEFORE,
    HOLDS,
    STANDS_IN,
    TAMPERED,
    TAMPERED_OF_MAPPING,
    TOUCHED_THE_FIRST,
    TOUCHED_THE_PROPOSER,
    TWIN,
)
from exceptions_app.models.retention import PLACED
from exceptions_app.wording import listed, say

MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Decider:
    """Somebody who holds the verb where the exception is. `why_not` is a sentence for them; empty when they may.

    `lacks` is one too: what keeps them from approving alone, and not from rejecting. `role` names the roles that it
    takes and they have not. `missing` is how many approvals it takes still.
    """

    pk: int
    username: str
    name: str
    why_not: str
    lacks: str = ""
    role: str = ""
    missing: int = 1

    @property
    def may_approve(self) -> bool:
        return not (self.why_not or self.lacks)


_NAME = "COALESCE(NULLIF(trim(concat({0}.first_name, ' ', {0}.last_name)), ''), {0}.username)"
# `more` are hands that stand nowhere yet: of what is not proposed, those in what was handed over.
_GIVEN_WITH_MORE = f"""
    SELECT found.queue_id, found.entity_id, found.queue, found.entity, found.places, found.proposed_at, found.since,
        found.hands || %(more)s::bigint[] AS hands, found.approvers, found.roles, found.approved_by
    FROM ({GIVEN}) found
"""
_DECIDERS = f"""
    SELECT person.id, person.username, {_NAME.format("person")}, {HAS_A_HAND}, {HELD_BEFORE},
        {_NAME.format("same")}, {_NAME.format("actor")}, touched.at, {_NAME.format("beside")}, {LACKS},
        {_NAME.format("former")}, reached.at, given.approvers - (given.approved_by IS NOT NULL)::int, proposed.id
    FROM {{proposed}} CROSS JOIN LATERAL ({_GIVEN_WITH_MORE}) given CROSS JOIN public.workbench_user person
    LEFT JOIN LATERAL ({TWIN}) twin ON TRUE LEFT JOIN public.workbench_user same ON same.id = twin.id
    LEFT JOIN LATERAL ({TAMPERED}) touched ON TRUE LEFT JOIN public.workbench_user actor
        ON actor.username = touched.actor
    LEFT JOIN LATERAL ({STANDS_IN}) place ON TRUE LEFT JOIN public.workbench_user beside ON beside.id = place.other
    LEFT JOIN LATERAL (
        SELECT found.at FROM ({TOUCHED_THE_FIRST}) found WHERE given.approved_by IS NOT NULL
    ) reached ON TRUE
    LEFT JOIN public.workbench_user former ON former.id = given.approved_by
    WHERE person.is_active AND {HOLDS} AND {{which}}
    ORDER BY 3, 2
"""
_STANDING = _DECIDERS.format(proposed="public.exceptions_app_proposal proposed", which="proposed.id = %(proposal)s")
_IF_PROPOSED = _DECIDERS.format(
    proposed="(SELECT NULL::bigint AS id, %(case)s::bigint AS case_id, %(by)s::bigint AS proposer_id, "
    "%(version)s::bigint AS version_id, %(at)s::timestamptz AS proposed_at, 1 AS approvers, "
    "'[]'::jsonb AS roles) proposed",
    which="TRUE",
)


_OF_ONE = _DECIDERS.format(
    proposed="public.exceptions_app_proposal proposed",
    which="proposed.id = ANY(%(proposals)s) AND person.id = %(person)s",
)
_OF_BATCH = _DECIDERS.format(
    proposed="public.exceptions_app_proposal proposed",
    which="person.id = %(person)s AND proposed.id IN "
    "(SELECT i.proposal_id FROM public.exceptions_app_batchitem i WHERE i.batch_id = %(batch)s)",
)
_OF_MAPPING = f"""
    SELECT person.id, person.username, {_NAME.format("person")}, {HAS_A_HAND}, {HELD_FOR_MAPPING_BEFORE},
        {_NAME.format("same")}, {_NAME.format("actor")}, touched.at, {_NAME.format("beside")}, NULL, NULL, NULL, 1,
        proposed.id
    FROM public.exceptions_app_mappingproposal proposed CROSS JOIN LATERAL ({GIVEN_OF_MAPPING}) given
    CROSS JOIN public.workbench_user person
    LEFT JOIN LATERAL ({TWIN}) twin ON TRUE LEFT JOIN public.workbench_user same ON same.id = twin.id
    LEFT JOIN LATERAL ({TAMPERED_OF_MAPPING}) touched ON TRUE LEFT JOIN public.workbench_user actor
        ON actor.username = touched.actor
    LEFT JOIN LATERAL ({STANDS_IN}) place ON TRUE LEFT JOIN public.workbench_user beside ON beside.id = place.other
    WHERE proposed.id = %(proposal)s AND person.id = %(person)s
"""
_LATE_FOR_BATCH = late_for_batch(
    "%(batch)s", people="CROSS JOIN public.workbench_user person WHERE person.id = %(person)s"
)


def _of_kept(proposed: str) -> str:
    """Of what those decide on who keep the rules; `proposed` has who proposed it, and when."""
    return f"""
    SELECT person.id, person.username, {_NAME.format("person")}, {HAS_A_HAND}, TRUE,
        {_NAME.format("same")}, {_NAME.format("actor")}, touched.at, {_NAME.format("beside")}, NULL,
        {_NAME.format("maker")}, reached.at, 1, proposed.id
    FROM {proposed} proposed CROSS JOIN LATERAL ({GIVEN_OF_RULE}) given
    CROSS JOIN public.workbench_user person JOIN public.workbench_user maker ON maker.id = proposed.proposer_id
    LEFT JOIN LATERAL ({TWIN}) twin ON TRUE LEFT JOIN public.workbench_user same ON same.id = twin.id
    LEFT JOIN LATERAL ({TAMPERED_OF_MAPPING}) touched ON TRUE LEFT JOIN public.workbench_user actor
        ON actor.username = touched.actor
    LEFT JOIN LATERAL ({TOUCHED_THE_PROPOSER}) reached ON TRUE
    LEFT JOIN LATERAL ({STANDS_IN}) place ON TRUE LEFT JOIN public.workbench_user beside ON beside.id = place.other
    WHERE proposed.id = %(row)s AND person.id = %(person)s
"""


_LATE = say("You were given the right to approve here after this was proposed; someone else must decide.")


def deciders_of(proposal: Proposal) -> tuple[Decider, ...]:
    """Everybody who holds the verb there, and what keeps some of them from this proposal. One query."""
    return _read(_STANDING, {"proposal": proposal.pk, "more": []})


def deciders_for(person: AbstractUser, proposal: Proposal) -> tuple[Decider, ...]:
    """The person alone when they may approve it; else the same, to say who else can. One query, or two.

    Of each of the others it would be asked who changed their account and who lent them their right.
    """
    own = _read(_OF_ONE, {"proposals": [proposal.pk], "person": person.pk, "more": []})
    return own if own and own[0].may_approve else deciders_of(proposal)


def deciders_if_proposed(
    case: ExceptionCase,
    version: PayloadVersion,
    *,
    by: AbstractUser,
    at: datetime,
    transactions: Iterable[Transaction] | None = None,
) -> tuple[Decider, ...]:
    """The same for what that person would propose now. `transactions` are those of the exception, when they are known.

    One query, one for the transactions, and up to five more for what was translated.
    """
    more = [hand.person for hand in arrival_hands(case, transactions)]
    return _read(_IF_PROPOSED, {"case": case.pk, "by": by.pk, "version": version.pk, "at": at, "more": more})


def kept_from(person: AbstractUser, proposals: Iterable[Proposal]) -> dict[int, str]:
    """Proposal → why the person may not decide on it although they hold the verb there. One query, or none."""
    numbers = [proposal.pk for proposal in proposals]
    if not numbers:
        return {}
    with database.cursor() as cursor:
        cursor.execute(_OF_ONE, {"proposals": numbers, "person": person.pk, "more": []})
        found = {row[-1]: _decider(row) for row in cursor.fetchall()}
        return {number: why for number, one in found.items() if (why := one.why_not or one.lacks)}


def kept_from_batch(person: AbstractUser, batch: int) -> str:
    """The same of a batch, for who had no hand in any item; empty when nothing keeps them. One query, seldom two."""
    with database.cursor() as cursor:
        cursor.execute(_LATE_FOR_BATCH, {"batch": batch, "person": person.pk})
        late, is_to_be_looked_at = cursor.fetchone() or (False, False)
        if late:
            return _LATE
        if not is_to_be_looked_at:
            return ""
        cursor.execute(_OF_BATCH, {"batch": batch, "person": person.pk, "more": []})
        return next((why for row in cursor.fetchall() if (why := _decider(row).why_not)), "")


def kept_from_mapping(person: AbstractUser, proposal: MappingProposal) -> str:
    """The same of a proposed value mapping, for somebody else than its proposer. One query."""
    with database.cursor() as cursor:
        cursor.execute(_OF_MAPPING, {"proposal": proposal.pk, "person": person.pk, "more": []})
        return next((_decider(row).why_not for row in cursor.fetchall()), "")


def kept_from_keeping(person: AbstractUser, row: KeptRule | ErasureRequest | RetentionPolicy | LegalHold) -> str:
    """The same of a rule, a policy, an erasure or a hold, for somebody else than who made it. One query."""
    proposed = f"({PLACED})" if isinstance(row, LegalHold) else f"public.{row._meta.db_table}"
    found = _read(_of_kept(proposed), {"row": row.pk, "person": person.pk})
    return next((one.why_not or one.lacks for one in found), "")


def _read(query: str, values: Mapping[str, Any]) -> tuple[Decider, ...]:
    with database.cursor() as cursor:
        cursor.execute(query, values)
        return tuple(_decider(row) for row in cursor.fetchall())


def _decider(row: Sequence[Any]) -> Decider:
    pk, username, name, has_hand, held, twin, actor, at, beside, role, first, reached_at, missing, _ = row
    why_not = HAD_A_HAND if has_hand else ""
    if twin:
        why_not = say(
            "Your account has the e-mail address of {person}, who had a hand in this; someone else must decide.",
            person=twin,
        )
    elif beside:
        why_not = say(
            "One of you and {person}, who had a hand in this, decides in the place of the other; "
            "someone else must decide.",
            person=beside,
        )
    elif not held:
        why_not = _LATE
    elif actor:
        why_not = say(
            "{person}, who had a hand in this, changed your account or your access on {day}; someone else must decide.",
            person=actor,
            day=f"{at:%d.%m.%Y}",
        )
    lacks = ""
    if reached_at:
        lacks = say(
            "You changed the account or the access of {person} on {day}, and would be the second person beside them; "
            "someone else must decide.",
            person=first,
            day=f"{reached_at:%d.%m.%Y}",
        )
    elif role:
        lacks = say(
            "A rule lets only those approve this who have the role {role} since before it was proposed.", role=role
        )
    return Decider(pk, username, name, why_not, lacks, role or "", missing)


def first_holds(proposal: Proposal) -> bool:
    """Whether the first of its two approvers could approve it at this moment still. One query."""
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {FIRST_HOLDS} FROM public.exceptions_app_proposal proposed "
            f"CROSS JOIN LATERAL ({GIVEN}) given JOIN public.workbench_user person ON person.id = given.approved_by "
            "WHERE proposed.id = %s",
            [proposal.pk],
        )
        return bool((cursor.fetchone() or (False,))[0])


def who_can(deciders: Sequence[Decider], case: ExceptionCase, *, is_proposed: bool = True) -> str:
    """Who may decide, by name; or that nobody can, and what an administrator could do."""
    names = [decider.name for decider in deciders if decider.may_approve]
    missing = max((decider.missing for decider in deciders), default=1)
    then = (
        say("have it withdrawn and proposed again then") if is_proposed else say("have that done before it is proposed")
    )
    role = next((decider.role for decider in deciders if decider.role and not decider.why_not), "")
    if not names:
        return _nobody_can(case, role=role, then=then, is_proposed=is_proposed)
    people, several = _listed(names), len(names) > 1
    if missing < 2:
        return say("{people} can.", people=people) if several else say("{person} can.", person=people)
    if len(names) < missing:
        what = say("the right there, or the role {role}", role=role) if role else say("the right there")
        return say(
            "Only {people} can, and two must. An administrator can give somebody else {what}; {then}.",
            people=people, what=what, then=then,
        )  # fmt: skip
    return say("{people} can; two of them must.", people=people)


def _listed(names: Sequence[str]) -> str:
    """Ada, Ben and 3 more."""
    more = len(names) - MOST_NAMED
    first, last = (list(names[:MOST_NAMED]), say("{count} more", count=more)) if more > 0 else (names[:-1], names[-1])
    return listed([*first, last])


def _nobody_can(case: ExceptionCase, *, role: str, then: str, is_proposed: bool) -> str:
    """`role` is what those lack whom nothing else keeps from it; empty when there are none."""
    where = say("in {queue} for {entity}", queue=case.queue.name, entity=case.entity.name)
    if role:
        has = say("had it before it was proposed") if is_proposed else say("has it")
        return say(
            "Nobody can: a rule takes the role {role}, and nobody {has} who may approve {where} and had no hand in "
            "this. An administrator can give it to one of them; {then}.",
            role=role, has=has, where=where, then=then,
        )  # fmt: skip
    return say(
        "Nobody can: everyone who may approve {where} had a hand in it or is kept from it. "
        "An administrator can give somebody else the right there; {then}.",
        where=where, then=then,
    )  # fmt: skip

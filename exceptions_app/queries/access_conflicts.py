"""Rights that no person may hold together where they meet: the table of them, and who holds both all the same."""
# ruff: noqa: S608 - made of constants of `models.toxic`

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser, Group
from django.db import connection as database
from django.db.models import Q

from exceptions_app.models import LegalEntityGroupGrant, LegalEntityUserGrant, QueueGroupGrant, QueueUserGrant
from exceptions_app.models.toxic import (
    AUDITS_ENTITIES,
    AUDITS_QUEUES,
    LEADS_TO,
    LENT_ON_ENTITIES,
    LENT_ON_QUEUES,
    ON_CONNECTIONS,
    ON_ENTITIES,
    ON_QUEUES,
)
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Verb
from exceptions_app.wording import say, together


@dataclass(frozen=True, slots=True)
class Combination:
    """A right that no approver may hold as well, and what the two would let one person do alone."""

    right: str
    words: str
    why: str


ADMINISTER = "administer"
AUDIT = Verb.EXPORT.value
_SCIM = "scim"
"""The scope of a token, as in `api.scopes`: whoever answers for the program makes accounts and gives roles by it."""
# To work on exceptions and to approve are not among them: nobody decides on what they had a hand in, whatever they are
# granted, and small teams stand in for each other.
WITH_APPROVE = (
    Combination(
        ADMINISTER, "administer accounts and access",
        "whoever gives access could make their own second person",
    ),
    Combination(
        "configure_connection", "configure a connection that leads there",
        "whoever writes field maps and addresses decides what is sent, and where to",
    ),
    Combination(
        "ingest_messages", "hand messages in that come there",
        "whoever hands a document in could approve it as well",
    ),
    Combination(
        AUDIT, "read and export the audit trail there",
        "whoever looks into decisions afterwards would look into their own",
    ),
)  # fmt: skip
_BY_RIGHT = {combination.right: combination for combination in WITH_APPROVE}


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """Both rights in one place. `connection` is empty for what is no right on one; what a service account may is told
    with its name, there too.

    `giver` is who lets them decide in their place there, where they do not hold it by themselves.
    """

    username: str
    person: str
    right: str
    queue: str
    entity: str
    connection: str
    giver: str = ""

    @property
    def combination(self) -> Combination:
        return _BY_RIGHT[self.right]

    @property
    def in_words(self) -> str:
        approves = say(
            "{person} may approve in {queue} for {entity}", person=self.person, queue=self.queue, entity=self.entity
        )
        if self.giver:
            approves = say("{approves} in place of {giver}", approves=approves, giver=self.giver)
        right = say(self.combination.words)
        if self.connection:
            right = say("{right} ({connection})", right=right, connection=self.connection)
        return say("{approves}, and {right}: {why}.", approves=approves, right=right, why=say(self.combination.why))


_NAME = "COALESCE(NULLIF(trim(concat({0}.first_name, ' ', {0}.last_name)), ''), {0}.username)"
# A delegation that has not begun yet counts as well: it begins without anybody looking again. Administrators decide in
# nobody's place, whatever was given to them before.
_LENT = """
    public.exceptions_app_delegation d
    JOIN public.workbench_user giver ON giver.id = d.giver_id AND giver.is_active
    JOIN public.workbench_user taker ON taker.id = d.taker_id AND NOT taker.is_staff
"""
_STANDS = "d.ended_at IS NULL AND d.ends_at > now()"
# What a service account may is in the hands of who answers for it as well.
_SERVICES = """
    public.workbench_serviceaccount service
    JOIN public.workbench_user account ON account.id = service.user_id AND account.is_active
"""
# These people, whoever decides in their place, and who answers for those of them that are service accounts.
_CONCERNED = f"""
    u.id = ANY(%(people)s::bigint[]) OR u.id IN (
        SELECT d.taker_id FROM {_LENT} WHERE {_STANDS} AND d.giver_id = ANY(%(people)s::bigint[])
        UNION SELECT service.owner_id FROM {_SERVICES} WHERE service.user_id = ANY(%(people)s::bigint[])
    )
"""
_LOCK = f"SELECT u.id FROM public.workbench_user u WHERE {_CONCERNED} ORDER BY u.id FOR NO KEY UPDATE OF u"
_HELD = f"""
    WITH on_queue AS (
        SELECT own.*, FALSE AS is_lent FROM ({ON_QUEUES}) own
        UNION ALL SELECT lent.*, TRUE FROM ({LENT_ON_QUEUES}) lent
    ),
    on_entity AS (
        SELECT own.*, FALSE AS is_lent FROM ({ON_ENTITIES}) own
        UNION ALL SELECT lent.*, TRUE FROM ({LENT_ON_ENTITIES}) lent
    ),
    by_itself AS ({ON_CONNECTIONS}),
    audits_queue AS ({AUDITS_QUEUES}), audits_entity AS ({AUDITS_ENTITIES}),
    on_connection AS (
        SELECT person, place, codename, '' AS account FROM by_itself
        UNION SELECT service.owner_id, place, codename, account.username FROM by_itself
        JOIN ({_SERVICES}) ON account.id = by_itself.person WHERE service.ends_at > now()
    ),
    asked AS (
        SELECT u.id FROM public.workbench_user u WHERE u.is_active AND (
            %(people)s::bigint[] IS NULL OR {_CONCERNED}
        )
    ),
    holder AS (
        SELECT asked.id, asked.id AS whose, '' AS giver, FALSE AS is_lent FROM asked
        UNION SELECT asked.id, d.giver_id, {_NAME.format("giver")}, TRUE FROM asked
        JOIN ({_LENT}) ON taker.id = asked.id WHERE {_STANDS}
    ),
    provisions AS (
        SELECT DISTINCT service.owner_id AS person, account.username AS account FROM {_SERVICES}
        JOIN public.workbench_apitoken token ON token.user_id = account.id AND '{_SCIM}' = ANY(token.scopes)
        WHERE service.ends_at > now() AND (token.expires_at IS NULL OR token.expires_at > now())
    ),
    approver AS (
        SELECT u.id, u.username, {_NAME.format("u")} AS name, u.is_staff, q.id AS queue_id, q.name AS queue,
            l.id AS entity_id, l.name AS entity, holder.giver
        FROM holder JOIN public.workbench_user u ON u.id = holder.id
        JOIN on_queue ON on_queue.person = holder.whose AND on_queue.is_lent = holder.is_lent
        JOIN public.exceptions_app_queue q ON q.id = on_queue.place
        JOIN on_entity ON on_entity.person = holder.whose AND on_entity.is_lent = holder.is_lent
        JOIN public.exceptions_app_legalentity l ON l.id = on_entity.place
    )
    SELECT a.username, a.name, '{ADMINISTER}', a.queue, a.entity, '', a.giver FROM approver a WHERE a.is_staff
    UNION SELECT a.username, a.name, '{ADMINISTER}', a.queue, a.entity, provisions.account, a.giver FROM approver a
    JOIN provisions ON provisions.person = a.id
    UNION SELECT a.username, a.name, held.codename, a.queue, a.entity,
        concat_ws(' by ', c.name, NULLIF(held.account, '')), a.giver FROM approver a
    JOIN on_connection held ON held.person = a.id AND held.codename = ANY(%(rights)s)
    JOIN public.integrations_connection c ON c.id = held.place
    JOIN ({LEADS_TO}) r ON r.queue_id = a.queue_id AND r.entity_id = a.entity_id
        AND (r.connection_id = held.place OR r.connection_id IS NULL)
    UNION SELECT a.username, a.name, '{AUDIT}', a.queue, a.entity, '', a.giver FROM approver a
    JOIN audits_queue q ON q.person = a.id AND q.place = a.queue_id
    JOIN audits_entity l ON l.person = a.id AND l.place = a.entity_id
    ORDER BY 1, 3, 4, 5, 6, 7
"""


# Rights on connections keep from deciding in somebody's place wherever they lead, since routes change by themselves.
ON_ANY_CONNECTION = f"""
    SELECT by_itself.person FROM ({ON_CONNECTIONS}) by_itself
    UNION SELECT service.owner_id FROM {_SERVICES} JOIN ({ON_CONNECTIONS}) by_itself ON by_itself.person = account.id
    WHERE service.ends_at > now()
"""


def held_together(people: Collection[int] | None = None, *, also: int | None = None) -> list[Held]:
    """Every pair that somebody holds; of these people and of whoever decides in their place, or of everybody.

    Who answers for a service account counts as one of these people with it, and holds what it holds beside their own.
    `also` is a routing rule that counts as if it were in force. One query.
    """
    with database.cursor() as cursor:
        rights = [combination.right for combination in WITH_APPROVE]
        asked = {"people": None if people is None else list(people), "rights": rights, "also": also}
        cursor.execute(_HELD, asked)
        return [Held(*row) for row in cursor.fetchall()]


def lock_people(people: Collection[int]) -> None:
    """Have changes of what these people may do come one after the other, until the end of the transaction.

    Those of whoever decides in their place wait as well. In one order, so that no two wait for each other.
    """
    with database.cursor() as cursor:
        cursor.execute(_LOCK, {"people": list(people)})


@contextmanager
def no_new_pair(people: Collection[int], *, approves: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Around a change of what these people may do, in a transaction. Raises NotPermitted for what nobody may hold.

    What they hold already is reported, and keeps nobody from giving them something else; but what lets them approve is
    given to no administrator, however they came to approve already. `approves` says so after the change.
    """
    if people:
        lock_people(people)
    before = set(held_together(people)) if people else set()
    yield
    after = held_together(people) if people else []
    again = bool(after) and approves()
    new = [found for found in after if found not in before or (again and found.right == ADMINISTER)]
    if new:
        raise NotPermitted(why_refused(new))


def why_refused(new: Sequence[Held]) -> str:
    """The first of them, and how many more there are."""
    first = say("Refused, since no person may hold both: {pair}", pair=new[0].in_words)
    return together(first, say("And {number} more of the kind.", number=len(new) - 1) if len(new) > 1 else "")


def lets_approve(role: Group) -> bool:
    """Whether the role may approve on any queue or for any legal entity. One query."""
    approve = Q(permission__codename=Verb.APPROVE.value, group=role.pk)
    on_queues = QueueGroupGrant.objects.filter(approve).order_by().values("pk")
    return on_queues.union(LegalEntityGroupGrant.objects.filter(approve).order_by().values("pk")).exists()


def would_approve(person: AbstractUser, roles: Collection[Group]) -> bool:
    """Whether the person approves anywhere with these roles, beside what is granted to themselves. Two queries."""
    return _holds(QueueUserGrant, QueueGroupGrant, person, roles) and _holds(
        LegalEntityUserGrant, LegalEntityGroupGrant, person, roles
    )


def _holds(
    user_grant: type[QueueUserGrant | LegalEntityUserGrant],
    group_grant: type[QueueGroupGrant | LegalEntityGroupGrant],
    person: AbstractUser,
    roles: Collection[Group],
) -> bool:
    approve = Q(permission__codename=Verb.APPROVE.value)
    own = user_grant.objects.filter(approve, user=person.pk).order_by().values("pk")
    by_role = group_grant.objects.filter(approve, group__in=roles).order_by().values("pk")
    return own.union(by_role).exists()

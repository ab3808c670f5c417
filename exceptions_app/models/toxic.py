"""Rights that no person may hold together, as SQL; the reasons are in `queries.access_conflicts`."""
# ruff: noqa: S608 - made of constants of this module

import pgtrigger

from audit.guard import Guard
from exceptions_app.machines import SERVICE_PREFIX

_APPROVE = "JOIN public.auth_permission p ON p.id = g.permission_id AND p.codename = 'approve'"


def _approvers(table: str, which: str = "") -> str:
    """Who holds the verb on which of these places, by themselves or by a role: person, place."""
    return f"""
        SELECT g.user_id AS person, g.content_object_id AS place
        FROM public.exceptions_app_{table}usergrant g {_APPROVE}{which}
        UNION SELECT m.user_id, g.content_object_id
        FROM public.exceptions_app_{table}groupgrant g {_APPROVE}
        JOIN public.workbench_user_groups m ON m.group_id = g.group_id
    """


ON_QUEUES, ON_ENTITIES = _approvers("queue"), _approvers("legalentity")
_FOR_GOOD = " WHERE g.ends_at IS NULL"
LENT_ON_QUEUES, LENT_ON_ENTITIES = _approvers("queue", _FOR_GOOD), _approvers("legalentity", _FOR_GOOD)
"""What is lent with a delegation: what an emergency gives is not, as in `granted`."""
_EXPORT = _APPROVE.replace("'approve'", "'export'")
AUDITS_QUEUES, AUDITS_ENTITIES = ON_QUEUES.replace(_APPROVE, _EXPORT), ON_ENTITIES.replace(_APPROVE, _EXPORT)
"""Who reads and exports the audit trail, and where: person, place."""
# Where what comes by a connection may get to, by the routes and by the routing rules in force; `also` is the number of
# a rule of which it is asked what it would add. A route without a connection is open to all of them.
LEADS_TO = """
    SELECT r.connection_id, r.queue_id, r.entity_id FROM public.exceptions_app_route r
    UNION SELECT COALESCE(r.connection_id, n.connection_id), n.queue_id, r.entity_id
    FROM public.exceptions_app_routingrule n JOIN public.exceptions_app_route r
        ON (n.connection_id IS NULL OR r.connection_id IS NULL OR r.connection_id = n.connection_id)
        AND (n.entity_id IS NULL OR r.entity_id = n.entity_id)
    WHERE (n.state = 'in_force' OR n.id = %(also)s) AND NOT n.is_end AND n.queue_id IS NOT NULL
"""
ON_CONNECTIONS = """
    SELECT g.user_id AS person, g.content_object_id AS place, p.codename
    FROM public.integrations_connectionusergrant g JOIN public.auth_permission p ON p.id = g.permission_id
    UNION SELECT m.user_id, g.content_object_id, p.codename
    FROM public.integrations_connectiongroupgrant g JOIN public.auth_permission p ON p.id = g.permission_id
    JOIN public.workbench_user_groups m ON m.group_id = g.group_id
"""


def no_administrator_approves(
    who: str,
    *,
    about: str,
    operation: pgtrigger.Operation = pgtrigger.Insert,
    condition: pgtrigger.Condition | None = None,
) -> pgtrigger.Trigger:
    """Nobody who gives access may approve, and no service account. `who` is SQL over NEW that says of which accounts it
    is asked, and `about` whether the row gives one of the two rights: what somebody holds from before keeps nobody from
    other changes.

    The check is deferred to COMMIT, so that one right can be given in place of the other in one transaction.
    """
    return Guard(
        name="no_toxic_pair",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=operation,
        timing=pgtrigger.Deferred,
        condition=condition,
        func=f"""
        IF {about} AND EXISTS (
            SELECT 1 FROM public.workbench_user holder
            WHERE holder.id IN ({who})
                AND (holder.is_staff AND holder.is_active OR starts_with(holder.username, '{SERVICE_PREFIX}'))
                AND EXISTS (SELECT 1 FROM ({ON_QUEUES}) held WHERE held.person = holder.id)
                AND EXISTS (SELECT 1 FROM ({ON_ENTITIES}) held WHERE held.person = holder.id)
        ) THEN
            RAISE EXCEPTION '% on % refused: nobody who gives access may approve, and no service account',
                TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
        """,
    )


def no_delegate_holds_another() -> pgtrigger.Trigger:
    """Nobody is lent approve who could not be given it: no administrator, no service account, and nobody who reads the
    audit trail where it is lent. Of a giver who approves nowhere, or in an emergency alone, nothing is lent. Deferred
    to COMMIT as the other is.
    """
    return Guard(
        name="no_toxic_pair",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        func=f"""
        IF EXISTS (SELECT 1 FROM ({LENT_ON_QUEUES}) lent WHERE lent.person = NEW.giver_id
            AND ({_may_not_be_lent(AUDITS_QUEUES)})
        ) AND EXISTS (SELECT 1 FROM ({LENT_ON_ENTITIES}) lent WHERE lent.person = NEW.giver_id
            AND ({_may_not_be_lent(AUDITS_ENTITIES)})
        ) THEN
            RAISE EXCEPTION '% on % refused: nobody decides for somebody who may not approve there themselves',
                TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
        """,
    )


def _may_not_be_lent(audits: str) -> str:
    return f"""
        EXISTS (SELECT 1 FROM ({audits}) held WHERE held.person = NEW.taker_id AND held.place = lent.place)
        OR EXISTS (
            SELECT 1 FROM public.workbench_user taker WHERE taker.id = NEW.taker_id
                AND (taker.is_staff AND taker.is_active OR starts_with(taker.username, '{SERVICE_PREFIX}'))
        )
    """


THIS_IS_APPROVE = "(SELECT p.codename FROM public.auth_permission p WHERE p.id = NEW.permission_id) = 'approve'"
ROLE_APPROVES = f"""EXISTS (
    SELECT 1 FROM public.exceptions_app_queuegroupgrant g {_APPROVE} WHERE g.group_id = NEW.group_id
    UNION ALL SELECT 1 FROM public.exceptions_app_legalentitygroupgrant g {_APPROVE} WHERE g.group_id = NEW.group_id
)"""
BECAME_ADMINISTRATOR = pgtrigger.Condition("(NEW.is_staff AND NEW.is_active AND NOT (OLD.is_staff AND OLD.is_active))")
MEMBERS = "SELECT m.user_id FROM public.workbench_user_groups m WHERE m.group_id = NEW.group_id"

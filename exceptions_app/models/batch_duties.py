"""Who may not decide on a batch, as SQL: read by the trigger of the database and by the policy alike, as `duties` is.

The texts speak of `person` as those do. Of the proposals of the batch they make `proposed` and `given` themselves.
"""
# ruff: noqa: S608 - made of constants of this module

from exceptions_app.models.duties import (
    GIVEN,
    HAS_A_HAND,
    HELD_BEFORE,
    HOURS_BEFORE,
    IS_MACHINE,
    OPENS_THE_ACCOUNT,
    STANDS_IN,
    TAMPERED,
    TWIN,
    counted_since,
    gives_approve,
)


def late_for_batch(batch: str, *, people: str = "") -> str:
    """Two columns about a `person`: whether they came late, and whether each item has to be asked about them.

    Of each place the item that was proposed first says whether they were late. Whether anybody touched their account
    or gave them the right, has their address or decides in their place, and whether they answer for a service account,
    is asked before it is asked of each of ten thousand items whether that was one with a hand in it.
    """
    return f"""
    WITH item AS (
        SELECT c.queue_id, c.entity_id, c.opened_at, p.id, p.proposed_at FROM public.exceptions_app_batchitem i
        JOIN public.exceptions_app_proposal p ON p.id = i.proposal_id
        JOIN public.exceptions_app_exceptioncase c ON c.id = p.case_id WHERE i.batch_id = {batch}
    ), since AS (
        SELECT min(opened_at) - interval '{HOURS_BEFORE} hours' AS began FROM item
    )
    SELECT
        EXISTS (
            SELECT 1 FROM public.exceptions_app_proposal proposed CROSS JOIN LATERAL ({GIVEN}) given
            WHERE NOT ({HELD_BEFORE}) AND proposed.id IN (
                SELECT DISTINCT ON (queue_id, entity_id) id FROM item ORDER BY queue_id, entity_id, proposed_at
            )
        ) AS is_late,
        EXISTS (
            SELECT 1 FROM public.audit_event e WHERE e.subject = 'person:' || person.username
                AND e.at > since.began AND e.actor <> person.username AND {OPENS_THE_ACCOUNT}
        ) OR EXISTS (
            SELECT 1 FROM public.audit_event e WHERE e.subject = ANY(ARRAY(
                SELECT 'queue:' || q.slug FROM public.exceptions_app_queue q
                WHERE q.id IN (SELECT queue_id FROM item)
                UNION ALL SELECT 'entity:' || l.code FROM public.exceptions_app_legalentity l
                WHERE l.id IN (SELECT entity_id FROM item)
            )) AND e.at > since.began AND e.actor <> person.username AND {gives_approve("person")}
        ) OR EXISTS (
            SELECT 1 FROM public.exceptions_app_delegation d
            WHERE person.id IN (d.giver_id, d.taker_id) AND {counted_since("since.began")}
        ) OR person.email <> '' AND EXISTS (
            SELECT 1 FROM public.workbench_user other
            WHERE other.id <> person.id AND lower(other.email) = lower(person.email)
        ) OR EXISTS (
            SELECT 1 FROM public.workbench_serviceaccount service WHERE service.owner_id = person.id
        ) AS is_to_be_looked_at
    FROM since {people}
    """


# For the trigger of a decision on a batch, once those are refused who prepared a part of it. What takes more than one
# approver, or a role, is decided by itself; a rule that came later is asked when the turn of each item comes.
REFUSE_WHOEVER_MAY_NOT_DECIDE_ON_BATCH = f"""
    SELECT u.id, u.username, u.email, u.is_active, u.is_staff INTO person FROM public.workbench_user u
        WHERE u.id = NEW.decider_id;
    IF person.id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT found.is_late, found.is_to_be_looked_at INTO looked FROM ({late_for_batch("NEW.batch_id")}) found;
    IF {IS_MACHINE} OR NOT person.is_active OR looked.is_late THEN
        RAISE EXCEPTION 'four eyes: user % did not hold approve since before all of batch %',
            NEW.decider_id, NEW.batch_id USING ERRCODE = 'check_violation';
    END IF;
    IF looked.is_to_be_looked_at AND EXISTS (
        SELECT 1 FROM public.exceptions_app_proposal proposed CROSS JOIN LATERAL ({GIVEN}) given
        WHERE proposed.id IN (
            SELECT i.proposal_id FROM public.exceptions_app_batchitem i WHERE i.batch_id = NEW.batch_id
        ) AND ({HAS_A_HAND} OR EXISTS ({TWIN}) OR EXISTS ({STANDS_IN}) OR EXISTS ({TAMPERED}))
    ) THEN
        RAISE EXCEPTION 'four eyes: user % is no second person for all of batch %', NEW.decider_id, NEW.batch_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.verdict = 'approved' AND EXISTS (
        SELECT 1 FROM public.exceptions_app_batchitem i JOIN public.exceptions_app_proposal p ON p.id = i.proposal_id
        WHERE i.batch_id = NEW.batch_id AND (p.approvers > 1 OR p.roles <> '[]'::jsonb)
    ) THEN
        RAISE EXCEPTION 'authority: batch % has what is decided by itself', NEW.batch_id
            USING ERRCODE = 'check_violation';
    END IF;
"""

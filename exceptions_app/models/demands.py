"""What the rules of approval ask of a proposal, as SQL: read by the trigger of the database and by the policy alike.

The texts speak of `proposed` and `person` as those of `duties`; of `proposed` they read case_id, proposed_at,
approvers and roles.
"""
# ruff: noqa: S608 - made of constants of this module

RATE_HOLDS = 7
"""For how many days a rate may be used; the same as in `triage.weights`, which this room does not know."""


def _rate(currency: str) -> str:
    """Units of it for one euro on the day of the proposal, as `score_facts.newest_rates` finds it; NULL without one."""
    day = "(proposed.proposed_at AT TIME ZONE 'UTC')::date"
    return f"""(CASE WHEN {currency} = 'EUR' THEN 1 ELSE (
        SELECT published.rate FROM public.exceptions_app_exchangerate published
        WHERE published.currency = {currency} AND published.day <= {day} AND published.day > {day} - {RATE_HOLDS}
        ORDER BY published.day DESC LIMIT 1
    ) END)"""


# What stands there now and what came in, so that nobody corrects an amount to below a limit, or moves the exception to
# a legal entity that has none. All rows of the history that say so: whoever could add one would only add to what is
# asked.
_CAME_IN = """public.exceptions_app_historicalexceptioncase was
        WHERE was.id = about.id AND was.history_type = '+'"""
_MONEY = f"""
    SELECT about.amount, about.currency
    UNION SELECT was.amount, was.currency FROM {_CAME_IN} AND was.amount IS NOT NULL
"""
_COMPARED = f"""(CASE WHEN money.currency = asked.currency THEN abs(money.amount)
    ELSE round(abs(money.amount) * {_rate("asked.currency")} / {_rate("money.currency")}, 2) END)"""

IN_FORCE = "public.exceptions_app_approvalrule"
# The rules that ask something of `proposed`. An amount that is unknown, or that no rate makes comparable, is above all.
RULES = f"""
    SELECT asked.id, asked.approvers, wanted.name AS role, asked.above, asked.currency, place.code AS entity,
        asked.object_type, (SELECT bool_or({_COMPARED} IS NULL) FROM ({_MONEY}) money) AS is_unknown
    FROM public.exceptions_app_exceptioncase about
    JOIN {IN_FORCE} asked ON asked.state = 'in_force'
        AND (asked.entity_id IS NULL OR asked.entity_id = about.entity_id
            OR EXISTS (SELECT 1 FROM {_CAME_IN} AND was.entity_id = asked.entity_id))
        AND asked.object_type IN ('', about.object_type)
    LEFT JOIN public.auth_group wanted ON wanted.id = asked.role_id
    LEFT JOIN public.exceptions_app_legalentity place ON place.id = asked.entity_id
    WHERE about.id = proposed.case_id
        AND EXISTS (SELECT 1 FROM ({_MONEY}) money WHERE COALESCE({_COMPARED} > asked.above, TRUE))
"""

# Columns of `given`: what was frozen when it was proposed, and what the rules in force ask beyond that.
DEMANDED = f"""
    GREATEST(proposed.approvers, (SELECT max(rule.approvers) FROM ({RULES}) rule)) AS approvers,
    ARRAY(
        SELECT jsonb_array_elements_text(proposed.roles)
        UNION SELECT rule.role FROM ({RULES}) rule WHERE rule.role IS NOT NULL ORDER BY 1
    ) AS roles,
    (SELECT first.decider_id FROM public.exceptions_app_firstapproval first WHERE first.proposal_id = proposed.id)
        AS approved_by
"""

# The roles that it takes and that the person did not have since before it was proposed, by name; NULL for none.
LACKS = """(
    SELECT string_agg(wanted.name, ', ' ORDER BY wanted.name) FROM unnest(given.roles) wanted (name)
    WHERE NOT EXISTS (
        SELECT 1 FROM public.workbench_user_groups m JOIN public.auth_group r ON r.id = m.group_id
        WHERE m.user_id = person.id AND r.name = wanted.name AND NOT EXISTS (
            SELECT 1 FROM public.audit_event e WHERE e.subject = 'person:' || person.username
                AND e.at > given.proposed_at AND e.action = 'role.given' AND e.data ->> 'role' = r.name
        )
    )
)"""

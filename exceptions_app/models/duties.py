"""Who may not decide, as SQL: read by the trigger of the database and by the policy alike, so that both mean the same.

The texts speak of three rows by these names, which are records in a trigger and tables in a query: `proposed` (a
proposal: id, case_id, proposer_id, version_id, proposed_at), `given` (what GIVEN reads of it, once) and `person` (an
account: id, username, email, is_staff). What happened to accounts and grants is read from the audit trail, since the
tables of grants know no time; the database lets none of their rows come or go without its event.
"""
# ruff: noqa: S608 - made of constants of this module

from exceptions_app.machines import PREFIX
from exceptions_app.models.demands import DEMANDED, LACKS

HOURS_BEFORE = 24
"""How long before the first correction, or the proposal, a change of the decider's account by a contributor counts."""

_VERSIONS = """
    public.exceptions_app_payloadversion v
    WHERE v.case_id = proposed.case_id AND v.number <= (
        SELECT w.number FROM public.exceptions_app_payloadversion w WHERE w.id = proposed.version_id
    )
"""

# Everyone with a hand in it: id, part, what. From the facts as well as from the frozen list, so that a forged or
# missing list does not help. Of two approvers the first is one of them, so that the second is somebody else in every
# sense in which an approver is somebody else than an author.
_MADE_IT = f"""
    SELECT proposed.proposer_id AS id, 'proposed' AS part, '' AS what
    UNION SELECT c.person_id, c.part, '' FROM public.exceptions_app_contributor c WHERE c.proposal_id = proposed.id
    UNION SELECT f.decider_id, 'approved', '' FROM public.exceptions_app_firstapproval f
        WHERE f.proposal_id = proposed.id
    UNION SELECT v.author_id, 'corrected', '' FROM {_VERSIONS} AND v.author_id IS NOT NULL
    UNION SELECT (made.hand ->> 'person')::bigint, made.hand ->> 'part', made.hand ->> 'what' FROM (
        SELECT jsonb_array_elements(v.hands) AS hand FROM {_VERSIONS}
    ) made
    UNION SELECT (mapped.used ->> either.whom)::bigint, 'mapped', concat_ws(
        ' ', mapped.used ->> 'direction', mapped.used ->> 'object_type', mapped.used ->> 'number'
    ) FROM (SELECT jsonb_array_elements(v.field_maps) AS used FROM {_VERSIONS}) mapped,
        (VALUES ('author'), ('put_to_use_by')) either (whom)
"""
# Who answers for a service account could have sent by its token what it sent.
HANDS = f"""
    WITH hand AS ({_MADE_IT})
    SELECT hand.id, hand.part, hand.what FROM hand
    UNION SELECT service.owner_id, 'answers', '' FROM hand
        JOIN public.workbench_serviceaccount service ON service.user_id = hand.id
"""
_PROPOSER = """ARRAY(
    SELECT proposed.proposer_id UNION ALL SELECT service.owner_id FROM public.workbench_serviceaccount service
    WHERE service.user_id = proposed.proposer_id
)"""
# What the rest asks of a proposal. Without the last line the list of hands would be read again wherever it is used.
GIVEN = f"""
    SELECT c.queue_id, c.entity_id, 'queue:' || q.slug AS queue, 'entity:' || l.code AS entity, proposed.proposed_at,
        ARRAY['queue:' || q.slug, 'entity:' || l.code] AS places,
        ARRAY(SELECT DISTINCT hand.id FROM ({HANDS}) hand) AS hands,
        LEAST(proposed.proposed_at, (SELECT min(v.created_at) FROM {_VERSIONS} AND v.author_id IS NOT NULL))
            - interval '{HOURS_BEFORE} hours' AS since,
        {DEMANDED}
    FROM public.exceptions_app_exceptioncase c
    JOIN public.exceptions_app_queue q ON q.id = c.queue_id
    JOIN public.exceptions_app_legalentity l ON l.id = c.entity_id
    WHERE c.id = proposed.case_id
    OFFSET 0
"""
HAS_A_HAND = "person.id = ANY(given.hands)"

# The same human being under another name, as far as the accounts tell: an address of e-mail is one person's.
TWIN = """
    SELECT other.id FROM public.workbench_user other
    WHERE other.id = ANY(given.hands) AND other.id <> person.id
        AND person.email <> '' AND lower(other.email) = lower(person.email)
    LIMIT 1
"""

_APPROVE = "JOIN public.auth_permission p ON p.id = g.permission_id AND p.codename = 'approve'"


def _given_since(place: str, to: str, *, at: str) -> str:
    return f"""
        EXISTS (
            SELECT 1 FROM public.audit_event e WHERE e.subject = {at}.{place} AND e.at > given.proposed_at
                AND e.action = 'grant.given' AND e.data ->> 'to' = {to} AND e.data -> 'permissions' @> '"approve"'
        )
    """


def _holds(table: str, place: str, *, since_before: bool, who: str = "person", at: str = "given") -> str:
    """Whether `who` holds the verb there, by themselves or by a role; since before it was proposed, or at all."""
    own = by_role = ""
    if since_before:
        to_them, to_the_role = f"'person:' || {who}.username", "'role:' || r.name"
        own = f"AND NOT {_given_since(place, to_them, at=at)}"
        by_role = f"""AND NOT {_given_since(place, to_the_role, at=at)} AND NOT EXISTS (
            SELECT 1 FROM public.audit_event e WHERE e.subject = 'person:' || {who}.username
                AND e.at > given.proposed_at AND e.action = 'role.given' AND e.data ->> 'role' = r.name
        )"""
    # What an emergency gave ends by itself, and is not lent to anybody.
    counts = "g.ends_at IS NULL" if who == "giver" else "(g.ends_at IS NULL OR g.ends_at > now())"
    return f"""(
        EXISTS (
            SELECT 1 FROM public.exceptions_app_{table}usergrant g {_APPROVE}
            WHERE g.user_id = {who}.id AND g.content_object_id = {at}.{place}_id AND {counts} {own}
        ) OR EXISTS (
            SELECT 1 FROM public.exceptions_app_{table}groupgrant g {_APPROVE}
            JOIN public.workbench_user_groups m ON m.group_id = g.group_id AND m.user_id = {who}.id
            JOIN public.auth_group r ON r.id = g.group_id
            WHERE g.content_object_id = {at}.{place}_id {by_role}
        )
    )"""


def _holds_both(*, since_before: bool, who: str = "person") -> str:
    on_queue = _holds("queue", "queue", since_before=since_before, who=who)
    return f"{on_queue} AND {_holds('legalentity', 'entity', since_before=since_before, who=who)}"


def _givers(who: str = "person") -> str:
    """Who lets `who` decide in their place at this moment: from `d` and `giver`."""
    return f"""
        public.exceptions_app_delegation d
        JOIN public.workbench_user giver ON giver.id = d.giver_id AND giver.is_active
        WHERE d.taker_id = {who}.id AND NOT {who}.is_staff AND d.ended_at IS NULL
            AND d.begins_at <= now() AND d.ends_at > now()
    """


def _decides_for_a_holder(*, since_before: bool) -> str:
    """Whether somebody holds both by themselves who lets the person decide in their place; nothing is passed on."""
    before = "AND d.given_at <= given.proposed_at" if since_before else ""
    both = _holds_both(since_before=since_before, who="giver")
    return f"EXISTS (SELECT 1 FROM {_givers()} {before} AND {both})"


HOLDS_THEMSELVES = _holds_both(since_before=False)
HOLDS = f"(({HOLDS_THEMSELVES}) OR {_decides_for_a_holder(since_before=False)})"
_HELD_THEMSELVES = _holds_both(since_before=True)
HELD_BEFORE = f"(({_HELD_THEMSELVES}) OR {_decides_for_a_holder(since_before=True)})"


def counted_since(moment: str) -> str:
    """Whether the delegation `d` counted at any time since. What was ended before its first day never did."""
    end = "COALESCE(d.ended_at, 'infinity')"
    return f"d.begins_at <= now() AND d.begins_at < {end} AND d.ends_at > {moment} AND {end} > {moment}"


# One who decides in the place of somebody with a hand in it, or lets such a one decide in theirs, at any time since.
STANDS_IN = f"""
    SELECT d.id, CASE WHEN d.giver_id = person.id THEN d.taker_id ELSE d.giver_id END AS other
    FROM public.exceptions_app_delegation d
    WHERE (d.giver_id = person.id AND d.taker_id = ANY(given.hands)
            OR d.taker_id = person.id AND d.giver_id = ANY(given.hands))
        AND {counted_since("given.since")}
    LIMIT 1
"""

# Of the events about an account `e`, those after which somebody else may sign in by it, or it may do more. That its
# sessions were ended, that it was named otherwise or made inactive gives nobody anything, and neither does the end of
# its status.
ACCOUNT_EVENTS = (
    "person.added", "person.password_changed", "person.second_factor_added", "person.second_factor_removed",
    "person.recovery_codes_renewed", "person.joined", "role.given", "token.made",
)  # fmt: skip
ACCOUNT_FIELDS = ("password", "Email address", "Username")
"""Of `person.changed`, as the administration labels them."""
STATUS_FIELDS = {"Staff status": "is_staff", "Superuser status": "is_superuser"}
"""Of the same, with the column: these count unless the event says that the status was taken. `Active` counts when it
was switched on."""
_GAVE_STATUS = " OR ".join(
    f"e.data -> 'fields' ? '{label}' AND e.data #>> ARRAY['changes', '{column}', 'will_be'] IS DISTINCT FROM 'false'"
    for label, column in STATUS_FIELDS.items()
)
OPENS_THE_ACCOUNT = f"""(
    e.action IN {ACCOUNT_EVENTS} OR e.action = 'person.changed' AND (
        e.data -> 'fields' ?| ARRAY{list(ACCOUNT_FIELDS)} OR {_GAVE_STATUS}
        OR e.data #>> ARRAY['changes', 'is_active', 'will_be'] = 'true'
    )
)"""


def gives_approve(account: str) -> str:
    """Whether an event about a place gave `account` the verb there, or the way to take it in an emergency.

    To themselves or to a role that they have.
    """
    return f"""(
        e.action = 'grant.given' AND e.data -> 'permissions' ?| ARRAY['approve', 'emergency'] AND (
            e.data ->> 'to' = 'person:' || {account}.username OR EXISTS (
                SELECT 1 FROM public.workbench_user_groups m JOIN public.auth_group r ON r.id = m.group_id
                WHERE m.user_id = {account}.id AND e.data ->> 'to' = 'role:' || r.name
            )
        )
    )"""


# Who answers for the service account through which the directory did what `e` says could have done it by its token.
_ANSWERS = """
    SELECT service.owner_id FROM public.workbench_serviceaccount service
    JOIN public.workbench_user asked ON asked.id = service.user_id AND asked.username = e.data ->> 'through'
"""


def _tampered(accounts: str, *, by: str = "u.id = ANY(given.hands)") -> str:
    """The newest event by which one of those that `by` names among the people `u` opened one of the accounts."""
    return f"""
    SELECT e.id, u.username AS actor, e.at FROM ({accounts}) account
    JOIN public.audit_event e ON e.subject = ANY(array_append(given.places, 'person:' || account.username))
        AND e.at > given.since AND e.actor <> account.username
    JOIN public.workbench_user u ON ({by}) AND (u.username = e.actor OR u.id = ({_ANSWERS}))
    WHERE CASE WHEN e.subject = 'person:' || account.username THEN {OPENS_THE_ACCOUNT}
            ELSE {gives_approve("account")} END
    ORDER BY e.at DESC LIMIT 1
"""


# What somebody with a hand in it did to the person's account, sign-in, tokens or rights: the newest such event. Who
# decides in the place of others alone is asked the same of those others.
_THEIR_OWN = "SELECT person.id AS id, person.username AS username"
TAMPERED = _tampered(
    f"{_THEIR_OWN} UNION ALL SELECT giver.id, giver.username FROM {_givers()} AND NOT ({_HELD_THEMSELVES})"
)
# The same the other way round, of two approvers: what the person did to the account of the first, or of those in whose
# place alone the first decides. Whoever could sign in as the first would approve twice.
_FIRST = "public.workbench_user former"
TOUCHED_THE_FIRST = _tampered(
    f"""SELECT former.id, former.username FROM {_FIRST} WHERE former.id = given.approved_by
        UNION ALL SELECT giver.id, giver.username FROM {_FIRST}, {_givers("former")}
            AND former.id = given.approved_by AND NOT ({_holds_both(since_before=True, who="former")})""",
    by="u.id = person.id",
)

# The same of a proposed value mapping: `proposed` is one of those. What counts for all legal entities counts in each to
# which a route leads from its connection. Nobody decides on a mapping in the place of somebody else.
_LED_TO = """
    SELECT DISTINCT r.entity_id, 'entity:' || l.code AS entity FROM public.exceptions_app_route r
    JOIN public.exceptions_app_legalentity l ON l.id = r.entity_id
    WHERE r.connection_id IS NULL OR r.connection_id =
"""
GIVEN_OF_MAPPING = f"""
    SELECT m.queue_id, m.entity_id, 'queue:' || q.slug AS queue, 'entity:' || l.code AS entity, proposed.proposed_at,
        m.connection_id, ARRAY['queue:' || q.slug] || CASE WHEN l.id IS NULL
            THEN ARRAY(SELECT led.entity FROM ({_LED_TO} m.connection_id) led) ELSE ARRAY['entity:' || l.code]
        END AS places,
        {_PROPOSER} AS hands, proposed.proposed_at - interval '{HOURS_BEFORE} hours' AS since
    FROM public.exceptions_app_valuemapping m
    JOIN public.exceptions_app_queue q ON q.id = m.queue_id
    LEFT JOIN public.exceptions_app_legalentity l ON l.id = m.entity_id
    WHERE m.id = proposed.mapping_id
    OFFSET 0
"""
HELD_FOR_MAPPING_BEFORE = f"""({_holds("queue", "queue", since_before=True)} AND CASE
    WHEN given.entity_id IS NOT NULL THEN {_holds("legalentity", "entity", since_before=True)}
    ELSE EXISTS ({_LED_TO} given.connection_id) AND NOT EXISTS (
        SELECT 1 FROM ({_LED_TO} given.connection_id) led
        WHERE NOT {_holds("legalentity", "entity", since_before=True, at="led")}
    ) END
)"""
TAMPERED_OF_MAPPING = _tampered(_THEIR_OWN)

IS_MACHINE = f"starts_with(person.username, '{PREFIX}')"

# For the trigger of a decision on `proposed`. That nobody decides is for the column to refuse. A machine decides
# under a policy on what a machine proposed, and on nothing else.
DECLARED = [("proposed", "RECORD"), ("person", "RECORD"), ("given", "RECORD")]
REFUSE_WHOEVER_MAY_NOT = f"""
    SELECT u.id, u.username, u.email, u.is_active, u.is_staff INTO person FROM public.workbench_user u
        WHERE u.id = NEW.decider_id;
    IF person.id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT found.* INTO given FROM ({GIVEN}) found;
    IF {HAS_A_HAND} AND NOT (NEW.verdict = 'rejected' AND person.id IS NOT DISTINCT FROM given.approved_by) THEN
        RAISE EXCEPTION 'four eyes: user % contributed to proposal % and cannot decide on it',
            NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
    IF {IS_MACHINE} THEN
        IF NOT EXISTS (
            SELECT 1 FROM public.workbench_user u
            WHERE u.id = proposed.proposer_id AND starts_with(u.username, '{PREFIX}')
        ) THEN
            RAISE EXCEPTION 'four eyes: a machine cannot decide on proposal % of a person', NEW.proposal_id
                USING ERRCODE = 'check_violation';
        END IF;
        IF proposed.kind <> 'replay' OR NOT EXISTS (
            SELECT 1 FROM public.exceptions_app_payloadversion v WHERE v.id = proposed.version_id AND v.number = 1
        ) THEN
            RAISE EXCEPTION 'four eyes: a machine decides on what came in, and proposal % is of something else',
                NEW.proposal_id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF EXISTS ({TWIN}) THEN
        RAISE EXCEPTION 'four eyes: user % has the address of somebody who contributed to proposal %',
            NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS ({STANDS_IN}) THEN
        RAISE EXCEPTION 'four eyes: user % decides for somebody who contributed to proposal %, or they for them',
            NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
    IF NOT person.is_active OR NOT ({HELD_BEFORE}) THEN
        RAISE EXCEPTION 'four eyes: user % did not hold approve since before proposal %',
            NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS ({TAMPERED}) THEN
        RAISE EXCEPTION 'four eyes: somebody who contributed to proposal % changed the account of user %',
            NEW.proposal_id, NEW.decider_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.verdict = 'approved' AND {LACKS} IS NOT NULL THEN
        RAISE EXCEPTION 'authority: user % has not every role that proposal % takes since before it',
            NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
"""
# Whether the first of two approvers could approve at this moment still; `person` is that one.
FIRST_HOLDS = f"""(
    person.is_active AND {HELD_BEFORE} AND {LACKS} IS NULL
    AND NOT EXISTS ({TWIN}) AND NOT EXISTS ({STANDS_IN}) AND NOT EXISTS ({TAMPERED})
)"""
# For the triggers of what agrees to a proposal, after the above: a machine has left it by then.
REFUSE_TOO_FEW = f"""
    IF NEW.verdict = 'approved' AND given.approvers > 1 THEN
        IF given.approved_by IS NULL THEN
            RAISE EXCEPTION 'authority: proposal % takes % approvers', NEW.proposal_id, given.approvers
                USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS ({TOUCHED_THE_FIRST}) THEN
            RAISE EXCEPTION 'four eyes: user % changed the account of the first approver of proposal %',
                NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
        END IF;
        SELECT u.id, u.username, u.email, u.is_active, u.is_staff INTO person FROM public.workbench_user u
            WHERE u.id = given.approved_by;
        IF NOT {FIRST_HOLDS} THEN
            RAISE EXCEPTION 'authority: the first approval of proposal % holds no longer', NEW.proposal_id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
"""
REFUSE_IF_ONE_IS_ENOUGH = """
    IF given.approvers IS NULL OR given.approvers < 2 THEN
        RAISE EXCEPTION 'authority: proposal % takes one approver', NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
"""

# For the trigger of a decision on a value mapping, once its proposer is refused.
REFUSE_WHOEVER_MAY_NOT_MAP = f"""
    SELECT u.id, u.username, u.email, u.is_active, u.is_staff INTO person FROM public.workbench_user u
        WHERE u.id = NEW.decider_id;
    SELECT found.* INTO given FROM ({GIVEN_OF_MAPPING}) found;
    IF {HAS_A_HAND} OR EXISTS ({TWIN}) OR EXISTS ({STANDS_IN}) OR EXISTS ({TAMPERED_OF_MAPPING})
        OR NOT person.is_active OR NOT {HELD_FOR_MAPPING_BEFORE}
    THEN
        RAISE EXCEPTION 'four eyes: user % is no second person for mapping proposal %',
            NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
"""

# For the trigger of a decision on a rule that two people keep: `proposed` is that rule. Whoever may configure any
# connection, and administrators, keep them, and two of them each time.
_KEEPS_RULES = """(person.is_active AND (
    person.is_staff OR EXISTS (
        SELECT 1 FROM public.integrations_connectionusergrant g
        JOIN public.auth_permission p ON p.id = g.permission_id AND p.codename = 'configure_connection'
        WHERE g.user_id = person.id
    ) OR EXISTS (
        SELECT 1 FROM public.integrations_connectiongroupgrant g
        JOIN public.auth_permission p ON p.id = g.permission_id AND p.codename = 'configure_connection'
        JOIN public.workbench_user_groups m ON m.group_id = g.group_id AND m.user_id = person.id
    )
))"""
# An administrator keeps the rules, and could sign in as another keeper whose password they set.
TOUCHED_THE_PROPOSER = _tampered(
    "SELECT maker.id, maker.username FROM public.workbench_user maker WHERE maker.id = ANY(given.hands)",
    by="u.id = person.id",
)
GIVEN_OF_RULE = f"""
    SELECT ARRAY[]::text[] AS places, {_PROPOSER} AS hands, proposed.proposed_at,
        proposed.proposed_at - interval '{HOURS_BEFORE} hours' AS since
"""


def refuse_who_is_no_second(*, decider: str, called: str, number: str) -> str:
    """For the trigger of what a second keeper agrees to; `proposed` says who proposed it, and when."""
    return f"""
    SELECT u.id, u.username, u.email, u.is_active, u.is_staff INTO person FROM public.workbench_user u
        WHERE u.id = {decider};
    SELECT found.* INTO given FROM ({GIVEN_OF_RULE}) found;
    IF {HAS_A_HAND} OR EXISTS ({TWIN}) OR EXISTS ({STANDS_IN}) OR EXISTS ({TAMPERED_OF_MAPPING})
        OR EXISTS ({TOUCHED_THE_PROPOSER}) OR NOT {_KEEPS_RULES}
    THEN
        RAISE EXCEPTION 'four eyes: user % is no second person for {called} %', {decider}, {number}
            USING ERRCODE = 'check_violation';
    END IF;
"""

# ruff: noqa: S608 - the statements are made of constants of this module
"""What the database has to refuse, as SQL with the words of the refusal. Names in %(…)s are of the played scene."""

from django.conf import settings

# With it in the same transaction, it is not a missing event that stops a statement. It is as good as a forgery can be.
EVENT = """
    INSERT INTO audit_event (event_id, at, action, actor, actor_kind, subject, scope, summary, because,
                             correlation_id, data, body, leaf)
    SELECT gen_random_uuid(), at, action, actor, actor_kind, 'case:EX-' || {case}, scope, summary, because,
           correlation_id, data, body, leaf
    FROM audit_event ORDER BY id LIMIT 1;
"""
DECIDE = """
    INSERT INTO exceptions_app_decision (proposal_id, verdict, decider_id, frozen_sha256, because, decided_at)
    VALUES ({proposal}, {verdict}, {decider}, {shown}, {because}, now());
"""
DELIVER = """
    INSERT INTO integrations_delivery (connection_id, operation, object_type, business_key, key, content_sha256,
        subject, correlation_id, probe_first, despite_warnings, waiting_for, state, epoch, claims, due_at, sends,
        failures, reference, detail, created_at)
    SELECT connection_id, {operation}, object_type, {business_key}, {key}, content_sha256,
        subject, correlation_id, probe_first, despite_warnings, '', {state}, 0, 0, now(), 0, 0, '', '',
        now() FROM integrations_delivery WHERE id = %(delivery)s;
"""
ANOTHER_CASE = """
    INSERT INTO exceptions_app_exceptioncase (connection_id, object_type, business_key, kind, state, outcome, queue_id,
        entity_id, category, sub, cause_id, problem, priority, waiting_for, snoozed_for, document_number, counterparty,
        currency, reference, occurrences_count, revision, opened_at, changed_at, statutory_clock, score, score_reasons,
        scored_on)
    SELECT connection_id, object_type, business_key, kind, 'new', '', queue_id,
        entity_id, category, sub, cause_id, problem, priority, '', '', document_number, counterparty,
        '', '', 1, 1, now(), now(), '', 0, '[]', now() FROM exceptions_app_exceptioncase WHERE id = %(case)s;
"""
RULE = """
    INSERT INTO exceptions_app_approvalrule (state, is_end, object_type, above, currency, approvers, proposer_id,
        because, proposed_at, frozen_sha256)
    VALUES ({state}, false, '', 0, 'EUR', 2, %(clerk)s, 'x', now(), 'x');
"""
ROUTING_RULE = """
    INSERT INTO exceptions_app_routingrule (state, is_end, position, object_type, category, code, country, currency,
        priority, proposer_id, because, proposed_at, frozen_sha256)
    VALUES ({state}, false, 1, '', '', '', '', '', 1, %(clerk)s, 'x', now(), 'x');
"""
FIELD_RULE = """
    INSERT INTO exceptions_app_fieldrule (state, is_end, position, object_type, part, field, sort, who, roles,
        proposer_id, because, proposed_at, frozen_sha256)
    VALUES ({state}, false, 1, '', '', '', '', 'nobody', '[]', %(clerk)s, 'x', now(), 'x');
"""
DECIDE_RULE = """
    INSERT INTO exceptions_app_{table}decision (rule_id, verdict, decider_id, frozen_sha256, because, decided_at)
    SELECT max(id), 'approved', {decider}, 'x', '', now() FROM exceptions_app_{table};
"""
# Each with a change that somebody might want to make.
WRITTEN_ONCE = {
    "exceptions_app_decision": "verdict = 'rejected', because = 'x'",
    "exceptions_app_payloadversion": "content = 'x'",
    "exceptions_app_occurrence": "definitive = false",
    "exceptions_app_comment": "text = 'x'",
    "exceptions_app_attachment": "content = 'x'",
    "exceptions_app_contributor": "person_id = %(other)s",
    "exceptions_app_rehearsal": "doubled = 0",
    "integrations_deliveryattempt": "phase = 'probe'",
    "integrations_deliveryanswer": "outcome = 'confirmed'",
    "integrations_deliverycontent": "body = 'x'",
    "integrations_deliveryenvelope": "body = 'x'",
    "integrations_deliveryenvelopeanswer": "outcome = 'confirmed'",
    "integrations_comparison": "matched = 0",
    "integrations_comparisonfinding": "kind = 'missing_there'",
    "integrations_effect": "is_ours = NOT is_ours",
    "integrations_inboxcontent": "payload = 'x'",
    "integrations_messagebatch": "agree = NOT agree",
}
NEVER_DELETED = (
    "exceptions_app_exceptioncase",
    "exceptions_app_proposal",
    "exceptions_app_notification",
    "exceptions_app_queue",
    "exceptions_app_subscription",
    "exceptions_app_legalentity",
    "exceptions_app_route",
    "integrations_connection",
    "integrations_delivery",
    "integrations_inboxmessage",
)


def with_event(sql: str, case: str = "%(case)s") -> str:
    return EVENT.format(case=case) + sql


def decide(
    decider: str,
    *,
    proposal: str = "%(proposal)s",
    shown: str = "%(hash)s",
    verdict: str = "'approved'",
    because: str = "''",
    case: str = "%(case)s",
) -> str:
    statement = DECIDE.format(proposal=proposal, decider=decider, shown=shown, verdict=verdict, because=because)
    return with_event(statement, case)


def change(what: str, *, case: str = "%(case)s") -> str:
    return with_event(f"UPDATE exceptions_app_exceptioncase SET {what} WHERE id = {case};", case)


def change_proposal(what: str) -> str:
    return with_event(f"UPDATE exceptions_app_proposal SET {what} WHERE id = %(proposal)s;")


def deliver(
    *,
    operation: str = "'submit'",
    business_key: str = "business_key",
    key: str = "repeat('f', 64)",
    state: str = "'queued'",
) -> str:
    return DELIVER.format(operation=operation, business_key=business_key, key=key, state=state)


def rules_by_two(kind: str, write: str) -> dict[str, tuple[str, str]]:
    """What is refused of rules that two people keep; `write` inserts one."""
    table, proposed = f"{kind}rule", write.format(state="'proposed'")
    return {
        f"a rule of {kind} in force at once": ("begins as a proposal", write.format(state="'in_force'")),
        f"a rule of {kind} without its event": (f"no audit event about {kind}_rule", proposed),
        f"a rule of {kind} in force without a second person": (
            "nobody agreed that it becomes in_force",
            f"{proposed}UPDATE exceptions_app_{table} SET state = 'in_force';",
        ),
        f"a rule of {kind} with another reason": (
            "because is never changed once written",
            f"{proposed}UPDATE exceptions_app_{table} SET because = 'y';",
        ),
        f"a rule of {kind} decided on by its proposer": (
            f"is no second person for {kind} rule",
            proposed + DECIDE_RULE.format(table=table, decider="%(clerk)s"),
        ),
        f"a rule of {kind} decided on by who keeps none": (
            f"is no second person for {kind} rule",
            proposed + DECIDE_RULE.format(table=table, decider="%(controller)s"),
        ),
    }


CLOSED = "closed_at = now(), outcome = 'replayed'"
URGENT = "UPDATE exceptions_app_exceptioncase SET priority = 1 WHERE id = %(case)s;"
OWNER = settings.OWNER_DATABASE["USER"]
FOUR_EYES = "four eyes"
UNDECIDED = "without an approved decision"
UNHEARD = "no audit event about"
FROZEN = "is never changed once written"

# What is tried, with the words of the refusal, so that nothing is refused for another reason than it should be.
REFUSALS: dict[str, tuple[str, str]] = {
    # Limits of authority
    **rules_by_two("approval", RULE),
    "a first of two where one is enough": (
        "takes one approver",
        decide("%(controller)s").replace("_decision (", "_firstapproval ("),
    ),
    # Routing rules
    **rules_by_two("routing", ROUTING_RULE),
    **rules_by_two("field", FIELD_RULE),
    "a routing rule of which the amount has no currency": (
        "routing_rule_amount_has_currency",
        ROUTING_RULE.format(state="'proposed'").replace("_sha256)", "_sha256, above)").replace("'x');", "'x', 5);"),
    ),
    "a proposal with another number of approvers": ("approvers is never changed", change_proposal("approvers = 2")),
    # Four eyes
    "the clerk decides on what the clerk proposed": (FOUR_EYES, decide("%(clerk)s")),
    "the author of a version decides": (FOUR_EYES, decide("%(author)s")),
    "the clerk rejects what the clerk proposed": (
        FOUR_EYES,
        decide("%(clerk)s", verdict="'rejected'", because="'No.'"),
    ),
    "a decision on other content": ("is for other content", decide("%(controller)s", shown="repeat('0', 64)")),
    "a decision on a proposal that is decided": (
        "is no longer open",
        decide("%(other)s", proposal="%(decided)s", case="%(replaying)s"),
    ),
    "two decisions on one proposal": (
        "exceptions_app_decision_proposal_id_key",
        decide("%(controller)s") + decide("%(controller)s"),
    ),
    "a decision with another verdict": ("decision_known_verdict", decide("%(controller)s", verdict="'perhaps'")),
    "a rejection without a reason": ("decision_rejection_has_reason", decide("%(controller)s", verdict="'rejected'")),
    "a decision by nobody": ("decider_id", decide("NULL")),
    "a decision without an audit event": (
        UNHEARD,
        DECIDE.format(
            proposal="%(proposal)s", decider="%(controller)s", shown="%(hash)s", verdict="'approved'", because="''"
        ),
    ),
    # What leaves, and what closes
    "replayed without a decision": (UNDECIDED, change("state = 'replaying'")),
    "lost sight of without a decision": (UNDECIDED, change("state = 'outcome_unknown'")),
    "resolved without a decision": (UNDECIDED, change(f"state = 'resolved', {CLOSED}")),
    "dismissed without a decision": (UNDECIDED, change(f"state = 'dismissed', {CLOSED}")),
    "resolved on the strength of a dismissal": (UNDECIDED, change("state = 'resolved'", case="%(dismissed)s")),
    "dismissed on the strength of a replay": (
        UNDECIDED,
        change(f"state = 'dismissed', {CLOSED}", case="%(replaying)s"),
    ),
    "replayed on the strength of a dismissal": (
        UNDECIDED,
        change("state = 'replaying', closed_at = NULL, outcome = ''", case="%(dismissed)s"),
    ),
    "resolved without an outcome": ("case_closed_with_outcome", change("state = 'resolved'", case="%(replaying)s")),
    "open with an outcome": ("case_closed_with_outcome", change("outcome = 'replayed'")),
    "changed without an audit event": (UNHEARD, URGENT),
    "changed with an event about another exception": (UNHEARD, EVENT.format(case="%(replaying)s") + URGENT),
    "an unknown state": ("case_known_state", change("state = 'approved'")),
    "an unknown outcome": ("case_known_outcome", change("outcome = 'lost'", case="%(dismissed)s")),
    "an unknown priority": ("case_known_priority", change("priority = 9")),
    "held beyond all years": ("case_held_until_readable", change("held_until = '20000-01-01'")),
    "an unknown clock": ("case_known_clock", change("statutory_clock = 'sun'")),
    "a new score with something else and no event": (
        UNHEARD,
        "UPDATE exceptions_app_exceptioncase SET score = 1, payable_on = now() WHERE id = %(case)s;",
    ),
    "snoozed without an end": ("case_snooze_has_an_end", change("snoozed_by_id = %(other)s")),
    "an end without a snooze": ("case_snooze_has_an_end", change("snoozed_until = now()")),
    "snoozed until something unknown": (
        "case_known_snooze",
        change("snoozed_by_id = %(other)s, snoozed_for = 'rain'"),
    ),
    "snoozed beyond all years": (
        "case_snoozed_until_readable",
        change("state = 'in_progress', snoozed_by_id = %(other)s, snoozed_until = '20000-01-01'"),
    ),
    "snoozed while it waits for a decision": (
        "case_snoozed_while_worked_on",
        change("snoozed_by_id = %(other)s, snoozed_for = 'comment'"),
    ),
    "a tag that is none": ("cannot have these tags", change("tags = '{Two Words}'")),
    "a tag twice": ("cannot have these tags", change("tags = '{vat,vat}'")),
    "more tags than ten": ("cannot have these tags", change("tags = '{a,b,c,d,e,f,g,h,i,j,k}'")),
    "tags in disorder": ("cannot have these tags", change("tags = '{vat,audit}'")),
    "a tag that is nothing": ("cannot have these tags", change("tags = '{NULL}'")),
    "a tag and no event": (UNHEARD, "UPDATE exceptions_app_exceptioncase SET tags = '{vat}' WHERE id = %(case)s;"),
    "snoozed when it is closed": (
        "case_snoozed_while_worked_on",
        change("snoozed_by_id = %(other)s, snoozed_for = 'comment'", case="%(dismissed)s"),
    ),
    "an amount without a currency": ("case_amount_has_currency", change("amount = 1, currency = ''")),
    "another document": (FROZEN, change("business_key = 'other'")),
    "another kind": (FROZEN, change("kind = 'held'")),
    "another opening time": (FROZEN, change("opened_at = now()")),
    "two open exceptions of one document": ("case_one_open_per_document", ANOTHER_CASE),
    # Proposals
    "a proposal for other bytes": (FROZEN, change_proposal("content_sha256 = repeat('0', 64)")),
    "a proposal under another hash": (FROZEN, change_proposal("frozen_sha256 = repeat('0', 64)")),
    "a proposal by somebody else": (FROZEN, change_proposal("proposer_id = %(other)s")),
    "a proposal of another version": (FROZEN, change_proposal("version_id = version_id - 1")),
    "a proposal of another kind": (FROZEN, change_proposal("kind = 'dismiss'")),
    "a proposal in an unknown state": ("proposal_known_state", change_proposal("state = 'agreed'")),
    "a spent approval revived": (
        "is spent and cannot become approved",
        (
            "UPDATE exceptions_app_proposal SET state = 'spent' WHERE id = %(decided)s;"
            + with_event("UPDATE exceptions_app_proposal SET state = 'approved' WHERE id = %(decided)s;")
        ),
    ),
    "an approval taken back to be decided again": (
        "is approved and cannot become open",
        "UPDATE exceptions_app_proposal SET state = 'open' WHERE id = %(decided)s;",
    ),
    "a proposal closed without an audit event": (
        UNHEARD,
        "UPDATE exceptions_app_proposal SET state = 'approved' WHERE id = %(proposal)s;",
    ),
    # Deliveries
    "two live deliveries of one document": ("delivery_one_live", deliver()),
    "the same key twice": ("delivery_key_live_once", deliver(key="key", business_key="'other'")),
    "an operation that nobody checks": (
        "delivery_known_operation",
        deliver(operation="'submit2'", business_key="'other'"),
    ),
    "a delivery in an unknown state": ("delivery_known_state", deliver(state="'sent'", business_key="'other'")),
    "a delivery with other bytes": (FROZEN, "UPDATE integrations_delivery SET content_sha256 = repeat('0', 64);"),
    "a delivery for another exception": (FROZEN, "UPDATE integrations_delivery SET subject = 'case:EX-1';"),
    "a delivery under another key": (FROZEN, "UPDATE integrations_delivery SET key = repeat('0', 64);"),
    "a confirmed delivery revived": (
        "is confirmed and stays so",
        (
            "UPDATE integrations_delivery SET state = 'confirmed' WHERE id = %(delivery)s;"
            "UPDATE integrations_delivery SET state = 'queued' WHERE id = %(delivery)s;"
        ),
    ),
    "a sent delivery cancelled": (
        "cannot be cancelled",
        (
            "UPDATE integrations_delivery SET sends = 1 WHERE id = %(delivery)s;"
            "UPDATE integrations_delivery SET state = 'cancelled' WHERE id = %(delivery)s;"
        ),
    ),
    "a delivery made at another time": (FROZEN, "UPDATE integrations_delivery SET created_at = now();"),
    "a claim of a delivery forgotten": (
        "never taken back",
        "UPDATE integrations_delivery SET epoch = epoch + 1; UPDATE integrations_delivery SET epoch = epoch - 1;",
    ),
    "a doubt about a delivery forgotten": (
        "never taken back",
        ("UPDATE integrations_delivery SET probe_first = true;UPDATE integrations_delivery SET probe_first = false;"),
    ),
    # What came in, and what is configured
    "a message handed in by another": (FROZEN, "UPDATE integrations_inboxmessage SET received_by = 'x';"),
    "a message that came by another way": (FROZEN, "UPDATE integrations_inboxmessage SET via = 'folder';"),
    "a message under another identifier": (FROZEN, "UPDATE integrations_inboxmessage SET external_id = 'x';"),
    "a message with other content": (FROZEN, "UPDATE integrations_inboxmessage SET content_sha256 = 'x';"),
    "a message in an unknown state": ("inbox_known_status", "UPDATE integrations_inboxmessage SET status = 'lost';"),
    "a connection changed without an audit event": (
        UNHEARD,
        "UPDATE integrations_connection SET target_url = 'https://x.test' WHERE id = %(connection)s;",
    ),
    "a route added without an audit event": (
        UNHEARD,
        (
            "INSERT INTO exceptions_app_route"
            " (position, party_id, category, object_type, queue_id, entity_id, priority, statutory_clock) "
            "SELECT 99, '', '', '', queue_id, entity_id, 3, '' FROM exceptions_app_route LIMIT 1;"
        ),
    ),
    # Who may do what
    "a role given without an audit event": (
        UNHEARD,
        (
            "INSERT INTO workbench_user_groups (user_id, group_id) "
            "SELECT %(other)s, group_id FROM workbench_user_groups WHERE user_id = %(controller)s;"
        ),
    ),
    "a role taken without an audit event": (UNHEARD, "DELETE FROM workbench_user_groups WHERE user_id = %(clerk)s;"),
    "a role under another name": ("permission denied", "UPDATE auth_group SET name = 'x' WHERE name = 'clerk';"),
    "a person under another name": (FROZEN, "UPDATE workbench_user SET username = 'x' WHERE id = %(clerk)s;"),
    "a password set without an audit event": (
        UNHEARD,
        "UPDATE workbench_user SET password = 'x' WHERE id = %(clerk)s;",
    ),
    "an address of e-mail given without an audit event": (
        UNHEARD,
        "UPDATE workbench_user SET email = 'x@example.test' WHERE id = %(clerk)s;",
    ),
    "a role passed on": (FROZEN, "UPDATE workbench_user_groups SET user_id = %(other)s WHERE user_id = %(clerk)s;"),
    "a person made superuser without an audit event": (
        UNHEARD,
        "UPDATE workbench_user SET is_superuser = true WHERE id = %(clerk)s;",
    ),
    # The guards themselves
    "pgtrigger's own switch": (
        UNHEARD,
        "SET LOCAL pgtrigger.ignore = '{exceptions_app_exceptioncase:audit_required}';" + URGENT,
    ),
    "pgtrigger's own switch, for a deletion": (
        "are never deleted",
        (
            "SELECT set_config('pgtrigger.ignore', '{integrations_delivery:never_deleted}', true);"
            "DELETE FROM integrations_delivery;"
        ),
    ),
    "triggers off for replication": ("permission denied", "SET session_replication_role = 'replica';"),
    "triggers disabled": ("must be owner", "ALTER TABLE exceptions_app_decision DISABLE TRIGGER ALL;"),
    "a trigger dropped": ("must be owner", "DROP TRIGGER pgtrigger_decided_6da97 ON exceptions_app_exceptioncase;"),
    "a guard's function replaced": (
        "permission denied",
        (
            "CREATE OR REPLACE FUNCTION public.pgtrigger_decided_6da97() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN NEW; END';"
        ),
    ),
    "a guard's function changed": ("must be owner", "ALTER FUNCTION pgtrigger_decided_6da97() RENAME TO gone;"),
    "a temporary table in place of the audit log": (
        UNHEARD,
        "CREATE TEMPORARY TABLE audit_event ON COMMIT DROP AS SELECT * FROM public.audit_event;"
        "INSERT INTO pg_temp.audit_event SELECT * FROM public.audit_event;" + URGENT,
    ),
    "a check put off": (UNHEARD, "SET CONSTRAINTS ALL DEFERRED;" + URGENT),
    "a column dropped": ("must be owner", "ALTER TABLE exceptions_app_decision DROP COLUMN decider_id;"),
    "a constraint dropped": ("must be owner", "ALTER TABLE exceptions_app_decision DROP CONSTRAINT decision_known;"),
    "a table dropped": ("must be owner", "DROP TABLE exceptions_app_contributor;"),
    "a table made": ("permission denied", "CREATE TABLE public.loot (id int);"),
    "the role of the owner taken": ("permission denied", f'SET ROLE "{OWNER}";'),
    "an event of another transaction": (
        "transaction_id is not that of this transaction",
        "INSERT INTO audit_event SELECT * FROM audit_event LIMIT 1;",
    ),
    "an event changed": ("permission denied", "UPDATE audit_event SET summary = 'x';"),
    "an event deleted": ("permission denied", "DELETE FROM audit_event;"),
    "the log emptied": ("permission denied", "TRUNCATE audit_event CASCADE;"),
}
for guarded, wanted in WRITTEN_ONCE.items():
    REFUSALS[f"a row of {guarded} changed"] = ("are never changed", f"UPDATE {guarded} SET {wanted};")
    REFUSALS[f"a row of {guarded} deleted"] = ("are never changed", f"DELETE FROM {guarded};")
    REFUSALS[f"{guarded} emptied"] = ("permission denied", f"TRUNCATE {guarded} CASCADE;")
for guarded in NEVER_DELETED:
    REFUSALS[f"a row of {guarded} deleted"] = ("are never deleted", f"DELETE FROM {guarded};")
    REFUSALS[f"{guarded} emptied"] = ("permission denied", f"TRUNCATE {guarded} CASCADE;")

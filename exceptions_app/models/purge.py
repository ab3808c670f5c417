"""What was erased of closed exceptions, run by run, and what the database asks before it lets anything be erased.

The questions are SQL over `c`, an exception, so that who chooses and the trigger that has the last word ask the same.
"""

# ruff: noqa: S608 - made of constants of this module and of `retention`

from decimal import Decimal
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.fields import CurrentTransactionId, TransactionIdField
from audit.guard import Guard, append_only, audit_required, truncate_refused
from audit.models import Erased
from exceptions_app.models.archive import NOT_DELIVERED
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.erasure import ERASURE_PREFIX, OF_PERSON, ErasureRequest
from exceptions_app.models.handover import SUBJECT_PREFIX
from exceptions_app.models.references import Numbered
from exceptions_app.models.retention import POLICY_PREFIX, PURGE_LOCK, RecordClass, RetentionPolicy
from exceptions_app.wording import say

RUN_PREFIX = "PU-"
RUN_SUBJECT = f"purge:{RUN_PREFIX}"
SUBJECT = f"'case:{REF_PREFIX}' || c.id"
# Its own deliveries, and those of the transactions that it took up: they carry the same document.
SUBJECTS = f"""(
    SELECT {SUBJECT} UNION ALL SELECT '{SUBJECT_PREFIX}' || t.id
    FROM public.exceptions_app_transaction t WHERE t.case_id = c.id
)"""

CLOSED = "c.state IN ('resolved', 'dismissed') AND c.closed_at IS NOT NULL"

HELD = """EXISTS (
    SELECT 1 FROM public.exceptions_app_legalhold h WHERE h.lifted_at IS NULL AND (
        h.case_id = c.id OR h.entity_id = c.entity_id
        OR h.counterparty <> '' AND (lower(h.counterparty) = lower(c.counterparty) OR EXISTS (
            SELECT 1 FROM public.exceptions_app_identifier i WHERE i.case_id = c.id AND i.folded = h.folded
        ))
    )
)"""
# Anything of the class is there still. The length of a value is known without reading it.
LEFT = {
    RecordClass.DOCUMENTS: """(
        EXISTS (SELECT 1 FROM public.exceptions_app_payloadversion v
            WHERE v.case_id = c.id AND octet_length(v.content) > 0)
        OR EXISTS (SELECT 1 FROM public.exceptions_app_comment m WHERE m.case_id = c.id AND m.text <> '')
    )""",
    RecordClass.FILES: """(
        EXISTS (SELECT 1 FROM public.exceptions_app_attachment a
            WHERE a.case_id = c.id AND octet_length(a.content) > 0)
        OR EXISTS (
            SELECT 1 FROM public.exceptions_app_evidence v JOIN public.exceptions_app_proposal q ON q.id = v.proposal_id
            WHERE q.case_id = c.id AND octet_length(v.content) > 0
        )
    )""",
}
# Something that goes on still needs it: a sending, a transaction, a list that runs, or an exception that follows it.
IN_FLIGHT = f"""(
    EXISTS (
        SELECT 1 FROM public.integrations_delivery d
        WHERE d.subject IN {SUBJECTS} AND d.state IN ('queued', 'probing', 'sending', 'unknown')
    ) OR EXISTS (
        SELECT 1 FROM public.exceptions_app_transaction t
        WHERE t.case_id = c.id AND t.state NOT IN ('delivered', 'duplicate', 'closed')
    ) OR EXISTS (
        SELECT 1 FROM public.exceptions_app_exceptioncase f WHERE f.follows_id = c.id AND f.closed_at IS NULL
    ) OR EXISTS (
        SELECT 1 FROM public.exceptions_app_batchitem i JOIN public.exceptions_app_replaybatch b ON b.id = i.batch_id
        WHERE i.case_id = c.id AND b.state IN ('awaiting_approval', 'running', 'stopped', 'suspended')
    ) OR EXISTS (
        SELECT 1 FROM public.exceptions_app_bulkitem i JOIN public.exceptions_app_bulkrun r ON r.id = i.run_id
        WHERE i.case_id = c.id AND r.state IN ('running', 'paused')
    )
)"""
# What happened to it stands in no signed checkpoint yet. Events of this very transaction tell of the erasure.
UNSEALED = f"""EXISTS (
    SELECT 1 FROM public.audit_event e LEFT JOIN public.audit_seal s ON s.event_id = e.id
    WHERE e.subject = {SUBJECT} AND e.transaction_id <> pg_current_xact_id() AND (
        s.sequence IS NULL OR s.sequence > COALESCE((SELECT max(k.size) FROM public.audit_checkpoint k), 0)
    )
)"""
# The policy `p` is the one that counts there, and its time is over.
DUE = f"""(
    p.state = 'in_force' AND c.closed_at <= now() - make_interval(days => p.days)
    AND (p.entity_id = c.entity_id OR p.entity_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_retentionpolicy own WHERE own.state = 'in_force'
            AND own.entity_id = c.entity_id AND own.record_class = p.record_class
    )) AND {CLOSED}
)"""
# Two agreed that what is held about this counterparty goes.
WANTED = f"(q.state = 'approved' AND {CLOSED} AND {OF_PERSON})"
MAY_GO = f"NOT {HELD} AND NOT {IN_FLIGHT} AND NOT {UNSEALED} AND NOT {NOT_DELIVERED}"

ROW = "$row"
"""Stands in the texts below for the key of the row that is asked about."""
# Whether a row is of the exception, and of nothing else that keeps it: table, class, and SQL over `c` and `$row`.
_OF_A_MESSAGE = """(
    EXISTS (SELECT 1 FROM public.exceptions_app_occurrence o WHERE o.case_id = c.id AND o.inbox_message_id = $row)
    OR EXISTS (
        SELECT 1 FROM public.exceptions_app_transaction t WHERE t.case_id = c.id AND t.inbox_message_id = $row
    )
) AND NOT EXISTS (
    SELECT 1 FROM public.exceptions_app_occurrence o
    WHERE o.inbox_message_id = $row AND o.case_id <> c.id AND NOT EXISTS (
        SELECT 1 FROM public.audit_erased e WHERE e.table_name = 'exceptions_app_occurrence' AND e.row_key = o.id
    )
)"""
_OF_A_DELIVERY = f"""EXISTS (
    SELECT 1 FROM public.integrations_delivery d WHERE d.id = {{delivery}} AND d.subject IN {SUBJECTS}
)"""
# Several deliveries travel in one envelope: it goes with the last of them.
_OF_AN_ENVELOPE = f"""EXISTS (
    SELECT 1 FROM public.integrations_deliveryattempt t JOIN public.integrations_delivery d ON d.id = t.delivery_id
    WHERE t.envelope_id = $row AND d.subject IN {SUBJECTS}
) AND NOT EXISTS (
    SELECT 1 FROM public.integrations_deliveryattempt t
    JOIN public.integrations_deliverycontent k ON k.delivery_id = t.delivery_id AND k.body <> ''::bytea
    WHERE t.envelope_id = $row
)"""


def _of_a_row(table: str, case: str = "r.case_id = c.id", key: str = "id") -> str:
    return f"EXISTS (SELECT 1 FROM public.{table} r WHERE r.{key} = $row AND {case})"


_D, _F = RecordClass.DOCUMENTS, RecordClass.FILES
_NAMES = "names"
"""Of no policy: they go with the erasure of one counterparty alone."""
OF_THE_CASE: dict[str, tuple[str, str]] = {
    "exceptions_app_payloadversion": (_D, _of_a_row("exceptions_app_payloadversion")),
    "exceptions_app_occurrence": (_D, _of_a_row("exceptions_app_occurrence")),
    "exceptions_app_suggestion": (_D, _of_a_row("exceptions_app_suggestion")),
    "exceptions_app_comment": (_D, _of_a_row("exceptions_app_comment")),
    "exceptions_app_transactioncontent": (
        _D, _of_a_row("exceptions_app_transaction"),
    ),
    "integrations_inboxcontent": (_D, _OF_A_MESSAGE),
    "integrations_deliverycontent": (_D, _OF_A_DELIVERY.format(delivery="$row")),
    "integrations_deliveryanswer": (_D, _OF_A_DELIVERY.format(
        delivery="(SELECT t.delivery_id FROM public.integrations_deliveryattempt t WHERE t.id = $row)"
    )),
    "integrations_deliveryenvelope": (_D, _OF_AN_ENVELOPE),
    "integrations_deliveryenvelopeanswer": (_D, _OF_AN_ENVELOPE),
    "exceptions_app_historicalexceptioncase": (_NAMES, """EXISTS (
        SELECT 1 FROM public.exceptions_app_historicalexceptioncase r WHERE r.history_id = $row AND r.id = c.id
    )"""),
    "exceptions_app_attachment": (_F, _of_a_row("exceptions_app_attachment")),
    "exceptions_app_evidence": (_F, _of_a_row(
        "exceptions_app_proposal",
    )),
}  # fmt: skip


def _is_of_the_case() -> str:
    cases = "\n".join(
        f"WHEN '{table}' THEN (q.id IS NOT NULL OR p.record_class = '{kind}') AND {where.replace(ROW, 'NEW.row_key')}"
        for table, (kind, where) in OF_THE_CASE.items()
    )
    return f"CASE NEW.table_name {cases} ELSE FALSE END"


class PurgeRun(Numbered):
    """What was erased in one transaction, under one policy or on one request: of some exceptions, all that it names."""

    ref_prefix = RUN_PREFIX
    subject_prefix = RUN_SUBJECT

    transaction_id = TransactionIdField(db_default=CurrentTransactionId(), editable=False)
    policy = models.ForeignKey(RetentionPolicy, on_delete=models.PROTECT, null=True, related_name="runs")
    request = models.ForeignKey(ErasureRequest, on_delete=models.PROTECT, null=True, related_name="runs")
    count = models.PositiveIntegerField(help_text="Exceptions.")
    money = models.JSONField(help_text="The sum in each currency, as text.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(count__gte=1), name="purge_of_something"),
            models.CheckConstraint(
                condition=Q(policy__isnull=True) ^ Q(request__isnull=True), name="purge_by_policy_or_on_request"
            ),
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(f"'{RUN_SUBJECT}' || NEW.id")]

    @property
    def sums(self) -> dict[str, Decimal]:
        return {currency: Decimal(total) for currency, total in self.money.items()}

    @property
    def under(self) -> str:
        """By what it was, in a few words that follow “erased”."""
        if self.policy_id is not None:
            return say("under policy {ref}", ref=f"{POLICY_PREFIX}{self.policy_id}")
        return say("on request {ref}", ref=f"{ERASURE_PREFIX}{self.request_id}")


class ErasedOfException(Erased):
    """Erasures as this room guards them: under a policy in force whose time is over, of what nothing holds back."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers: ClassVar = [
            Guard(
                name="may_be_erased",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("told", "RECORD")],
                func=f"""
                PERFORM pg_advisory_xact_lock_shared({PURGE_LOCK});
                SELECT CASE WHEN q.id IS NULL THEN {DUE} ELSE {WANTED} END AS due, {HELD} AS held,
                    {IN_FLIGHT} AS in_flight, {UNSEALED} AS unsealed,
                    {NOT_DELIVERED} AS not_delivered, {_is_of_the_case()} AS its INTO told
                FROM public.exceptions_app_purgerun u
                LEFT JOIN public.exceptions_app_retentionpolicy p ON p.id = u.policy_id
                LEFT JOIN public.exceptions_app_erasurerequest q ON q.id = u.request_id
                JOIN public.exceptions_app_exceptioncase c
                    ON c.id = substring(NEW.subject FROM '^case:{REF_PREFIX}([0-9]{{1,17}})$')::bigint
                WHERE NEW.under = '{RUN_PREFIX}' || u.id AND u.transaction_id = pg_current_xact_id();
                IF told.due IS NOT TRUE OR told.its IS NOT TRUE THEN
                    RAISE EXCEPTION 'nothing of % is erased: no policy in force and no request lets row % of % go',
                        NEW.subject, NEW.row_key, NEW.table_name USING ERRCODE = 'check_violation';
                END IF;
                IF told.held THEN
                    RAISE EXCEPTION 'nothing of % is erased: a legal hold keeps it', NEW.subject
                        USING ERRCODE = 'check_violation';
                END IF;
                IF told.in_flight OR told.unsealed THEN
                    RAISE EXCEPTION 'nothing of % is erased: it is needed still, or not sealed', NEW.subject
                        USING ERRCODE = 'check_violation';
                END IF;
                IF told.not_delivered THEN
                    RAISE EXCEPTION 'nothing of % is erased: its evidence is not in the archive yet', NEW.subject
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
                """,
            )
        ]

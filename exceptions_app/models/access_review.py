"""Access confirmed again: a frozen list of what is granted, and what was decided about each of it."""
# ruff: noqa: S608 - made of constants of this module

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from audit.guard import Guard, audit_required, frozen_columns, has_all_its_rows, never_deleted, truncate_refused
from exceptions_app.machines import PREFIX

REVIEW_SUBJECT = "access_review:"
MOST_ITEMS = 20_000
LONGEST_REASON = 500

# Closed when all is decided, or cancelled by an administrator while it is not and there is time.
_CLOSED_ONCE_WITH_ITS_TOTALS = Guard(
    name="closed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    declare=[("told", "RECORD")],
    func=f"""
    IF OLD.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'access review % is closed', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) FILTER (WHERE i.outcome = '') AS still_open, count(*) FILTER (WHERE i.outcome = 'kept') AS kept,
        count(*) FILTER (WHERE i.outcome = 'ended') AS ended, count(*) FILTER (WHERE i.outcome = 'gone') AS gone,
        count(*) FILTER (WHERE i.outcome = 'left') AS left_there INTO told
    FROM public.exceptions_app_accessreviewitem i WHERE i.review_id = NEW.id;
    IF NEW.closed_at IS NOT NULL AND ((told.still_open > 0) IS DISTINCT FROM (NEW.cancelled_because <> '')
            OR (told.kept, told.ended, told.gone, told.left_there)
            IS DISTINCT FROM (NEW.kept::bigint, NEW.ended::bigint, NEW.gone::bigint, NEW.left_there::bigint)) THEN
        RAISE EXCEPTION 'access review % is not decided as it says', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.cancelled_because <> '' AND (NEW.closed_at >= OLD.due_at OR NOT EXISTS (
        SELECT 1 FROM public.workbench_user u WHERE u.id = NEW.closed_by_id
            AND u.is_active AND u.is_staff AND NOT starts_with(u.username, '{PREFIX}')
    )) THEN
        RAISE EXCEPTION 'access review % is cancelled by an administrator, before it is due', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class AccessReview(models.Model):
    """One round in which what is granted is confirmed again. Only `actions.access_review` changes a row."""

    class Kept(models.TextChoices):
        """How an item ended."""

        KEPT = "kept", "confirmed"
        ENDED = "ended", "ended"
        GONE = "gone", "gone before it was decided"
        LEFT = "left", "not confirmed, and left"

    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=170, help_text='"all", or a place or role as the audit trail names it.')
    due_at = models.DateTimeField()
    count = models.PositiveIntegerField()
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    kept = models.PositiveIntegerField(null=True)
    ended = models.PositiveIntegerField(null=True)
    gone = models.PositiveIntegerField(null=True)
    left_there = models.PositiveIntegerField(null=True)
    cancelled_because = models.CharField(max_length=LONGEST_REASON, blank=True, default="", db_default="")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(count__range=(1, MOST_ITEMS)), name="access_review_count_in_range"),
            models.CheckConstraint(condition=Q(due_at__gt=F("opened_at")), name="access_review_due_after_opening"),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None, kept=None, ended=None, gone=None, left_there=None)
                | Q(closed_at__isnull=False, closed_by__isnull=False, kept__isnull=False, ended__isnull=False,
                    gone__isnull=False, left_there__isnull=False),
                name="access_review_closed_with_totals",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_because="") | Q(closed_at__isnull=False), name="access_review_cancelled_is_over"
            ),
            models.UniqueConstraint(fields=["name"], condition=Q(closed_at=None), name="access_review_open_name_once"),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(closed_at=None), name="access_review_due"),
        ]
        triggers: ClassVar = [
            audit_required(f"'{REVIEW_SUBJECT}' || NEW.id"),
            frozen_columns("name", "scope", "due_at", "count", "opened_at", "opened_by"),
            has_all_its_rows(
                "exceptions_app_accessreviewitem", by="review_id", called="access review", rows="items",
                name="whole_list",
            ),
            _CLOSED_ONCE_WITH_ITS_TOTALS,
            never_deleted(),
            truncate_refused(),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        return f"{REVIEW_SUBJECT}{self.pk}"

    @property
    def undecided(self) -> int:
        """Of a round that is over, how many lines nobody decided; some only when it was cancelled."""
        return self.count - sum(number or 0 for number in (self.kept, self.ended, self.gone, self.left_there))


_IN_ITS_PLACE = Guard(
    name="in_its_place",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NEW.outcome <> '' OR NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_accessreview r
        WHERE r.id = NEW.review_id AND NEW.position BETWEEN 1 AND r.count
    ) THEN
        RAISE EXCEPTION 'item % has no place in access review %', NEW.position, NEW.review_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)
# Who decides is an administrator and no other hand of the same person; what nobody decided, the machine ends when it is
# due, and it confirms nothing. The round is locked: whoever cancels it in this moment comes before, or after.
_DECIDED_ONCE_BY_ANOTHER = Guard(
    name="decided",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    declare=[("decider", "RECORD"), ("closed", "TIMESTAMPTZ")],
    func=f"""
    IF OLD.outcome <> '' THEN
        RAISE EXCEPTION 'item % of access review % is decided', OLD.position, OLD.review_id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT r.closed_at INTO closed FROM public.exceptions_app_accessreview r WHERE r.id = NEW.review_id FOR SHARE;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'access review % is closed', NEW.review_id USING ERRCODE = 'check_violation';
    END IF;
    SELECT u.id, u.username, u.email, u.is_active, u.is_staff INTO decider
    FROM public.workbench_user u WHERE u.id = NEW.decided_by_id;
    IF starts_with(decider.username, '{PREFIX}') THEN
        IF NEW.outcome = 'kept' OR NOT EXISTS (
            SELECT 1 FROM public.exceptions_app_accessreview r WHERE r.id = NEW.review_id AND r.due_at <= NEW.decided_at
        ) THEN
            RAISE EXCEPTION 'a machine confirms nothing, and ends what is due' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT (decider.is_active AND decider.is_staff) OR NEW.outcome = 'left' THEN
        RAISE EXCEPTION 'user % decides on no access', NEW.decided_by_id USING ERRCODE = 'check_violation';
    END IF;
    IF decider.id = NEW.person_id OR EXISTS (
        SELECT 1 FROM public.workbench_user other WHERE other.id = NEW.person_id
            AND decider.email <> '' AND lower(other.email) = lower(decider.email)
    ) OR NEW.person_id IS NULL AND EXISTS (
        SELECT 1 FROM public.workbench_user_groups m JOIN public.auth_group g ON g.id = m.group_id
        WHERE m.user_id = decider.id AND g.name = NEW.role
    ) THEN
        RAISE EXCEPTION 'user % cannot decide on their own access', NEW.decided_by_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


def _still_granted(kind: str, table: str, place_table: str, attribute: str) -> str:
    held = f"""
        SELECT 1 FROM public.{table}{{holder}}grant g JOIN public.{place_table} o ON o.id = g.content_object_id
        JOIN public.auth_permission p ON p.id = g.permission_id {{join}}
        WHERE o.{attribute} = NEW.place AND NEW.verbs ? p.codename AND {{who}}
    """
    to_person = held.format(holder="user", join="", who="g.user_id = NEW.person_id")
    to_role = held.format(
        holder="group",
        join="JOIN public.auth_group r ON r.id = g.group_id",
        who="NEW.person_id IS NULL AND r.name = NEW.role",
    )
    return f"NEW.kind = '{kind}' AND (EXISTS ({to_person}) OR EXISTS ({to_role}))"


# What is called ended, or gone, is granted no more when the transaction ends.
_ENDED_IS_GONE = Guard(
    name="ended_is_gone",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func=f"""
    IF NEW.outcome IN ('ended', 'gone') AND (
        NEW.kind = 'role' AND EXISTS (
            SELECT 1 FROM public.workbench_user_groups m JOIN public.auth_group r ON r.id = m.group_id
            WHERE m.user_id = NEW.person_id AND r.name = NEW.role
        )
        OR NEW.kind = 'workbench' AND EXISTS (
            SELECT 1 FROM public.workbench_user u WHERE u.id = NEW.person_id AND u.is_staff
        )
        OR {_still_granted("queue", "exceptions_app_queue", "exceptions_app_queue", "slug")}
        OR {_still_granted("entity", "exceptions_app_legalentity", "exceptions_app_legalentity", "code")}
        OR {_still_granted("connection", "integrations_connection", "integrations_connection", "slug")}
    ) THEN
        RAISE EXCEPTION 'item % of access review % is % and granted still', NEW.position, NEW.review_id, NEW.outcome
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)


class AccessReviewItem(models.Model):
    """One thing that is taken away as a whole: a person's role, what a person or a role holds in a place, or that a
    person administers. As it stood when the round was opened; what was decided is written once.
    """

    class Kind(models.TextChoices):
        ROLE = "role", "role"
        QUEUE = "queue", "queue"
        ENTITY = "entity", "legal entity"
        CONNECTION = "connection", "connection"
        WORKBENCH = "workbench", "administration"

    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField(help_text="From 1, in the order of people, roles and places.")
    kind = models.CharField(max_length=10)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    role = models.CharField(max_length=150, blank=True, help_text="That the person has, or that holds it itself.")
    place = models.CharField(max_length=50, blank=True)
    verbs = models.JSONField(help_text="The rights, as they were when the round was opened.")
    since = models.DateTimeField(null=True)
    given_by = models.CharField(max_length=254, blank=True)
    last_used = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=5, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    because = models.CharField(max_length=LONGEST_REASON, blank=True, default="")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "position"], name="access_review_one_item_a_place"),
            models.CheckConstraint(
                condition=(Q(kind="role", person__isnull=False, place="") & ~Q(role=""))
                | Q(kind="workbench", person__isnull=False, place="", role="")
                | (Q(kind__in=["queue", "entity", "connection"], person__isnull=False, role="") & ~Q(place=""))
                | (Q(kind__in=["queue", "entity", "connection"], person=None) & ~Q(place="") & ~Q(role="")),
                name="access_review_item_of_somebody",
            ),
            models.CheckConstraint(
                condition=Q(outcome="", decided_at=None, decided_by=None)
                | Q(outcome__in=AccessReview.Kept.values, decided_at__isnull=False, decided_by__isnull=False),
                name="access_review_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", "kept", "gone"]) | ~Q(because=""), name="access_review_ended_with_a_reason"
            ),
        ]
        triggers: ClassVar = [
            audit_required(f"'{REVIEW_SUBJECT}' || NEW.review_id || '/' || NEW.position", operation=pgtrigger.Update),
            frozen_columns(
                "review", "position", "kind", "person", "role", "place", "verbs", "since", "given_by", "last_used"
            ),
            _IN_ITS_PLACE,
            _DECIDED_ONCE_BY_ANOTHER,
            _ENDED_IS_GONE,
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"item {self.position} of access review {self.review_id}"

    @property
    def subject(self) -> str:
        return f"{REVIEW_SUBJECT}{self.review_id}/{self.position}"

    @property
    def holder(self) -> str:
        """As the audit trail names whoever holds it."""
        return f"person:{self.person.get_username()}" if self.person is not None else f"role:{self.role}"

    @property
    def key(self) -> tuple[str, int, str, str]:
        """By which it is found among what is granted now."""
        return (self.kind, self.person_id or 0, self.role, self.place)

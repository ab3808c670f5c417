"""Value mappings: dated rows from the source's values to the target's, each decided on by a second person."""

from datetime import date
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value

from audit.guard import (
    Guard,
    audit_required,
    frozen_columns,
    never_deleted,
    truncate_refused,
)
from exceptions_app.mapping_states import LONGEST_VALUE
from exceptions_app.models.organisation import LegalEntity, Queue
from exceptions_app.models.references import NumberedQuerySet
from integrations.models import Connection
from integrations.value_kinds import KIND_WORDS, ValueKind

MAPPING_PREFIX = "VM-"
SUBJECT_PREFIX = f"value_mapping:{MAPPING_PREFIX}"


class ValueMappingQuerySet(NumberedQuerySet["ValueMapping"]):
    prefix = MAPPING_PREFIX


# Every approved proposal is a version, so that a value can say by which one it was written.
_COUNTED_IN_ORDER = Guard(
    name="counted_in_order",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'version % of value mapping % does not follow %', NEW.version, OLD.id, OLD.version
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class ValueMapping(models.Model):
    """The values of one kind on the way to one target, for one legal entity or for all of them.

    `queue` is the team that owns it. `version` counts the approved proposals; its rows are `MappingEntry`.
    """

    kind = models.CharField(max_length=20)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="value_mappings")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+", help_text="The team that owns it.")
    version = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    objects = ValueMappingQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "kind", "entity"], nulls_distinct=False, name="value_mapping_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ValueKind]), name="value_mapping_known_kind"
            ),
        ]
        triggers: ClassVar = [
            _COUNTED_IN_ORDER,
            frozen_columns("kind", "connection", "entity", "queue", "created_by", "created_at"),
            audit_required(f"'{SUBJECT_PREFIX}' || NEW.id"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    @property
    def ref(self) -> str:
        return f"{MAPPING_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        """Its name in the audit trail, and that of all that is proposed for it."""
        return f"{SUBJECT_PREFIX}{self.pk}"

    @property
    def title(self) -> str:
        """What it holds and for whom: “Product families to Corporate ledger, NL01”."""
        where = f", {self.entity.code}" if self.entity else ""
        return f"{KIND_WORDS[ValueKind(self.kind)].title} to {self.connection.name}{where}"


class Period(models.Model):
    """A value and the days on which it holds, both included; an empty end is open. Days of business, never shifted."""

    source_value = models.CharField(max_length=LONGEST_VALUE)
    target_value = models.CharField(max_length=LONGEST_VALUE, blank=True)
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)

    class Meta:
        abstract = True

    def holds_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


# What holds was approved: this value, on these days or on some of them.
_IS_WHAT_WAS_APPROVED = Guard(
    name="approved",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    timing=pgtrigger.Deferred,
    func="""
    IF NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_mappingrow r
        JOIN public.exceptions_app_mappingproposal p ON p.id = r.proposal_id AND p.state = 'approved'
        JOIN public.exceptions_app_mappingdecision d ON d.proposal_id = p.id AND d.verdict = 'approved'
        WHERE r.id = NEW.row_id AND p.mapping_id = NEW.mapping_id
            AND (r.source_value, r.target_value) = (NEW.source_value, NEW.target_value)
            AND daterange(NEW.valid_from, NEW.valid_to, '[]') <@ daterange(r.valid_from, r.valid_to, '[]')
    ) THEN
        RAISE EXCEPTION 'entry % of value mapping % was not approved', NEW.id, NEW.mapping_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)
_RETIRED_ONCE = Guard(
    name="retired_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF OLD.retired_in IS NOT NULL OR NEW.retired_in <= OLD.version THEN
        RAISE EXCEPTION 'entry % of value mapping % was retired already', OLD.id, OLD.mapping_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class MappingEntry(Period):
    """One row as it holds, from the version that wrote it to the one that retired it. Never changed otherwise."""

    mapping = models.ForeignKey(ValueMapping, on_delete=models.PROTECT, related_name="entries")
    row = models.ForeignKey("exceptions_app.MappingRow", on_delete=models.PROTECT, related_name="entries")
    version = models.PositiveIntegerField(help_text="Of the mapping, in which it was written.")
    retired_in = models.PositiveIntegerField(null=True, help_text="The version that replaced or ended it.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(source_value="") & ~Q(target_value=""), name="mapping_entry_has_both_values"
            ),
            ExclusionConstraint(
                name="mapping_entry_one_a_day",
                expressions=[
                    ("mapping", RangeOperators.EQUAL),
                    ("source_value", RangeOperators.EQUAL),
                    (
                        Func(
                            F("valid_from"), F("valid_to"), Value("[]"), function="daterange",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(retired_in__isnull=True),
            ),
        ]  # fmt: skip
        indexes: ClassVar = [models.Index(fields=["mapping", "source_value"], name="mapping_entry_by_source")]
        triggers: ClassVar = [
            _IS_WHAT_WAS_APPROVED,
            _RETIRED_ONCE,
            frozen_columns("mapping", "row", "version", "source_value", "target_value", "valid_from", "valid_to"),
            audit_required(f"'{SUBJECT_PREFIX}' || NEW.mapping_id"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.source_value} → {self.target_value}"

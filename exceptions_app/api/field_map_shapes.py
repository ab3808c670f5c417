"""The shapes of field maps in the API: what is sent, and what is answered."""

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from exceptions_app.api.requests import REASON_LENGTH, Payload
from exceptions_app.api.responses import Person, Shape, person_of
from exceptions_app.api.strict import JsonObject, StrictSerializer, Text, WholeNumber
from exceptions_app.field_map_preview import Preview
from exceptions_app.queries.field_maps import MapKey, MapState
from integrations import safe_json
from integrations.fieldmaps.trail import Fault
from integrations.models import Connection, FieldMap


class NewFieldMap(StrictSerializer):
    """A new version of a map."""

    map = JsonObject(help_text="The declaration: tables and rules, as the documentation of field maps describes.")
    note = Text(max_length=REASON_LENGTH, help_text="What this version does or changes.")


class UseFieldMap(StrictSerializer):
    """Which version translates from now on."""

    version = WholeNumber(min_value=1, allow_null=True, help_text="null switches the map off.")
    because = Text(max_length=REASON_LENGTH)


class TryFieldMap(StrictSerializer):
    """A payload, or a message of the connection, and the map to try on it."""

    map = JsonObject(required=False, help_text="A draft. Leave it out and give version, or neither for the newest.")
    version = WholeNumber(min_value=1, required=False)
    payload = Payload(required=False)
    message = WholeNumber(min_value=1, required=False, help_text="A message whose payload the account may see.")

    default_error_messages = {
        "one_payload": "Give either payload or message.",
        "one_map": "Give either map or version.",
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("payload" in attrs) == ("message" in attrs):
            self.fail("one_payload")
        if "map" in attrs and "version" in attrs:
            self.fail("one_map")
        return attrs


class FieldMapShape(Shape):
    """A field map of a connection, and which of its versions translates."""

    url = serializers.URLField()
    name = serializers.CharField(help_text="Its name in addresses: direction and kind, such as inbound-invoice.")
    connection = serializers.CharField()
    direction = serializers.CharField(help_text="inbound: source to canonical. outbound: canonical to target.")
    object_type = serializers.CharField(help_text="Kind of canonical document.")
    latest_version = serializers.IntegerField(help_text="0 when there is none.")
    version_in_use = serializers.IntegerField(allow_null=True)
    changed_by = Person(allow_null=True, help_text="Who put it to use, or switched it off.")
    changed_at = serializers.DateTimeField(allow_null=True)
    because = serializers.CharField()


class FieldMapVersion(Shape):
    """One version of a field map. It never changes."""

    url = serializers.URLField()
    number = serializers.IntegerField()
    note = serializers.CharField()
    author = Person()
    created_at = serializers.DateTimeField()
    map = serializers.JSONField(help_text="The declaration.")


class FaultShape(Shape):
    """One value that is not as it must be, with every place that it concerns."""

    stage = serializers.CharField(help_text="inbound, canonical or outbound.")
    rule = serializers.CharField(help_text="JSON Pointer of the rule in its map; empty when no rule is at fault.")
    source_ = serializers.CharField(help_text="Where the value was read.")
    was = serializers.CharField(help_text="The value as it stood.")
    canonical = serializers.CharField(help_text="Its place in the canonical document.")
    target = serializers.CharField(help_text="Its place in the target's document, where one is known.")
    problem = serializers.CharField()
    remedy = serializers.CharField()


class ResultOfCheck(Shape):
    name = serializers.CharField(help_text="Which check it was.")
    passed = serializers.BooleanField()
    problems = serializers.ListField(child=serializers.CharField())


class FieldMapPreview(Shape):
    """What the maps make of a payload. Nothing was saved or sent."""

    maps = serializers.ListField(child=serializers.CharField(), help_text="The versions that were tried.")
    faults = FaultShape(many=True)
    canonical = serializers.CharField(help_text="The canonical document as text; empty when nothing was translated.")
    target = serializers.CharField(help_text="The target's document as text. With faults it is not whole.")
    check = ResultOfCheck(allow_null=True, help_text="The connector's check; null when the result is not whole.")


def represent_map(connection: Connection, state: MapState, request: Any) -> dict[str, Any]:
    active = state.active
    return {
        "url": address(request, "field-map", connection, state.key),
        "name": state.key.name,
        "connection": connection.slug,
        "direction": state.key.direction,
        "object_type": state.key.object_type,
        "latest_version": state.number,
        "version_in_use": state.in_use.number if state.in_use else None,
        "changed_by": person_of(active.changed_by) if active else None,
        "changed_at": active.changed_at if active else None,
        "because": active.because if active else "",
    }


def represent_version(connection: Connection, version: FieldMap, request: Any) -> dict[str, Any]:
    key = MapKey(version.direction, version.object_type)
    return {
        "url": address(request, "field-map-version", connection, key, number=version.number),
        "number": version.number,
        "note": version.note,
        "author": person_of(version.author),
        "created_at": version.created_at,
        "map": safe_json.loads(version.declared.encode()),
    }


def represent_preview(found: Preview) -> dict[str, Any]:
    translation, report = found.translation, found.report
    return {
        "maps": [str(used) for used in translation.maps],
        "faults": [represent_fault(fault) for fault in translation.faults],
        "canonical": translation.canonical.decode(),
        "target": translation.payload.decode("utf-8", "replace"),
        "check": None
        if report is None
        else {
            "name": report.check,
            "passed": report.passed,
            "problems": [error.plain or error.text for error in (*report.errors, *report.warnings)],
        },
    }


def represent_fault(fault: Fault) -> dict[str, str]:
    return {
        "stage": fault.stage.value,
        "rule": fault.rule,
        "source": fault.source,
        "was": fault.was,
        "canonical": fault.canonical,
        "target": fault.target,
        "problem": fault.problem,
        "remedy": fault.remedy,
    }


def address(request: Any, name: str, connection: Connection, key: MapKey, **more: Any) -> str:
    return str(reverse(f"api:{name}", kwargs={"slug": connection.slug, "name": key.name, **more}, request=request))

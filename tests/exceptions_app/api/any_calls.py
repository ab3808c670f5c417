"""Calls of the API that nobody thought of: made from its own description, asked by everybody, judged without knowing
what they ask for.

What a call names is there in three of four calls, since a path that is made up gets no further than 404. Of no call
anything stays: each is asked in a savepoint that is rolled back after its deferred constraints were looked at.
"""

import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import schemathesis
from django.core.signals import got_request_exception, request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.db import connection as database
from django.urls import Resolver404, resolve
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from audit.models import AuditEvent
from exceptions_app.api.problems import MEDIA_TYPE
from tests.exceptions_app.everything import MARK, Arguments, Everything

AS_DESCRIBED = [content_type_conformance, response_schema_conformance, status_code_conformance]
HOST = "http://testserver"
# Who has nothing granted there, and what such a one may do all the same: administrators oversee who decides in whose
# place, who has which access and who is in an emergency, they and whoever may configure any connection stop sending,
# who approves elsewhere lends that, and who exports elsewhere does so there.
STRANGERS: Mapping[str, tuple[str, ...]] = {
    "anonymous": (),
    "outsider": (),
    "neighbour": ("/sending", "/delegations", "/audit-exports"),
    "administrator": ("/sending", "/delegations", "/access", "/emergencies"),
}
PROBLEM = {"type", "title", "status", "detail", "instance", "errors"}
WRITTEN = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
# When a token was last used; the answer that is kept for whoever sends the same key again, the event that tells of the
# refusal and waits to be sealed, and how many there were in this minute.
LEFT_BY_READING = {"workbench_apitoken"}
# What a playbook would do is tried and taken back: rows are counted as written that are gone again.
TRIED_AND_TAKEN_BACK = ("/playbook",)
LEFT_BY_REFUSALS = {
    *LEFT_BY_READING, "exceptions_app_apirequest", "audit_event", "audit_backlog", "exceptions_app_refusedminute",
}  # fmt: skip
TELLS_OF_REFUSALS = {"person.refused"}


def operations(schema: dict[str, Any]) -> list[APIOperation]:
    found = schemathesis.openapi.from_dict(schema).get_all_operations()
    return [result.ok() for result in found]


def about(path: str) -> str:
    """What an address is about, as `everything` names it: its words before the first thing that it names."""
    words = path.removeprefix("/api/v1/").strip("/").partition("/{")[0]
    return "connections/field-maps" if "/field-maps/{" in path else words


@dataclass(slots=True)
class Known:
    """What is there: in addresses, and by the name of a field in parameters, headers and bodies."""

    world: Everything
    named: Mapping[str, Any]

    def of(self, operation: APIOperation) -> dict[str, Any]:
        there: Arguments = self.world.there.get(about(operation.path), {})
        return {name: there[name] for name in re.findall(r"{(\w+)}", operation.path)}

    def put_into(self, case: Case, flip: st.DataObject) -> None:
        parts: list[Any] = [case.query, case.headers, case.body if isinstance(case.body, dict) else None]
        for part in parts:
            for name in part or ():
                if name in self.named and flip.draw(st.booleans()):
                    part[name] = self.named[name]
        if case.query and case.query.get("wait") not in (None, "0"):
            case.query["wait"] = 0  # a long poll would only take its time


@dataclass(frozen=True, slots=True)
class Left:
    """What a call left behind: the tables that were written to, and the kinds of events."""

    tables: set[str]
    events: set[str]

    def beyond(self, tables: set[str], events: Collection[str] = ()) -> list[str]:
        return sorted((self.tables - tables) | (self.events - set(events)))


@dataclass
class Calls:
    """Everybody asks the same; what is wrong with an answer is kept, so that one run finds all there is."""

    people: Mapping[str, str]  # the token of each, empty for whoever has none
    turn: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, dict[int, int]] = field(default_factory=dict)
    raised: list[BaseException] = field(default_factory=list)
    application: Any = field(default_factory=get_wsgi_application)

    @property
    def number(self) -> int:
        return sum(sum(each.values()) for each in self.statuses.values())

    def ask(self, operation: APIOperation, known: Known, *, examples: int, each: int, number: int) -> None:
        """So many different calls; `each` of the people asks each, in turn, so that all of them come to ask all."""
        names = list(self.people)

        @seed(number)
        @settings(
            max_examples=examples, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.one_of(*strategies(operation, known.of(operation))), st.data())
        def asked(case: Case, flip: st.DataObject) -> None:
            known.put_into(case, flip)
            for _ in range(each):
                self.turn += 1
                self.judge(case, names[self.turn % len(names)])

        asked()

    def judge(self, case: Case, who: str) -> None:
        headers = {"authorization": f"Bearer {self.people[who]}"} if self.people[who] else {}
        operation = f"{case.method} {case.operation.path}"
        self.raised.clear()
        got_request_exception.connect(self._note)
        try:
            with transaction.atomic():
                before, newest = written(), newest_event()
                answer = case.call(base_url=HOST, headers=headers, app=self.application)
                changed = {table for table, rows in written().items() if rows != before.get(table, 0)}
                told = set(AuditEvent.objects.filter(pk__gt=newest).values_list("action", flat=True))
                with database.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                transaction.set_rollback(True)
        finally:
            got_request_exception.disconnect(self._note)
        counted = self.statuses.setdefault(who, {})
        counted[answer.status_code] = counted.get(answer.status_code, 0) + 1
        for fault in self.found(case, who, answer, Left(changed, told)):
            how = f"{who}: {case.as_curl_command()[:1500]}\n{answer.text[:600]}"
            self.faults.setdefault(f"{operation}: {fault}", how)

    def found(self, case: Case, who: str, answer: Any, left: Left) -> Iterator[str]:
        """What is wrong, in words that are the same each time it is."""
        status = answer.status_code
        if status >= 500:
            yield f"{status} {[repr(error)[:200] for error in self.raised]}"
        if status >= 400 and not is_problem(answer):
            yield f"{status} is no problem document"
        if who == "anonymous" and status != 401 and not is_open_to_all(case, answer):
            yield f"answered {status} without an account"
        may_all_the_same = any(words in case.operation.path for words in STRANGERS.get(who, ("",)))
        if not may_all_the_same and MARK in answer.text and MARK not in case.as_curl_command():
            yield "told a stranger of what is not theirs"
        refused = status >= 400 or not may_all_the_same
        if refused and left.beyond(LEFT_BY_REFUSALS, TELLS_OF_REFUSALS):
            yield f"answered {status} and left {left.beyond(LEFT_BY_REFUSALS, TELLS_OF_REFUSALS)}"
        elif not refused and case.method == "GET":
            tables = left.tables if case.operation.path.endswith(TRIED_AND_TAKEN_BACK) else LEFT_BY_READING
            if left.beyond(tables):
                yield f"reading left {left.beyond(tables)}"
        yield from not_as_described(case, answer)

    def _note(self, **_signal: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            self.raised.append(error)


def strategies(operation: APIOperation, there: dict[str, Any]) -> list[st.SearchStrategy[Case]]:
    well_formed = operation.as_strategy(path_parameters=there)
    return [well_formed, well_formed, operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=there),
            operation.as_strategy()]  # fmt: skip


def not_as_described(case: Case, answer: Any) -> Iterator[str]:
    """What the description of the API says otherwise of such an answer."""
    try:
        case.validate_response(answer, checks=AS_DESCRIBED)
    except BaseExceptionGroup as found:
        yield from (str(one).partition("\n\n    {")[0][:400] for one in found.exceptions)


def written() -> dict[str, int]:
    """How many rows this transaction wrote into each table, what was rolled back included."""
    with database.cursor() as cursor:
        cursor.execute(WRITTEN)
        return dict(cursor.fetchall())


def is_open_to_all(case: Case, answer: Any) -> bool:
    """A source signs and has no account; and that no address is written so may be known to everybody."""
    try:
        resolve(unquote(urlsplit(answer.request.url).path))
    except Resolver404:
        return bool(answer.status_code == 404)
    return bool(case.operation.path.startswith("/hooks/"))


def newest_event() -> int:
    return AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def is_problem(answer: Any) -> bool:
    if not answer.headers.get("content-type", [""])[0].startswith(MEDIA_TYPE):
        return False
    body = json.loads(answer.content)
    return body.keys() >= PROBLEM and body["status"] == answer.status_code and body["detail"] != ""


@contextmanager
def one_connection() -> Iterator[None]:
    """Requests neither begin nor end by closing the connection of the test, as with the client of Django."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)

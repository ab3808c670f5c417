"""The tests are collected and run once as they are; then once more for each change, in a fork, until one notices.

All share one database. A fork has the change in its memory and ends with it; what it changed in triggers is put back.
"""

import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import FrameType, SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connections
from pytest_django.plugin import blocking_manager_key

from integrations.connectors.en16931 import check
from tests.connecting import connect
from tests.mutants.applied import NothingChanged, change_triggers, put_to_use, triggers_put_back
from tests.mutants.changes import Mutant, Source
from tests.mutants.fork import EndedInItsMiddle, in_a_fork
from tests.mutants.policy import COMPOSED, EQUIVALENT, ROOT, mutants, sources
from tests.mutants.told import DEMANDED, Told, Verdict, share, summary

LONGEST = 600
"""Seconds that the tests may take for one change."""
SOON = 2
"""A test that takes no more seconds and noticed a change is asked before the others about the next."""
MOST_ASKED_FIRST = 6
Reached = dict[str, set[tuple[str, str]]]
"""Of each test the functions that it came to: path and qualified name."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mutants")
    group.addoption("--mutants", type=int, default=0, help="how many changes are tried; 0 for all")
    group.addoption("--mutants-seed", type=int, default=1)
    group.addoption("--mutants-minutes", type=float, default=0, help="no further one is begun after these")
    group.addoption("--mutants-in", default="", help="only changes whose file:line begins so; several with commas")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Driver(config), "mutants-driver")


@dataclass(eq=False)
class Runs:
    """Which test noticed, which could not be asked, and how long each takes; fed by the reports of pytest."""

    noticed_by: str = ""
    is_ill_formed: bool = False
    errors: list[str] = field(default_factory=list)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        outcome: Any = yield
        report = outcome.get_result()
        self.seconds[item.nodeid] += report.duration if report.when == "call" else 0
        if report.failed:
            self.is_ill_formed |= call.excinfo is not None and _is_ill_formed(call.excinfo.value)
            # What a trigger refuses at the commit is asked for once the test is over.
            if report.when == "setup":
                self.errors.append(item.nodeid)
            else:
                self.noticed_by = item.nodeid


def _is_ill_formed(error: BaseException | None) -> bool:
    """SQL that the database cannot read at all is no change of what is decided."""
    while error is not None:
        if isinstance(error, ProgrammingError | psycopg.ProgrammingError):
            return not isinstance(error.__cause__ or error, psycopg.errors.InsufficientPrivilege)
        error = error.__cause__ or error.__context__
    return False


class Driver:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.runs = Runs()
        self.reached: Reached = {}
        self.noticed: list[str] = []  # the tests that noticed something, the last one first
        self.told: list[Told] = []
        self.all = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise pytest.UsageError("The tests cannot be collected.")
        self.config.pluginmanager.register(self.runs)
        _ask_the_validator_once()
        found = sources()
        self._run(session, session.items, tracing={str(ROOT / path): path for path in found})
        if self.runs.noticed_by or self.runs.errors:
            raise pytest.UsageError("The tests have to pass as things are before anything is changed.")
        if failed := in_a_fork(lambda: self._failed_as_it_is(session), seconds=LONGEST):
            raise pytest.UsageError(f"Where nothing is changed, a fork has to pass too: {failed} did not.")
        ends = time.monotonic() + 60 * (self.config.option.mutants_minutes or 24 * 60)
        for mutant in self._sample(mutants(found)):
            if time.monotonic() > ends:
                break
            self.told.append(self._judge(session, mutant, found[mutant.path]))
            self.config.get_terminal_writer().line(f"\n{self.told[-1]}", flush=True)
        if share(self.told) < DEMANDED:
            session.testsfailed = 1
        return True

    def _sample(self, every: list[Mutant]) -> list[Mutant]:
        wanted = tuple(one for one in self.config.option.mutants_in.split(",") if one)
        among = [one for one in every if not wanted or one.where.startswith(wanted)]
        self.all = len(among)
        random.Random(self.config.option.mutants_seed).shuffle(among)  # noqa: S311 - to be drawn again
        return among[: self.config.option.mutants or None]

    def _judge(self, session: pytest.Session, mutant: Mutant, source: Source) -> Told:
        if reason := EQUIVALENT.get(mutant.key):
            return Told(mutant, Verdict.EQUIVALENT, reason)
        with connect() as database, triggers_put_back(database):
            try:
                verdict, words = in_a_fork(lambda: self._try(session, mutant, source), seconds=LONGEST)
            except TimeoutError:
                verdict, words = Verdict.TIME_OUT, ""
                self._empty()
            except EndedInItsMiddle as ended:
                verdict, words = Verdict.ERROR, str(ended).splitlines()[-1]
                self._empty()
        if verdict is Verdict.KILLED and self.runs.seconds[words] <= SOON:
            self.noticed = [words, *(name for name in self.noticed if name != words)][:MOST_ASKED_FIRST]
        return Told(mutant, verdict, words)

    def _failed_as_it_is(self, session: pytest.Session) -> str:
        """In a fork: the test that fails only because it runs there, and would be taken for one that notices."""
        self.config.pluginmanager.unregister(self.config.pluginmanager.get_plugin("terminalreporter"))
        self._run(session, session.items)
        return self.runs.noticed_by or next(iter(self.runs.errors), "")

    def _try(self, session: pytest.Session, mutant: Mutant, source: Source) -> tuple[Verdict, str]:
        """In the fork: what the tests say of it."""
        self.config.pluginmanager.unregister(self.config.pluginmanager.get_plugin("terminalreporter"))
        try:
            texts, is_local = put_to_use(mutant, source, followed_by=COMPOSED)
            with connect() as database:
                change_triggers(database, texts)
        except NothingChanged:
            return Verdict.NO_CHANGE, ""
        except Exception as error:  # noqa: BLE001 - what cannot be loaded decides nothing
            return Verdict.ILL_FORMED, f"{type(error).__name__}: {error}".splitlines()[0]
        place = (mutant.path, source.function_at(mutant.start))
        asked = [item for item in session.items if not is_local or place in self.reached[item.nodeid]]
        first = {name: place for place, name in enumerate(self.noticed)}
        self._run(session, sorted(asked, key=lambda item: first.get(item.nodeid, MOST_ASKED_FIRST)))
        if self.runs.noticed_by:
            return (Verdict.ILL_FORMED if self.runs.is_ill_formed else Verdict.KILLED), self.runs.noticed_by
        if self.runs.errors:
            return Verdict.ERROR, self.runs.errors[0]
        return Verdict.SURVIVED, f"after {len(asked)} tests"

    def _run(
        self, session: pytest.Session, items: Sequence[pytest.Item], *, tracing: dict[str, str] | None = None
    ) -> None:
        """Until one fails; what belongs to the whole session stays for the next run."""
        for item, following in zip(items, [*items[1:], *items[-1:]], strict=True):
            with_trace = _Trace(tracing or {})
            with with_trace:
                self.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if tracing:
                self.reached[item.nodeid] = with_trace.reached
            if self.runs.noticed_by:
                break
        session._setupstate.teardown_exact(SimpleNamespace(listchain=session.listchain))  # type: ignore[arg-type]
        connections.close_all()  # no connection is shared with a fork

    def _empty(self) -> None:
        """Of a test that was ended in its middle, nothing stays."""
        with self.config.stash[blocking_manager_key].unblock():
            call_command("flush", interactive=False, verbosity=0, reset_sequences=False)
            connections.close_all()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("changes of the policy")
        for line in summary(self.told, of=self.all, seed=self.config.option.mutants_seed):
            terminalreporter.write_line(line)


def _ask_the_validator_once() -> None:
    """Saxon goes on in no fork, and may end it: there it is what was said of the same document before that counts."""
    validator: Any = check._validator
    validator.run = cache(validator.run)


class _Trace:
    """Notes which functions of some files are called, in any thread that is begun meanwhile."""

    def __init__(self, paths: dict[str, str]) -> None:
        self._paths = paths
        self.reached: set[tuple[str, str]] = set()

    def __enter__(self) -> None:
        if self._paths:
            sys.settrace(self._called)
            threading.settrace(self._called)

    def __exit__(self, *raised: object) -> None:
        if self._paths:
            sys.settrace(None)
            threading.settrace(None)

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        path = self._paths.get(frame.f_code.co_filename)
        if path is not None:
            self.reached.add((path, frame.f_code.co_qualname.partition(".<locals>")[0]))

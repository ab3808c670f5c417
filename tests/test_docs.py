"""The documentation names every setting, command, state and move that there is, and its examples do what it says."""

import io
import json
import re
import shutil
import subprocess
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils.timezone import now
from pytest_django.live_server_helper import LiveServer

from exceptions_app import intake
from exceptions_app.models import ExceptionCase, Occurrence, Transaction
from integrations.connectors.en16931.check import check
from integrations.connectors.en16931.parse import read_refusal
from integrations.demo.report import official_report
from integrations.models import InboxMessage
from workbench.models import User

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
API = (ROOT / "docs" / "api.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SETTING = re.compile(r'environment\.\w+\(\s*"([A-Z_]+)"')
EMBEDDED = re.compile(r'(?:environ\.get\(|environ\[|is_set\()"([A-Z_]+)"')


def _names(pattern: re.Pattern[str], *globs: str) -> set[str]:
    sources = [path.read_text() for glob in globs for path in ROOT.glob(glob)]
    return {name for source in sources for name in pattern.findall(source)}


def test_operations_name_every_setting():
    names = _names(SETTING, "workbench/*.py") | _names(EMBEDDED, "workbench/embedded/*.py")
    names -= {"PATH", "HOME"}
    assert len(names) > 20
    assert sorted(name for name in names if f"`{name}`" not in OPERATIONS) == []


def test_operations_name_every_command():
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py")} - {"__init__", "migrate"}
    assert len(commands) >= 5
    assert sorted(name for name in commands if f"`{name}" not in OPERATIONS) == []


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("**/*.md")))
def test_links_of_the_documentation_lead_somewhere(page: str):
    _assert_links(ROOT / page)


def test_links_of_the_readme_lead_somewhere():
    _assert_links(ROOT / "README.md")


def _assert_links(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


# Each page with its rows by their letters, and how many columns it has: the second says in the last what is not met.
SCOREBOARDS = {"scoreboard.md": ({"R": 18}, 4), "controls.md": ({"A": 11, "S": 9, "W": 14}, 5)}
SHOWN_BY = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows_of(page: str) -> list[list[str]]:
    letters = "".join(SCOREBOARDS[page][0])
    lines = (ROOT / "docs" / page).read_text().splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if re.match(rf"\| [{letters}]\d", line)]


ROWS = [row for page in SCOREBOARDS for row in rows_of(page)]


@pytest.mark.parametrize("page", SCOREBOARDS)
def test_scoreboard_has_each_row_once_with_what_shows_it(page: str):
    """A row that nothing shows says so: what is not met is not left out."""
    rows, (letters, columns) = rows_of(page), SCOREBOARDS[page]
    assert [row[0] for row in rows] == [f"{one}{n}" for one, last in letters.items() for n in range(1, last + 1)]
    assert [row[0] for row in rows if len(row) != columns or not row[1]] == []
    assert [row[0] for row in rows if not SHOWN_BY.search(row[2]) and not (columns == 5 and row[4])] == []
    assert [row[0] for row in rows if not row[3] and not (columns == 5 and row[4])] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_the_scoreboard_names_exists(row: list[str]):
    """Each test by its file and name, and each command with its options."""
    assert missing_of(" ".join(row)) == []


def test_scoreboard_is_not_believed():
    """What is looked for in it is missed where it is not."""
    row = "| R1 | x | `tests/storm/test_storm.py::test_gone`, `tests/gone.py::test_x`, `./run manage gone --y 1` | |"
    assert missing_of(row) == [
        "tests/storm/test_storm.py::test_gone",
        "tests/gone.py::test_x",
        "./run manage gone --y 1",
    ]
    assert missing_of("`./run manage rehearse --gone`") == ["./run manage rehearse --gone"]


SELF_APPROVAL = [
    line
    for line in (ROOT / "docs" / "decisions" / "self-approval.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]


def test_each_way_to_approve_oneself_is_named_with_what_shows_that_it_is_refused():
    assert [line.split("|")[1].strip() for line in SELF_APPROVAL] == [str(number) for number in range(1, 21)]
    assert [missing_of(line) for line in SELF_APPROVAL] == [[]] * 20
    shown = [bool(SHOWN_BY.search(line)) for line in SELF_APPROVAL]
    assert shown == ["no such thing" not in line for line in SELF_APPROVAL]


def missing_of(row: str) -> list[str]:
    missing = [f"{path}::{name}" for path, name in SHOWN_BY.findall(row) if not _defines(ROOT / path, name)]
    commands = re.findall(r"`(\./run manage [^`]+)`", row)
    return missing + [command for command in commands if not _is_known(command.split()[2:])]


def _defines(path: Path, name: str) -> bool:
    pattern = rf"^(def {name}\(|class {name}\b|{name} = )"
    return path.exists() and re.search(pattern, path.read_text(), re.MULTILINE) is not None


def _is_known(command: list[str]) -> bool:
    name, *options = command
    paths = list(ROOT.glob(f"*/management/commands/{name}.py"))
    return len(paths) == 1 and all(f'"{one}"' in paths[0].read_text() for one in options if one.startswith("--"))


def test_refused_example_has_one_fault_and_its_report_is_the_official_one():
    invoice = (EXAMPLES / "refused-invoice.xml").read_bytes()
    report = (EXAMPLES / "validator-report.xml").read_bytes()
    found = check(invoice)
    assert ([error.code for error in found.errors], found.warnings) == (["BR-03"], ())
    said = read_refusal(payload=invoice, body=report, status=422)
    assert said == read_refusal(payload=invoice, body=official_report(invoice), status=422)
    assert [error.code for error in said.errors] == ["BR-03"]


def test_held_example_is_valid_and_its_notice_is_the_documented_one():
    assert check((EXAMPLES / "held-invoice.xml").read_bytes()).errors == ()
    notice = json.loads((EXAMPLES / "hold-notice.json").read_text())
    assert [json.loads(block) for block in _blocks("json")] == [notice]
    assert sorted(notice["hold"]) == ["code", "field", "list", "matched", "score", "text"]


def test_examples_of_the_api_work_on_a_fresh_demonstration(
    live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed, and the documentation uses it.")
    call_command("seed_demo")
    before = set(ExceptionCase.objects.values_list("pk", flat=True))
    read_before = set(InboxMessage.objects.values_list("pk", flat=True))
    make_token, by_curl, *_ = _blocks("sh")
    by_python, *_ = _blocks("python")
    words = re.search(r"manage (create_api_token .*?) --because", make_token)
    assert words is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "token").write_text(_printed(*words[1].split(), "--because", "To try the API"))

    curl = ["sh", "-c", by_curl.replace("http://127.0.0.1:8000", live_server.url)]
    first = json.loads(subprocess.run(curl, capture_output=True, check=True, timeout=60).stdout)
    answer = io.StringIO()
    with redirect_stdout(answer):
        exec(by_python.replace("http://127.0.0.1:8000", live_server.url), {})  # noqa: S102 — our own documentation
    assert [first["status"], json.loads(answer.getvalue())["status"]] == ["accepted", "accepted"]
    for _ in range(20):  # a message that is locked at that moment is left for the next time
        intake.read_messages(limit=10, at=now())
    come_in = InboxMessage.objects.exclude(pk__in=read_before)
    assert set(come_in.values_list("status", flat=True)) == {"processed"}

    refused, held = ExceptionCase.objects.exclude(pk__in=before).order_by("document_number")
    assert (refused.kind, refused.category, refused.queue.name) == ("failed", "compliance", "E-invoicing")
    assert [error["code"] for error in Occurrence.objects.get(case=refused).errors] == ["BR-03"]
    assert (held.kind, held.category, held.queue.name, held.priority) == ("held", "policy_hold", "Holds", 1)
    assert "a possible match with “Kowalczyk Trading House”" in held.problem
    clerk, source = User.objects.get(username="clerk"), User.objects.get(username="billing")
    assert set(ExceptionCase.objects.visible_to(clerk)) >= {refused, held}
    assert list(ExceptionCase.objects.visible_to(source)) == []


def test_example_of_a_webhook_works_on_a_fresh_demonstration(
    live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    call_command("seed_demo")
    [words] = [
        found for block in _blocks("sh") for found in re.findall(r"manage (rotate_webhook_secret .*?) --because", block)
    ]
    [by_python] = [block for block in _blocks("python") if "/hooks/" in block]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "webhook-secret").write_text(_printed(*words.split(), "--because", "To try webhooks"))
    answer = io.StringIO()
    with redirect_stdout(answer):
        exec(by_python.replace("http://127.0.0.1:8000", live_server.url), {})  # noqa: S102 — our own documentation
    assert json.loads(answer.getvalue())["status"] == "accepted"
    kept = InboxMessage.objects.get(via="hook")
    assert (kept.external_id, kept.ordering_key, kept.connection.slug) == ("event-1", "supplier-7", "billing-nl")


def _printed(*command: str) -> str:
    output = io.StringIO()
    call_command(*command, stdout=output)
    return output.getvalue()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", API, re.MULTILINE | re.DOTALL)


def test_example_of_handing_over_is_sent_once(live_server: LiveServer, tmp_path: Path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed, and the documentation uses it.")
    call_command("seed_demo")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    command = ("create_api_token", "ledger-gateway", "trial", "--by", "administrator", "--because", "To try the API")
    (tmp_path / "ledger-token").write_text(_printed(*command))
    [by_curl] = _blocks("bash")
    curl = ["sh", "-c", by_curl.replace("http://127.0.0.1:8000", live_server.url)]

    first, again = (
        json.loads(subprocess.run(curl, cwd=tmp_path, capture_output=True, check=True, timeout=60).stdout)
        for _ in range(2)
    )
    for _ in range(20):
        intake.read_messages(limit=10, at=now())
    assert (first["id"], first["state"], again["ref"]) == ("deal-4711", "checking", first["ref"])
    sent = Transaction.objects.get(external_id="deal-4711")
    assert (sent.ref, sent.state, sent.document_number) == (first["ref"], "delivering", "4900004711")

"""The German catalogue says all that the product says, with the same data in each sentence."""

import ast
from pathlib import Path
from string import Formatter

import pytest

from workbench.catalogue import ROOMS, SAYING, faults_of, messages_of, read_catalogue

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po"
IS_WHOLE = True
"""Whether a message without a translation fails the test: True from the day on which the catalogue has all of them."""

# Where pages are made. Everything else is English, whoever looks: what is kept, and what programs are told.
PAGES = (
    "exceptions_app/views/", "exceptions_app/templatetags/", "exceptions_app/forms.py", "exceptions_app/form_fields.py",
    "exceptions_app/tag_form.py", "exceptions_app/snooze_form.py", "exceptions_app/filters.py",
    "exceptions_app/navigation.py", "exceptions_app/script_words.py", "exceptions_app/wording.py",
    "exceptions_app/answer_words.py",
    "workbench/languages.py", "workbench/proofs.py", "workbench/second_factor_pages.py",
    "workbench/service_pages.py", "workbench/session_pages.py", "workbench/signing_in.py",
)  # fmt: skip
OF_PAGES = frozenset(
    {"gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "shown", "shown_later", "offered", "told_by"}
)


def test_every_message_has_its_translation_with_the_same_data():
    if not CATALOGUE.exists():
        pytest.skip("no catalogue is in the sources yet")
    faults = faults_of(read_catalogue(CATALOGUE), messages_of(ROOT))
    missing = [fault for fault in faults if fault.startswith("No translation")]
    assert [fault for fault in faults if fault not in missing] == []
    assert not IS_WHOLE or missing == []


def test_only_pages_ask_which_language_is_in_force():
    """An action that did would write the language of whoever pressed the button into the audit trail."""
    asked = []
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        name = str(path.relative_to(ROOT))
        if name.startswith(PAGES):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in (
                "django.utils.translation", "exceptions_app.wording",
            ):  # fmt: skip
                asked += [f"{name}:{node.lineno} {one.name}" for one in node.names if one.name in OF_PAGES]
    assert asked == []


def test_each_sentence_is_given_the_data_that_it_names():
    """`say` would fail where nobody looks: in the reason of a refusal that no other test provokes."""
    wrong, number = [], 0
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if SAYING in source else ():
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"):
                continue
            template = node.args[0]
            if isinstance(template, ast.JoinedStr):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} is put together before it is said")
            elif isinstance(template, ast.Constant) and isinstance(template.value, str):
                number += 1
                named = {name for _, name, _, _ in Formatter().parse(template.value) if name is not None}
                given = {keyword.arg for keyword in node.keywords}
                if named != given and (given or named):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} names {named} and is given {given}")
    assert number > 300
    assert wrong == []

"""Whom a comment names, and which files may come with one: without a database."""

import pytest

from exceptions_app.actions.notify import DONE, HAPPENED
from exceptions_app.attached_files import LARGEST_FILE, FileRefused, media_type_of
from exceptions_app.mentions import MOST_MENTIONED, names_in
from exceptions_app.states import TRANSITIONS, Action

PNG = b"\x89PNG\r\n\x1a\n" + b"1" * 20


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@cem, please look", ("cem",)),
        ("Ask @Cem.Clerk. And (@anna)!", ("cem.clerk", "anna")),
        ("@cem and @cem", ("cem",)),
        ("Mail to a@example.test or see /@x", ()),
        ("at 14:00 @ the bank", ()),
        ("", ()),
    ],
)
def test_names_in_a_text(text, names):
    assert names_in(text) == names


def test_text_of_names_tells_no_more_than_some():
    assert len(names_in(" ".join(f"@p{number}" for number in range(500)))) == MOST_MENTIONED


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.PDF", b"%PDF-1.7", "application/pdf"),
        ("screen.png", PNG, "image/png"),
        ("order.txt", b"Order 4711", "text/plain"),
        ("list.csv", b"a;b", "text/csv"),
    ],
)
def test_file_is_kept_under_the_type_of_its_ending(name, content, media_type):
    assert media_type_of(name, content) == media_type


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.exe", b"MZ", "Possible are csv, docx"),
        ("page.html", b"<html>", "Possible are"),
        ("noending", b"x", "Possible are"),
        ("a.pdf", b"<script>", "not what its name says"),
        ("a.png", b"%PDF-1.7", "not what its name says"),
        ("a.txt", b"a\x00b", "not what its name says"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b"x" * (LARGEST_FILE + 1), "larger than 5 MB"),
        ("x" * 200 + ".txt", b"x", "200 characters"),
    ],
)
def test_file_that_may_not_be_attached_is_refused_with_what_would_do(name, content, says):
    with pytest.raises(FileRefused, match=says):
        media_type_of(name, content)


def test_every_move_has_words_for_who_subscribed():
    by_machine = {action for action in Action if TRANSITIONS[action].by_machine}
    assert (set(DONE), set(HAPPENED)) == (set(Action) - by_machine, by_machine)

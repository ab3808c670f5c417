"""A comment with a file and with names, from the page of an exception."""

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from exceptions_app.models import Attachment, Comment
from tests import factories

PDF = b"%PDF-1.7 the order"


def page_of(case, name="case", **more):
    return reverse(f"exceptions:{name}", kwargs={"ref": case.ref, **more})


def send(browser, case, text, *file):
    files = {"file": SimpleUploadedFile(*file)} if file else {}
    return browser.post(page_of(case, "comment"), {"text": text, **files}, follow=True)


def test_file_is_attached_listed_and_downloaded_as_it_was(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    # What the browser says of it is not believed.
    answer = send(browser, case, "The customer's order.", 'ord"er é.pdf', PDF, "text/html")
    kept = Attachment.objects.get()
    text = answer.content.decode()
    assert "Your comment is added." in text
    assert 'id="case-attachments"' in text
    assert hashlib.sha256(PDF).hexdigest() == kept.sha256
    file = browser.get(page_of(case, "attachment", attachment_id=kept.pk))
    assert (file.content, file["Content-Type"]) == (PDF, "application/pdf")
    assert file["X-Content-Type-Options"] == "nosniff"
    assert file["Content-Disposition"] == f'attachment; filename="{case.ref}-ord-er-{kept.pk}.pdf"'


def test_file_is_for_who_sees_its_exception(cast, signed_in):
    case, other = factories.make_case(cast), factories.make_case(cast)
    send(signed_in(cast.clerk), case, "The order.", "order.pdf", PDF)
    kept = Attachment.objects.get()
    assert signed_in(cast.outsider).get(page_of(case, "attachment", attachment_id=kept.pk)).status_code == 404
    assert signed_in(cast.clerk).get(page_of(other, "attachment", attachment_id=kept.pk)).status_code == 404


@pytest.mark.parametrize(
    ("text", "file", "says"),
    [
        ("The order.", ("order.exe", b"MZ"), "cannot be attached"),
        ("The order.", ("order.pdf", b"MZ"), "not what its name says"),
        ("", ("order.pdf", PDF), "Write what the file is."),
        ("The order.", ("order.pdf", b"%PDF-" + b"x" * 5_000_000), "larger than 5 MB"),
    ],
)
def test_file_that_is_refused_loses_no_text(cast, signed_in, text, file, says):
    case = factories.make_case(cast)
    answer = send(signed_in(cast.clerk), case, text, *file)
    page = answer.content.decode()
    assert (answer.status_code, Comment.objects.count()) == (422, 0)
    assert says in page
    assert f">{text}</textarea>" in page.replace("\n", "")


def test_comment_says_who_will_be_told_and_which_name_is_nobodys(cast, signed_in):
    case = factories.make_case(cast)
    page = send(signed_in(cast.clerk), case, "@cem @otto please look").content.decode()
    assert "Cem Clerk will be told." in page
    assert "Nobody who may see this exception is called @otto" in page

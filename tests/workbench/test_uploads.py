"""One small file in the field for proofs is kept, in memory; every other is passed over."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from exceptions_app.actions.unknown import LARGEST_FILE
from workbench.uploads import LARGEST


@pytest.fixture(autouse=True)
def no_disk(settings: Settings) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_file_in_another_field_is_passed_over_and_the_other_fields_are_read(rf: RequestFactory, size: int):
    scan = SimpleUploadedFile("scan.pdf", b"x" * size)
    request = rf.post("/", {"because": "A reason", "attachment": scan, "after": "too"})
    assert request.POST.dict() == {"because": "A reason", "after": "too"}
    assert not request.FILES


def test_proof_is_kept_and_a_second_one_is_not(rf: RequestFactory):
    proofs = [SimpleUploadedFile("one.png", b"first", "image/png"), SimpleUploadedFile("two.png", b"second")]
    request = rf.post("/", {"file": proofs, "after": "too"})
    [kept] = request.FILES.getlist("file")
    assert (kept.name, kept.content_type, kept.read()) == ("one.png", "image/png", b"first")
    assert request.POST.dict() == {"after": "too"}


def test_of_a_proof_that_is_too_large_no_more_is_kept_than_may_be_and_its_size_is_known(rf: RequestFactory):
    request = rf.post("/", {"file": SimpleUploadedFile("scan.pdf", b"x" * (LARGEST + 100))})
    kept = request.FILES["file"]
    assert (kept.size, len(kept.read())) == (LARGEST + 100, LARGEST)


def test_what_a_page_takes_is_what_is_kept():
    assert LARGEST == LARGEST_FILE

"""No page takes a file, so none is kept."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from pytest_django.fixtures import Settings


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_file_in_a_form_is_passed_over_and_the_other_fields_are_read(rf: RequestFactory, settings: Settings, size: int):
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"
    request = rf.post("/", {"because": "A reason", "file": SimpleUploadedFile("scan.pdf", b"x" * size), "after": "too"})
    assert request.POST.dict() == {"because": "A reason", "after": "too"}
    assert not request.FILES

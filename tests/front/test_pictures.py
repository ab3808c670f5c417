"""The pictures of the documentation: of every main page, in both schemes, and small enough to be kept here."""

from tests.pictures.shots import IMAGES, MOST_BYTES, PAGE, SCHEMES, SHOTS, documentation


def test_every_picture_is_there_and_no_other():
    wanted = {shot.file(scheme) for shot in SHOTS for scheme in SCHEMES}
    wanted |= {shot.file(scheme, phone=True) for shot in SHOTS for scheme in SCHEMES if shot.phone}
    assert set(IMAGES.iterdir()) == wanted
    assert sum(path.stat().st_size for path in wanted) < MOST_BYTES


def test_page_of_the_pictures_is_the_one_that_is_written_with_them():
    """Write it anew by `.venv/bin/python -m tests.pictures`."""
    assert PAGE.read_text() == documentation()

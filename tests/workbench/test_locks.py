import re

from tests.stack import ROOT


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_lock_of_the_tests_contains_the_other() -> None:
    """So that `./run` accepts what `./test` has installed, and tests run with the versions that are served."""
    tests = pins("test")
    assert {name: tests.get(name) for name in pins("run")} == pins("run")


def test_every_package_is_locked_by_hash() -> None:
    for name in ("run", "test"):
        text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
        requirements = re.split(r"\n(?=\S)", text.strip())
        assert [entry for entry in requirements if "--hash=sha256:" not in entry] == []

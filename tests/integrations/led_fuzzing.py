"""Fuzzes one reader, led by what its inputs reach: python -m tests.integrations.led_fuzzing NAME SECONDS FOLDER

In a process of its own, since libFuzzer ends the process, and since what is to be led by has to be instrumented when it
is imported. An input that fails, takes ten seconds or 2 GB is kept in the folder, and the process ends with an error.
"""

import sys
from pathlib import Path

import atheris
import django

with atheris.instrument_imports(include=["integrations", "exceptions_app"]):
    django.setup()
    from tests.integrations.readers import READERS


def main(name: str, seconds: str, folder: str) -> None:
    reader, corpus = READERS[name], Path(folder, "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate([*reader.samples(), *reader.real_inputs()]):
        Path(corpus, f"sample-{number}").write_bytes(content)
    options = (f"-max_total_time={seconds}", "-max_len=100000", "-timeout=10", "-rss_limit_mb=2048", "-seed=20261122")
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], reader.read)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])

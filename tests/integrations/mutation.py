"""Bytes that are nearly a document: with pieces dropped, doubled, moved, cut off or replaced by what hurts readers."""

from random import Random

HURTING = (
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\r\n", b"\n\n", b'"', b"'", b"\\", b"\\ud800",
    b"\\u0000", b"<", b">", b"&", b"&#0;", b"&#xD800;", b"<![CDATA[", b"]]>", b"<!--", b"<?x", b"<!DOCTYPE a [", b"{",
    b"}", b"[", b"]", b":", b",", b";", b"\t", b"NaN", b"Infinity", b"1e999999", b"-0", b"1" * 50, b"0.1" * 20,
    b"9999-12-31", b"0000-00-00", b"2026-02-30", b"24:00:00Z", "٣".encode(), "²".encode(), "\u202e".encode(),
    "\U0010ffff".encode(), b"a" * 5_000, b"[" * 200, b"null", b"true", b'{"a":', b"%", b"%ff", b"..", b"/", b"://[",
)  # fmt: skip
MOST_STEPS = 6
LONGEST = 100_000


def mutated(content: bytes, random: Random, others: list[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, MOST_STEPS)):
        begin = random.randint(0, len(changed))
        end = min(len(changed), begin + int(random.paretovariate(0.6)))
        piece = bytes(changed[begin:end])
        match random.randrange(7):
            case 0:
                changed[begin:end] = b""
            case 1:
                changed[begin:begin] = piece * random.choice((1, 2, 40))
            case 2:
                changed[begin:end] = random.choice(HURTING)
            case 3:
                changed[begin:begin] = random.choice(HURTING)
            case 4:
                changed[begin:end] = bytes(byte ^ 1 << random.randrange(8) for byte in piece[:50]) + piece[50:]
            case 5:
                other = random.choice(others)
                at = random.randint(0, len(other))
                changed[begin:end] = other[at : at + 2 * len(piece)]
            case _:
                changed[begin:] = random.choice((b"", piece))
    return bytes(changed[:LONGEST])

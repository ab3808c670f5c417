import pytest

from integrations.safe_xml import UnsafeXml, parse

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x0 "ha">'
    + b"".join(b'<!ENTITY x%d "&x%d;&x%d;">' % (level, level - 1, level - 1) for level in range(1, 40))
    + b"]><a>&x39;</a>"
)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "The document is empty."),
        (b" \n", "The document is empty."),
        (b"<!DOCTYPE a><a/>", "The document contains a DOCTYPE or entity declaration."),
        (b"<!doctype a><a/>", "The document contains a DOCTYPE or entity declaration."),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>', "The document contains a DOCTYPE or entity declaration."),
        (
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            "The document contains a DOCTYPE or entity declaration.",
        ),
        (BOMB, "The document contains a DOCTYPE or entity declaration."),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "The document contains a DOCTYPE or entity declaration."),
        (b"<a>\x00</a>", "The document contains a NUL character."),
        (b"<\x00a\x00/\x00>\x00", "The document contains NUL bytes or is UTF-16 without a byte order mark."),
        ("<a/>".encode("utf-32"), "The document is encoded in UTF-32."),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "The encoding utf-7 is not accepted."),
        (
            b'<?xml version="1.0" encoding="utf-16"?><a/>',
            "The document says that it is UTF-16 but does not start with a byte order mark.",
        ),
        (
            b'\xef\xbb\xbf<?xml version="1.0" encoding="iso-8859-1"?><a/>',
            "The document declares iso-8859-1 but is written in UTF-8.",
        ),
        (
            '<?xml version="1.0" encoding="utf-8"?><a/>'.encode("utf-16"),
            "The document declares utf-8 but is written in UTF-16-LE.",
        ),
        (
            b'<?xml version="1.0" encoding="utf-8"?><a>\xfc</a>',
            "The document is not valid UTF-8: byte 41 cannot be read.",
        ),
        (b"<a><!-- open", "The document ends inside a comment, CDATA section or instruction."),
        (b"<a x='1", "The document ends inside a tag."),
        (
            b'<?xml-stylesheet href="x.xsl"?><a/>',
            "The document contains an xml-stylesheet instruction, which would change what it means on screen.",
        ),
    ],
)
def test_parse_of_what_is_not_accepted_says_why(data: bytes, problem: str) -> None:
    with pytest.raises(UnsafeXml) as caught:
        parse(data)

    assert caught.value.problem == problem
    assert caught.value.remedy


@pytest.mark.parametrize("data", [b"<a>", b"<a></b>", b"text", b"<a/><b/>", b"<a>&x;</a>", b"<a>\x0b</a>", b"{}"])
def test_parse_of_malformed_xml_is_refused(data: bytes) -> None:
    with pytest.raises(UnsafeXml, match="not well-formed"):
        parse(data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<a>\n<b>\n</c></a>", "“b”, opened in line 2, is closed as “c” (line 3, column 5)."),
        (b"<a><b></a>", "“b” is closed as “a” (line 1, column 11)."),
        (b"<a>\n\n<b/>", "“a”, opened in line 1, is not closed (line 3, column 5)."),
        (b"<a b=1/>", "AttValue: \" or ' expected (line 1, column 6)."),
        (b"<a>\n&x;</a>", "Entity 'x' not defined (line 2, column 4)."),
    ],
)
def test_parse_of_malformed_xml_names_each_place_once(data: bytes, problem: str) -> None:
    with pytest.raises(UnsafeXml) as caught:
        parse(data)

    assert caught.value.problem == f"The document is not well-formed XML: {problem}"


def test_parse_above_the_limit_is_refused() -> None:
    with pytest.raises(UnsafeXml, match="more than the 10 that are accepted"):
        parse(b"<abcdefgh/>", max_bytes=10)


def test_parse_of_deep_nesting_is_refused_before_the_parser_sees_it() -> None:
    with pytest.raises(UnsafeXml, match="nested more than 100 elements deep"):
        parse(b"<a>" * 200_000)


def test_parse_counts_depth_not_elements() -> None:
    tree = parse(b"<r>" + b"<a><b/></a>" * 5000 + b"</r>", max_depth=3)

    assert len(tree.getroot()) == 5000


@pytest.mark.parametrize("piece", [b"<a x='" + b"'" * 200_000, b"<a " + b'x="" ' * 200_000, b"<!--" * 200_000])
def test_parse_of_long_unfinished_markup_is_refused(piece: bytes) -> None:
    with pytest.raises(UnsafeXml):
        parse(piece)


def test_parse_reads_utf_16_with_its_mark() -> None:
    tree = parse('<?xml version="1.0" encoding="UTF-16"?><a>für</a>'.encode("utf-16"))

    assert tree.getroot().text == "für"


def test_parse_reads_what_is_declared() -> None:
    tree = parse('<?xml version="1.0" encoding="ISO-8859-1"?><a>für</a>'.encode("iso-8859-1"))

    assert tree.getroot().text == "für"


def test_parse_takes_markup_in_comments_and_cdata_for_text() -> None:
    tree = parse(b"<a><!-- <!DOCTYPE x> <b> --><![CDATA[<!DOCTYPE y><c>]]><?note <d> ?></a>")

    assert tree.xpath("string(/a)") == "<!DOCTYPE y><c>"


def test_parse_takes_a_bracket_inside_an_attribute_for_text() -> None:
    assert parse(b"<a x='/>' y=\"'>\"><b/></a>").getroot().get("x") == "/>"

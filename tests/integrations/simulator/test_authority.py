from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from lxml import etree

from tests.invoices import valid_invoice, without_issue_date
from tests.simulator_process import RunningSimulator

KEY = "a" * 64
OTHER_KEY = "b" * 64
BUSINESS_KEY = "NL540561770B01|INV-1001"


def failed_rules(report: bytes) -> list[str]:
    return [str(assertion.get("id")) for assertion in etree.fromstring(report).iter("{*}failed-assert")]


def test_valid_document_is_booked_once(simulator: RunningSimulator) -> None:
    content = valid_invoice()

    answer = simulator.submit(content, key=KEY)

    digest = sha256(content).hexdigest()
    receipt = answer.json()
    assert answer.status_code == 201
    assert receipt | {"clearance": ""} == {
        "clearance": "",
        "number": "INV-1001",
        "seller": "NL540561770B01",
        "sha256": digest,
    }
    [effect] = simulator.effects
    assert effect | {"at": ""} == {
        "at": "",
        "system": "tax-authority",
        "effect": "accepted",
        "business_key": BUSINESS_KEY,
        "clearance": receipt["clearance"],
        "key": KEY,
        "number": "INV-1001",
        "seller": "NL540561770B01",
        "sha256": digest,
    }


def test_clearance_number_depends_on_seed_and_content_alone(simulator: RunningSimulator) -> None:
    first = simulator.submit(valid_invoice(), key=KEY).json()["clearance"]
    simulator.reset()
    simulator.submit(valid_invoice("INV-1002"), key=OTHER_KEY)
    again = simulator.submit(valid_invoice(), key="c" * 64).json()["clearance"]

    assert again == first


def test_same_key_with_same_content_answers_the_same_and_books_nothing(simulator: RunningSimulator) -> None:
    first = simulator.submit(valid_invoice(), key=KEY)
    second = simulator.submit(valid_invoice(), key=KEY)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert len(simulator.effects) == 1


def test_same_key_with_other_content_is_refused(simulator: RunningSimulator) -> None:
    simulator.submit(valid_invoice(), key=KEY)

    answer = simulator.submit(valid_invoice("INV-1002"), key=KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "KEY_REUSED")
    assert len(simulator.effects) == 1


def test_same_document_under_another_key_is_a_duplicate(simulator: RunningSimulator) -> None:
    first = simulator.submit(valid_invoice(), key=KEY).json()

    answer = simulator.submit(valid_invoice(), key=OTHER_KEY)

    assert answer.status_code == 409
    assert answer.json() == {
        "code": "DUPLICATE_DOCUMENT",
        "clearance": first["clearance"],
        "sha256": first["sha256"],
    }
    assert len(simulator.effects) == 1


def test_same_document_at_the_same_time_is_booked_once(simulator: RunningSimulator) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = [f"{number:064}" for number in range(8)]
        answers = list(threads.map(lambda key: simulator.submit(valid_invoice(), key=key).status_code, keys))

    assert sorted(answers) == [201] + [409] * 7
    assert len(simulator.effects) == 1


def test_invalid_document_is_refused_with_the_official_report(simulator: RunningSimulator) -> None:
    answer = simulator.submit(without_issue_date(valid_invoice()), key=KEY)

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/xml")
    assert failed_rules(answer.content) == ["BR-03"]
    assert simulator.effects == []
    assert [attempt["status"] for attempt in simulator.attempts] == [422]


def test_refused_document_may_come_again_corrected_under_another_key(simulator: RunningSimulator) -> None:
    simulator.submit(without_issue_date(valid_invoice()), key=KEY)

    answer = simulator.submit(valid_invoice(), key=OTHER_KEY)

    assert answer.status_code == 201


def test_document_can_be_asked_for(simulator: RunningSimulator) -> None:
    before = simulator.get("/tax-authority/documents", business_key=BUSINESS_KEY).json()
    receipt = simulator.submit(valid_invoice(), key=KEY).json()
    [found] = simulator.get("/tax-authority/documents", business_key=BUSINESS_KEY).json()["documents"]

    assert before == {"documents": []}
    assert found == receipt | {"accepted_at": simulator.effects[0]["at"]}


def test_question_without_a_business_key_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.get("/tax-authority/documents")

    assert (answer.status_code, answer.json()["code"]) == (400, "BUSINESS_KEY_MISSING")


def test_seller_without_vat_identifier_is_known_by_its_registration(simulator: RunningSimulator) -> None:
    # Reported as refused, and noted under the key that the authority worked out.
    content = valid_invoice().replace(b"<cbc:CompanyID>NL540561770B01</cbc:CompanyID>", b"", 1)

    simulator.submit(content, key=KEY)

    assert [attempt["business_key"] for attempt in simulator.attempts] == ["24418273|INV-1001"]


def test_validation_has_no_effect(simulator: RunningSimulator) -> None:
    good = simulator.post("/tax-authority/validate", valid_invoice()).json()
    bad = simulator.post("/tax-authority/validate", without_issue_date(valid_invoice())).json()

    assert (good["accepted"], bad["accepted"]) == (True, False)
    assert failed_rules(bad["report"].encode()) == ["BR-03"]
    assert simulator.attempts == []


def test_wrong_token_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.post(
        "/tax-authority/documents", valid_invoice(), Authorization="Bearer another", Idempotency_Key=KEY
    )

    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_REFUSED")
    assert simulator.attempts == []


def test_missing_key_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.post("/tax-authority/documents", valid_invoice())

    assert (answer.status_code, answer.json()["code"]) == (400, "KEY_MISSING")

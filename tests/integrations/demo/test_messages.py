import json
from collections import Counter
from datetime import date
from functools import cache

import pytest

from integrations.connectors.base import IncomingMessage
from integrations.connectors.registry import get_connector
from integrations.demo.messages import HERO_NUMBER, HERO_TOTAL, DemoMessage, demo_messages
from integrations.refusals import Category, RefusedTransaction, TransactionKind

TODAY = date(2026, 11, 21)


@cache
def messages() -> tuple[DemoMessage, ...]:
    return tuple(demo_messages(seed=1, today=TODAY))


def parsed(message: DemoMessage) -> RefusedTransaction:
    incoming = IncomingMessage(message.payload, "application/xml", message.refusal, message.refusal_media_type)
    [transaction] = get_connector("en16931").parse(incoming)
    return transaction


def test_thirty_one_failed_and_four_held() -> None:
    kinds = Counter(parsed(message).refusal.kind for message in messages())

    assert kinds == {TransactionKind.FAILED: 31, TransactionKind.HELD: 4}


def test_two_legal_entities_send_their_own_invoices() -> None:
    sellers = {
        (message.connection_slug, parsed(message).record.headline.parties["Seller"].name) for message in messages()
    }

    assert sellers == {("billing-nl", "Meridian Industries NV"), ("billing-de", "Meridian Deutschland GmbH")}


def test_every_message_is_one_of_its_own() -> None:
    assert len({message.id for message in messages()}) == len(messages())
    assert len({parsed(message).business_key for message in messages()}) == len(messages())


def test_same_seed_and_day_give_the_same_messages() -> None:
    assert tuple(demo_messages(seed=1, today=TODAY)) == messages()


def test_invoices_are_in_several_currencies() -> None:
    # One is about a wrong currency code, so its money is of the code that its amounts carry.
    money = [parsed(message).refusal.money for message in messages()]

    assert {amount.currency for amount in money if amount} == {"EUR", "DKK", "SEK", "PLN"}


def test_readme_invoice_is_mended_by_its_proposed_value() -> None:
    [hero] = [message for message in messages() if message.number == HERO_NUMBER]
    connector = get_connector("en16931")
    errors = parsed(hero).refusal.errors
    [total] = {error.field_path: error for error in errors if error.term == "BT-112"}.values()

    mended = connector.correct(
        hero.payload, connector.operations_for(hero.payload, {total.field_path: str(HERO_TOTAL)})
    )

    assert [error.code for error in errors] == ["BR-CO-15", "BR-CO-16"]
    assert total.proposed_value == str(HERO_TOTAL)
    assert connector.check(mended).passed


@pytest.mark.parametrize("code", ["AMOUNT_LIMIT", "SANCTIONS_HIT"])
def test_held_invoice_is_valid_as_it_is(code: str) -> None:
    held = [m for m in messages() if m.refusal_media_type == "application/json" and code in m.refusal.decode()]

    assert len(held) == 2
    for message in held:
        transaction = parsed(message)
        assert transaction.refusal.category is Category.POLICY_HOLD
        assert get_connector("en16931").check(message.payload).passed


def test_limit_of_a_held_invoice_is_below_its_total() -> None:
    for message in messages():
        if b"AMOUNT_LIMIT" in message.refusal:
            money = parsed(message).refusal.money
            assert money is not None
            assert money.amount > int(json.loads(message.refusal)["hold"]["limit"])

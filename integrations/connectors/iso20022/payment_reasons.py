"""Reason codes about a payment itself: accounts, parties, banks, amounts, dates, duplicates, rules of law."""

from typing import Final

from integrations.connectors.iso20022.reason_groups import About, ReasonGroup
from integrations.refusals import Category

_ACCOUNTS: Final = (
    ReasonGroup(
        Category.MASTER_DATA,
        "bank_details",
        {
            "AC01": "The bank does not know this account number, or it is missing.",
            "AC03": "The payee's account number is wrong or missing.",
            "AC04": "The account is closed. Ask the payee for the new one, and confirm it on a known telephone number.",
            "AC06": "The account is blocked; nothing can be booked on it.",
            "AC07": "The payee's account is closed.",
            "AC08": "The branch code of the account is wrong or missing.",
            "AC09": "The currency of the account is wrong or missing.",
            "AC11": "The currency of the payee's account is wrong or missing.",
            "AC12": "The type of the account is wrong or missing.",
            "AC14": "The type of the payee's account is wrong or missing.",
            "AC15": "The payee's bank details have changed. Confirm the new ones on a known telephone number.",
            "AC16": "The card number is wrong.",
            "BE01": "Name and account number do not belong together.",
            "BE23": "The telephone number, e-mail address or alias that stands for the account is not known.",
            "CH13": "The former account of the payer may not be used here.",
        },
        About.CREDITOR_ACCOUNT,
    ),
    ReasonGroup(
        Category.MASTER_DATA,
        "bank_details",
        {
            "AC02": "The number of our own account is wrong or missing.",
            "AC05": "Our own account is closed.",
            "AC10": "The currency of our own account is wrong or missing.",
            "AC13": "The type of our own account is wrong or missing.",
        },
        About.DEBTOR_ACCOUNT,
    ),
    ReasonGroup(
        Category.MASTER_DATA,
        "bank_identifier",
        {
            "RC01": "The bank code is not written in its format.",
            "RC02": "The bank code is wrong or missing.",
            "RC04": "The code of the payee's bank is wrong or missing.",
            "RC05": "The BIC is wrong or missing.",
            "RC07": "The BIC of the payee's bank is wrong or missing.",
            "RC08": "The clearing code of the bank is wrong or missing.",
            "RC10": "The clearing code of the payee's bank is wrong or missing.",
            "RC11": "The intermediary bank is wrong or missing.",
            "CNOR": "The payee's bank takes no part in this clearing under its BIC.",
            "AGNT": "A bank in the chain of this payment is wrong.",
            "AG04": "The country of the bank is wrong or missing.",
            "AG06": "The country of the payee's bank is wrong or missing.",
            "ED01": "The correspondent bank cannot be used.",
        },
        About.CREDITOR_AGENT,
    ),
    ReasonGroup(
        Category.MASTER_DATA,
        "bank_identifier",
        {
            "RC03": "The code of our own bank is wrong or missing.",
            "RC06": "The BIC of our own bank is wrong or missing.",
            "RC09": "The clearing code of our own bank is wrong or missing.",
            "DNOR": "Our own bank takes no part in this clearing under its BIC.",
            "AG05": "The country of our own bank is wrong or missing.",
        },
        About.DEBTOR_AGENT,
    ),
)

_PARTIES: Final = (
    ReasonGroup(
        Category.MASTER_DATA,
        "payee",
        {
            "BE04": "The payee's address is wrong or incomplete, and this payment needs it.",
            "BE05": "The other side does not know whoever sent this.",
            "BE06": "The payee is not known at this bank, or no longer.",
            "BE09": "A country code is wrong or missing.",
            "BE11": "The payee's country is wrong or missing.",
            "BE12": "A country of residence is wrong or missing.",
            "BE14": "The payee's country of residence is wrong or missing.",
            "BE15": "An identification code is wrong or missing.",
            "BE17": "The identification of the payee is wrong or missing.",
            "BE18": "The contact details are wrong or missing.",
            "BE20": "The name is longer than this kind of payment allows.",
            "BE21": "A name is wrong or missing.",
            "BE22": "The payee's name is missing.",
            "RECI": "The bank needs more about whoever is to receive this.",
            "UCRD": "The payee is not known.",
            "MD07": "The customer has died.",
        },
        About.CREDITOR,
    ),
    ReasonGroup(
        Category.MASTER_DATA,
        "payer",
        {
            "BE07": "The payer's address is wrong or incomplete, and this payment needs it.",
            "BE08": "The payer's name is missing.",
            "BE10": "The payer's country is wrong or missing.",
            "BE13": "The payer's country of residence is wrong or missing.",
            "BE16": "The identification of the payer is wrong or missing.",
            "RC13": "The originator is not active any more.",
        },
        About.DEBTOR,
    ),
)

_AMOUNTS: Final = (
    ReasonGroup(
        Category.BUSINESS_VALIDATION,
        "amount",
        {
            "AM01": "The amount is zero.",
            "AM02": "The amount is more than the most that is allowed.",
            "AM03": "The agreement with the bank does not cover this currency.",
            "AM06": "The amount is less than the least that is agreed.",
            "AM11": "The currency of the payment is wrong or missing.",
            "AM12": "The amount is wrong or missing.",
            "AM13": "The amount is more than the clearing allows.",
            "AM14": "The amount is more than is agreed with the bank.",
            "AM15": "The amount is less than the clearing allows.",
            "AM21": "The amount is above the limit that is agreed with the bank.",
            "AM22": "An amount of zero cannot be booked on this account.",
            "AM23": "The amount is more than the settlement limit.",
            "CH20": "The amount has more decimals than its currency.",
            "CURR": "The currency of the payment is not right.",
        },
        About.AMOUNT,
    ),
    ReasonGroup(
        Category.BUSINESS_VALIDATION,
        "arithmetic",
        {
            "AM10": "The amounts do not add up to the control sum.",
            "AM16": "The control sum of the file is wrong.",
            "AM17": "The control sum of the payment block is wrong.",
        },
        About.CONTROL_SUM,
    ),
    ReasonGroup(
        Category.BUSINESS_VALIDATION,
        "arithmetic",
        {
            "AM18": "The number of payments is wrong or missing.",
            "AM19": "The number of payments that the file states is wrong or missing.",
            "AM20": "The number of payments that the payment block states is wrong.",
        },
        About.NUMBER_OF_PAYMENTS,
    ),
    ReasonGroup(
        Category.PAYMENT_FAILURE,
        "insufficient_funds",
        {
            "AM04": "Our account does not have the money for this payment.",
            "AG07": "Our account cannot be debited; the bank may not say why, and it may be lack of money.",
        },
        About.DEBTOR_ACCOUNT,
    ),
    ReasonGroup(
        Category.RECONCILIATION_BREAK,
        "amount_differs",
        {"AM09": "The amount received is not the amount that was expected."},
        About.AMOUNT,
    ),
    ReasonGroup(
        Category.COMPLIANCE,
        "blocked_by_authority",
        {"AM07": "An authority has blocked this amount."},
        About.AMOUNT,
    ),
)

_DATES: Final = (
    ReasonGroup(
        Category.PAYMENT_FAILURE,
        "cut_off",
        {
            "TM01": "It came after the bank's cut-off time. Choose the next banking day.",
            "DT05": "It came after the bank's cut-off, so that its date lies in the past. Choose the next banking day.",
        },
        About.DATE,
    ),
    ReasonGroup(
        Category.BUSINESS_VALIDATION,
        "date",
        {
            "DT01": "A date is wrong or missing.",
            "DT03": "The date is no banking day.",
            "DT04": "The bank does not take payments for a later date.",
            "DT06": "The bank has changed the execution date so that it could go on.",
            "CH03": "The requested date is too far ahead.",
            "CH04": "The requested date is too far back.",
            "CH19": "The date is moved to the next day on which TARGET is open.",
            "BDAY": "The day of the settlement cycle and the calendar day differ.",
            "EDNA": "The bank does not accept the requested execution date.",
        },
        About.DATE,
    ),
    ReasonGroup(
        Category.BUSINESS_VALIDATION,
        "date",
        {"DT02": "The file says that it was made at a time that cannot be right, such as long ago."},
        About.CREATED,
    ),
)

_DUPLICATES: Final = (
    ReasonGroup(
        Category.DUPLICATE,
        "same_payment",
        {
            "AM05": "The bank takes this for a payment that it has already.",
            "DUPL": "This payment is the same as another one.",
            "DU03": "The bank has this payment already.",
        },
    ),
    ReasonGroup(
        Category.DUPLICATE,
        "same_file",
        {"DU01": "The bank has a file with this message identifier already."},
        About.MESSAGE_ID,
    ),
    ReasonGroup(
        Category.DUPLICATE,
        "same_file",
        {
            "DU02": "The bank has a payment block with this identifier already.",
            "AB12": "The bank has a batch with this number already.",
        },
        About.BLOCK_ID,
    ),
    ReasonGroup(
        Category.DUPLICATE,
        "same_payment",
        {
            "DU04": "The bank has a payment with this end-to-end identifier already.",
            "RF01": "The reference stands more than once in the file.",
        },
        About.END_TO_END_ID,
    ),
    ReasonGroup(
        Category.DUPLICATE,
        "same_payment",
        {"DU05": "The bank has a payment with this instruction identifier already."},
        About.INSTRUCTION_ID,
    ),
)

_LAW: Final = (
    ReasonGroup(
        Category.COMPLIANCE,
        "regulatory",
        {
            "RR01": "The law asks for the payer's account or identification, and it is missing or incomplete.",
            "RR02": "The law asks for the payer's name and address, and they are missing or incomplete.",
        },
        About.DEBTOR,
    ),
    ReasonGroup(
        Category.COMPLIANCE,
        "regulatory",
        {"RR03": "The law asks for the payee's name and address, and they are missing or incomplete."},
        About.CREDITOR,
    ),
    ReasonGroup(
        Category.COMPLIANCE,
        "regulatory",
        {
            "RR04": "The bank refuses for a reason of law or supervision, and need not say which.",
            "RR05": "The report to the central bank is missing, incomplete or wrong.",
            "RR06": "The tax information is missing, incomplete or wrong.",
            "RR11": "The identification of a service of the bank is wrong or missing.",
            "RR12": "An identification that this country or kind of payment needs is wrong or missing.",
            "LEGL": "The bank refuses because a court or authority says so.",
            "NOCM": "The account does not meet what the law asks of it.",
            "ED03": "The balance of payments needs more information.",
        },
    ),
    ReasonGroup(
        Category.BUSINESS_VALIDATION,
        "remittance",
        {
            "RR07": "The remittance information is not built as this kind of payment asks.",
            "RR08": "The remittance information was cut off to fit this kind of payment.",
            "RR09": "The structured reference of the payee is wrong or missing.",
            "RR10": "The text uses characters that this country or kind of payment does not allow.",
            "CH15": "The structured remittance information is longer than 140 characters.",
            "CERI": "The payment carries extended remittance information but is not marked so.",
            "NERI": "The payment is marked for extended remittance information but carries none.",
            "ERIN": "The bank does not offer extended remittance information.",
        },
        About.REMITTANCE,
    ),
)

GROUPS: Final = (*_ACCOUNTS, *_PARTIES, *_AMOUNTS, *_DATES, *_DUPLICATES, *_LAW)

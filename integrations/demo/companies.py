"""The companies of the demonstration. All are invented; identifiers have the form and check digits of the real ones."""

from dataclasses import dataclass

# ISO 6523 ICD of the legal registration, and Electronic Address Scheme of the VAT identifier, where a country has one.
_REGISTERS = {"NL": "0106", "FR": "0002", "BE": "0208", "DK": "0184", "SE": "0007"}
_VAT_ADDRESSES = {"DE": "9930", "FR": "9957", "IT": "0211", "PL": "9945", "ES": "9920", "AT": "9914"}


@dataclass(frozen=True, slots=True)
class Company:
    name: str
    street: str
    city: str
    postcode: str
    country: str  # ISO 3166-1 alpha-2
    vat_id: str
    legal_id: str
    account: str = ""  # national bank account (BBAN)
    contact: str = ""
    mail: str = ""

    @property
    def legal_scheme(self) -> str:
        return _REGISTERS.get(self.country, "")

    @property
    def endpoint(self) -> tuple[str, str]:
        """Electronic address and its scheme."""
        if self.country in _VAT_ADDRESSES:
            return self.vat_id, _VAT_ADDRESSES[self.country]
        return self.legal_id, self.legal_scheme

    @property
    def iban(self) -> str:
        return iban(self.country, self.account)


def iban(country: str, account: str) -> str:
    """The IBAN of a national account, with its check digits (ISO 13616, ISO 7064 mod 97-10)."""
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02}{account}"


MERIDIAN_NL = Company(
    "Meridian Industries NV",
    "Wilhelminakade 123",
    "Rotterdam",
    "3072 AP",
    "NL",
    "NL540561770B01",
    "24418273",
    account="INGB0004170417",
    contact="Accounts receivable",
    mail="ar@meridian-industries.example",
)
MERIDIAN_DE = Company(
    "Meridian Deutschland GmbH",
    "Am Sandtorkai 48",
    "Hamburg",
    "20457",
    "DE",
    "DE447474345",
    "HRB 148817",
    account="200500001234041700",
    contact="Debitorenbuchhaltung",
    mail="rechnung@meridian-deutschland.example",
)

CUSTOMERS = tuple(
    Company(*row)
    for row in (
        (
            "Brouwer & De Wit Logistiek B.V.",
            "Havenstraat 41",
            "Vlissingen",
            "4381 ER",
            "NL",
            "NL720408362B01",
            "22061954",
        ),
        ("Van Loon Koeltechniek B.V.", "Ambachtsweg 8", "Eindhoven", "5627 BB", "NL", "NL930678801B01", "17093348"),
        ("Kassen Groep Westland B.V.", "Lange Kruisweg 27", "Maasdijk", "2676 BM", "NL", "NL257089639B01", "27284410"),
        ("Hartmann Anlagenbau GmbH", "Siemensstraße 112", "Stuttgart", "70469", "DE", "DE621456492", "HRB 731204"),
        (
            "Nordlicht Verpackungen GmbH & Co. KG",
            "Gutenbergring 60",
            "Norderstedt",
            "22848",
            "DE",
            "DE929664513",
            "HRA 5520",
        ),
        ("Oberland Molkereitechnik GmbH", "Industriestraße 19", "Kempten", "87437", "DE", "DE573539026", "HRB 12286"),
        ("Ateliers Roussel SAS", "18 rue de la Fonderie", "Lyon", "69007", "FR", "FR54769323213", "769323213"),
        ("Compagnie Bretonne de Conserves", "4 quai Carnot", "Concarneau", "29900", "FR", "FR77648229326", "648229326"),
        ("Officine Bellandi S.r.l.", "Via dell'Artigianato 15", "Modena", "41122", "IT", "IT04471410706", "MO-382915"),
        ("Tessitura Lombarda S.p.A.", "Viale Industria 72", "Bergamo", "24126", "IT", "IT63587880913", "BG-291173"),
        ("Vandenbroeck Staal NV", "Kanaaldijk 210", "Gent", "9042", "BE", "BE0976563237", "0976563237"),
        ("Brasserie du Val SRL", "Chaussée de Namur 88", "Gembloux", "5030", "BE", "BE0155937693", "0155937693"),
        ("Kowalczyk Transport Sp. z o.o.", "ul. Składowa 14", "Poznań", "61-897", "PL", "PL2159174388", "0000482917"),
        ("Zakłady Drzewne Bory S.A.", "ul. Leśna 3", "Bydgoszcz", "85-676", "PL", "PL7055643607", "0000117302"),
        ("Cerámicas del Turia S.L.", "Calle Ciudad de Liria 31", "Paterna", "46988", "ES", "ESB38402400", "V-104882"),
        ("Alpenglas Manufaktur GmbH", "Gewerbepark 9", "Kufstein", "6330", "AT", "ATU17722427", "FN 284417 k"),
        ("Skagen Fiskeindustri A/S", "Auktionsvej 12", "Skagen", "9990", "DK", "DK55807302", "55807302"),
        ("Norrbottens Trävaror AB", "Sågvägen 7", "Piteå", "941 38", "SE", "SE559095145401", "5590951454"),
    )
)


def customer(name_starts_with: str) -> Company:
    """One of the customers. Raises StopIteration when none has such a name."""
    return next(company for company in CUSTOMERS if company.name.startswith(name_starts_with))

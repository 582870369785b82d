"""How a trunk writes telephone numbers, and the one way they are written inside: E.164 with its plus.

What is no telephone number (names, extensions, short codes, emergency numbers, `*21#`) is passed as it is, both ways.
The numbering plans are those of the library `phonenumbers`: data, without I/O and without a clock.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, shortnumberinfo

Format = Literal["e164", "international", "national"]

MAX_DIGITS: Final = 15  # ITU-T E.164 section 6
MIN_DIGITS: Final = 7  # with the country code: shorter ones are codes of a network, not numbers of the world
MAX_DIALLED: Final = 32  # digits with prefixes: longer texts are no numbers
CACHED: Final = 4096  # numbers remembered, each way

_E164: Final = re.compile(rf"\+[1-9][0-9]{{{MIN_DIGITS - 1},{MAX_DIGITS - 1}}}", re.ASCII).fullmatch
_DIGITS: Final = re.compile(rf"\+?[0-9]{{1,{MAX_DIALLED}}}", re.ASCII).fullmatch
_LONG_DIGITS: Final = re.compile(rf"[1-9][0-9]{{{MIN_DIGITS - 1},{MAX_DIGITS - 1}}}", re.ASCII).fullmatch
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_POSSIBLE: Final = phonenumbers.ValidationResult.IS_POSSIBLE


def is_e164(text: str) -> bool:
    """Whether this is a number of the world in its normal form: a plus and 7 to 15 digits."""
    return _E164(text) is not None


@dataclass(frozen=True, slots=True)
class Numbering:
    """How one side writes numbers. `country` (ISO 3166, two letters) is where national ones are at home.

    `e164`: `+905551112233`. `international`: the same digits without the plus. `national`: as dialled in the country,
    `05551112233`, and numbers abroad with its international prefix, `004930123456`.
    """

    format: Format = "e164"
    country: str | None = None

    def read(self, text: str) -> str:
        """What this side wrote, in the normal form; anything that is no number as it is."""
        if _DIGITS(text) is None or _E164(text):
            return text
        if self.format == "e164" and text[0] != "+":
            return text
        return _read(text, self.format, self.country)

    def understands(self, text: str) -> str:
        """The number this side may reach when it is sent this text: a side that wants country codes may take any long
        digits for a number of the world, whatever they are at the caller's home.
        """
        if self.format == "national" or not _LONG_DIGITS(text):
            return self.read(text)
        return _plausible(_parsed(f"+{text}", None)) or text

    def write(self, number: str) -> str:
        """A number in the normal form as this side wants it; anything else as it is."""
        if self.format == "e164" or _E164(number) is None:
            return number
        return number[1:] if self.format == "international" else _write_national(number, self.country)

    def __str__(self) -> str:
        return f"{self.format}, {self.country}" if self.country else self.format


AS_IT_IS: Final = Numbering()


@lru_cache(CACHED)
def _read(text: str, written: Format, country: str | None) -> str:
    """`written` is `international` or `national`, or the text begins with a plus that is no E.164 yet."""
    if text[0] == "+":
        return _plausible(_parsed(text, None)) or text
    if written == "international":
        found = _parsed(f"+{text}", None) if text[0] != "0" else None
        if found is not None and phonenumbers.is_valid_number(found):
            return _e164(found)
    if country is None:
        return text
    found = _parsed(text, country)
    if found is None or shortnumberinfo.is_possible_short_number_for_region(found, country):
        return text
    if phonenumbers.is_valid_number(found):
        return _e164(found)
    return (_plausible(found) if text[0] == "0" else None) or text  # a new range, written with its prefix


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _plausible(found: PhoneNumber | None) -> str | None:
    if found is None or phonenumbers.is_possible_number_with_reason(found) != _POSSIBLE:
        return None
    made = _e164(found)
    return made if _E164(made) else None


def _e164(found: PhoneNumber) -> str:
    return phonenumbers.format_number(found, PhoneNumberFormat.E164)


@lru_cache(CACHED)
def _write_national(number: str, country: str | None) -> str:
    """As dialled in `country`. What would not be read back as the same number keeps its plus."""
    found = _parsed(number, None)
    if found is None or country is None:
        return number
    if country in phonenumbers.region_codes_for_country_code(found.country_code or 0):
        shown = phonenumbers.format_number(found, PhoneNumberFormat.NATIONAL)
    else:
        shown = phonenumbers.format_out_of_country_calling_number(found, country)
    made = _NO_DIGIT.sub("", shown)
    if shown.startswith("+") or _read(made, "national", country) != number:
        return number
    return made

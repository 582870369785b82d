"""Whom a user may call: abroad, premium and emergency numbers. Defaults against toll fraud; decides, counts nothing.

The numbering plans are those of the library `phonenumbers`. Numbers are in their normal form (`routing.numbering`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType, ShortNumberCost, shortnumberinfo

CACHED: Final = 4096  # numbers remembered
ABROAD: Final = ("+", "00", "011")  # how a number abroad begins where no country says more
COSTLY_CODES: Final = frozenset({870, 878, 881, 882, 883, 979})  # satellites, personal and premium numbers of the world


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may call besides the numbers of the country."""

    international: bool = False
    premium: bool = False


@dataclass(frozen=True, slots=True)
class _Kind:
    is_abroad: bool = False
    is_premium: bool = False


def objection(number: str, country: str | None, rights: Rights) -> str | None:
    """Why a caller with these rights may not call this number; None when it may."""
    kind = _kind_of(number, country)
    if kind.is_premium and not rights.premium:
        return "a premium number, and premium is false"
    if kind.is_abroad and not rights.international:
        return "an international number, and international is false"
    return None


def is_emergency(number: str, country: str | None, listed: frozenset[str]) -> bool:
    """Whether this is an emergency number: one of the list, or without a list one of the country's."""
    if listed:
        return number in listed
    return country is not None and len(number) <= 6 and shortnumberinfo.is_emergency_number(number, country)


@lru_cache(CACHED)
def _kind_of(number: str, country: str | None) -> _Kind:
    if not number.startswith("+"):
        if country is None:
            return _Kind(is_abroad=number.startswith(ABROAD))
        return _short(number, country)
    try:
        found = phonenumbers.parse(number, None)
    except NumberParseException:
        return _Kind(is_abroad=True)  # what nobody knows is the dearest
    is_premium = found.country_code in COSTLY_CODES or phonenumbers.number_type(found) == PhoneNumberType.PREMIUM_RATE
    return _Kind(is_abroad=country is None or not _is_home(found, country), is_premium=is_premium)


def _is_home(found: PhoneNumber, country: str) -> bool:
    """In the country itself: a country code that several share (+1) is not enough where the number says more."""
    region = phonenumbers.region_code_for_number(found)
    if region is not None:
        return bool(region == country)
    return found.country_code == phonenumbers.country_code_for_region(country)


def _short(number: str, country: str) -> _Kind:
    """Not in E.164: a short code or a text of the trunk's, or digits that some trunk would take for a number abroad."""
    try:
        found = phonenumbers.parse(number, country)
    except NumberParseException:
        return _Kind()
    if shortnumberinfo.is_possible_short_number_for_region(found, country):
        cost = shortnumberinfo.expected_cost_for_region(found, country)
        return _Kind(is_premium=cost == ShortNumberCost.PREMIUM_RATE)
    return _Kind(is_abroad=not _is_home(found, country) or number.startswith(ABROAD))

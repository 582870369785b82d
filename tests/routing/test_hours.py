"""Opening hours against a slow reading of the same text, minute by minute on the wall clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from santral.routing.hours import DAYS, Hours, HoursError

WORKDAY = Hours.parse("mon-fri 09:00-18:00 Europe/Istanbul")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T08:59:59+03:00", False),  # Monday
        ("2026-11-23T09:00:00+03:00", True),
        ("2026-11-23T17:59:59+03:00", True),
        ("2026-11-23T18:00:00+03:00", False),
        ("2026-11-27T12:00:00+03:00", True),  # Friday
        ("2026-11-28T12:00:00+03:00", False),
        ("2026-11-23T06:00:00+00:00", True),  # the zone counts, not the spelling
    ],
)
def test_a_working_week(moment: str, is_open: bool) -> None:
    assert WORKDAY.is_open(at(moment)) is is_open


def test_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    night = Hours.parse("sun 22:00-06:00 UTC")
    assert night.is_open(at("2026-11-22T23:00:00+00:00"))
    assert night.is_open(at("2026-11-23T05:59:00+00:00"))
    assert not night.is_open(at("2026-11-23T06:00:00+00:00"))
    assert not night.is_open(at("2026-11-22T05:00:00+00:00"))


def test_days_may_run_over_the_week_and_times_be_several() -> None:
    hours = Hours.parse("fri-mon,WED 09:00-12:00,13:00-24:00 UTC")
    assert hours.is_open(at("2026-11-22T23:59:00+00:00"))  # Sunday
    assert hours.is_open(at("2026-11-25T13:00:00+00:00"))  # Wednesday
    assert not hours.is_open(at("2026-11-25T12:30:00+00:00"))
    assert not hours.is_open(at("2026-11-24T10:00:00+00:00"))  # Tuesday


def test_the_whole_week_is_one_span() -> None:
    assert Hours.parse("daily 00:00-24:00 UTC").spans == ((0, 7 * 24 * 60),)
    assert Hours.parse("mon-sun 12:00-11:59 UTC").is_open(at("2026-11-23T11:58:00+00:00"))


def test_summer_time_skips_and_repeats_the_wall_clock() -> None:
    early = Hours.parse("sun 02:00-03:00 Europe/Berlin")
    day = datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert not any(early.is_open(day + timedelta(minutes=m)) for m in range(23 * 60))  # the hour does not exist
    day = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert sum(early.is_open(day + timedelta(minutes=m)) for m in range(25 * 60)) == 120  # it happens twice


def test_the_clock_is_for_people() -> None:
    assert WORKDAY.clock(at("2026-11-23T17:00:00+00:00")) == "Mon 20:00 Europe/Istanbul"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "expected days"),
        ("mon-fri 09:00-18:00", "expected days"),
        ("mon-fri 09:00-18:00 Europe/Istanbul extra", "expected days"),
        ("mon-xyz 09:00-18:00 UTC", "unknown day xyz"),
        ("mon,, 09:00-18:00 UTC", "unknown day"),
        ("mon 9:00-18:00 UTC", "unknown time 9:00-18:00"),
        ("mon 09:00-25:00 UTC", "no such time"),
        ("mon 09:60-18:00 UTC", "no such time"),
        ("mon 24:00-25:00 UTC", "no such time"),
        ("mon 09:00-24:30 UTC", "no such time"),
        ("mon 09:00-09:00 UTC", "empty"),
        ("mon 09:00-18:00 Europe/Nowhere", "unknown time zone"),
        ("mon 09:00-18:00 ../../etc/passwd", "unknown time zone"),
        ("mon 09:00-18:00 Europe", "unknown time zone"),
        ("mon 09:00-18:00 /etc", "unknown time zone"),
    ],
)
def test_what_are_no_hours(wrong: str, said: str) -> None:
    with pytest.raises(HoursError, match=said):
        Hours.parse(wrong)


ZONES = (
    "UTC",
    "Europe/Istanbul",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Australia/Lord_Howe",
)
MINUTE = st.integers(0, 24 * 60)
SPANS = st.lists(st.tuples(st.integers(0, 24 * 60 - 1), MINUTE).filter(lambda s: s[0] != s[1]), min_size=1, max_size=3)
DAY_RANGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=3)


def slow(days: list[tuple[int, int]], times: list[tuple[int, int]], zone: str, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(zone))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    for first, last in days:
        chosen = [first]
        while chosen[-1] != last:
            chosen.append((chosen[-1] + 1) % 7)
        for start, end in times:
            over_midnight = end < start
            if today in chosen and minute >= start and (over_midnight or minute < end):
                return True
            if over_midnight and (today - 1) % 7 in chosen and minute < end:
                return True
    return False


@given(DAY_RANGES, SPANS, st.sampled_from(ZONES), st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)))  # noqa: DTZ001
@settings(max_examples=300)
def test_hours_are_what_a_slow_reader_reads(
    days: list[tuple[int, int]], times: list[tuple[int, int]], zone: str, moment: datetime
) -> None:
    day_text = ",".join(DAYS[a] if a == b else f"{DAYS[a]}-{DAYS[b]}" for a, b in days)
    time_text = ",".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in times)
    moment = moment.replace(tzinfo=UTC)
    assert Hours.parse(f"{day_text} {time_text} {zone}").is_open(moment) is slow(days, times, zone, moment)

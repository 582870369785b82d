"""Phrases and the map between SIP statuses and Q.850 causes (RFC 3398)."""

import pytest

from santral.sip.reasons import PHRASES, Q850_PHRASES, phrase, q850_from_status, status_from_q850


def test_every_status_has_words() -> None:
    assert phrase(486) == "Busy Here"
    assert phrase(299) == "OK"
    assert phrase(699) == "Global Failure"
    assert phrase(42) == "Unknown"
    assert all(100 <= status < 700 and text for status, text in PHRASES.items())


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (200, 16),
        (404, 1),
        (408, 102),
        (480, 18),
        (484, 28),
        (486, 17),
        (488, 88),
        (503, 41),
        (600, 17),
        (603, 21),
        (499, 31),
        (599, 41),
        (699, 31),
        (302, 127),
    ],
)
def test_cause_of_a_status(status: int, cause: int) -> None:
    assert q850_from_status(status) == cause


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (1, 404),
        (16, 480),
        (17, 486),
        (18, 408),
        (21, 403),
        (28, 484),
        (34, 503),
        (88, 503),
        (127, 500),
        (30, 480),
        (40, 503),
        (60, 403),
        (75, 501),
        (99, 500),
    ],
)
def test_status_of_a_cause(cause: int, status: int) -> None:
    assert status_from_q850(cause) == status


def test_the_maps_stay_inside_their_ranges() -> None:
    assert all(1 <= q850_from_status(status) <= 127 for status in range(100, 700))
    assert all(status_from_q850(cause) in PHRASES and status_from_q850(cause) >= 400 for cause in range(1, 128))
    assert {q850_from_status(status) for status in range(100, 700)} <= set(Q850_PHRASES)

"""Reception statistics and rewriting, driven by hand: RFC 3550 appendix A, and the affine rule."""

from hypothesis import given
from hypothesis import strategies as st

from santral.engine.media.core.reception import Reception
from santral.engine.media.core.rewrite import Stream

MS = 1_000_000


def test_loss_across_the_edge_of_sequence_numbers() -> None:
    reception = Reception()
    for sequence in [65534, 65535, 1, 2]:  # 0 is missing
        assert reception.receive(sequence) == "in_order"
    assert (reception.expected, reception.lost) == (5, 1)
    assert reception.receive(0) == "late"
    assert (reception.expected, reception.lost) == (5, 0)
    assert [reception.receive(n) for n in (0, 2, 65534)] == ["twice"] * 3
    assert reception.lost == 0


def test_a_jump_is_believed_only_when_the_next_packet_follows_on() -> None:
    reception = Reception()
    for sequence in [10, 11, 12, 40000, 13, 14]:
        reception.receive(sequence)
    assert reception.expected == 5
    reception.receive(50000)
    reception.receive(50001)
    reception.receive(50002)
    assert (reception.expected, reception.lost) == (2, 0)


def test_a_new_source_keeps_the_losses_of_the_old_one() -> None:
    reception = Reception()
    for sequence in [1, 2, 5]:
        reception.receive(sequence)
    for sequence in [900, 902]:
        reception.receive(sequence, ssrc=2)
    assert reception.lost == 3


def test_fraction_lost_is_per_interval() -> None:
    reception = Reception()
    for sequence in [1, 2, 3, 5]:
        reception.receive(sequence)
    assert reception.take_fraction_lost() == 256 // 5
    for sequence in [6, 7]:
        reception.receive(sequence)
    assert reception.take_fraction_lost() == 0
    reception.receive(7)
    assert reception.take_fraction_lost() == 0


def test_jitter_of_a_steady_and_of_an_uneven_stream() -> None:
    steady, uneven = Reception(), Reception()
    for n in range(200):
        steady.receive(n, timestamp=8000 + 160 * n, now_ns=n * 20 * MS)
        uneven.receive(n, timestamp=8000 + 160 * n, now_ns=(n * 20 + n % 2 * 10) * MS)
    assert steady.jitter_ms == 0
    assert 9 < uneven.jitter_ms <= 10.1


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300), st.integers(0, 65535))
def test_counting_never_claims_more_than_came(numbers: list[int], start: int) -> None:
    reception = Reception()
    arrivals = [reception.receive((start + n) & 0xFFFF) for n in numbers]
    assert arrivals.count("in_order") + arrivals.count("late") + arrivals.count("twice") == len(numbers)
    assert 0 <= reception.lost <= 401 * len(numbers)
    if max(numbers) - min(numbers) <= 100:  # nothing that looks like a restart
        assert reception.lost <= reception.expected


def test_rewriting_is_affine_and_the_switch_seamless() -> None:
    stream = Stream(sequence=500, timestamp=1000)
    assert stream.rewrite(1, 65535, 77) == (500, 1000, True)
    assert stream.rewrite(1, 0, 237) == (501, 1160, False)
    assert stream.rewrite(1, 3, 717) == (504, 1640, False)  # two lost
    assert stream.rewrite(1, 2, 557) == (503, 1480, False)  # late
    assert stream.rewrite(2, 9000, 5, now_ns=60 * MS) == (505, 1640 + 480, True)
    assert stream.rewrite(2, 8999, 5, now_ns=60 * MS) is None  # from before the switch
    assert stream.rewrite(2, 9002, 325, now_ns=60 * MS) == (507, 1640 + 800, False)


def test_a_switch_within_one_frame_still_moves_the_clock() -> None:
    stream = Stream(sequence=1)
    stream.rewrite(1, 1, 0)
    assert stream.rewrite(2, 1, 0) == (2, 160, True)


def test_a_switch_into_an_event_aligns_its_beginning_and_leaves_the_marker_to_audio() -> None:
    stream = Stream(sequence=1)
    stream.rewrite(1, 1, 0, now_ns=0)
    assert stream.rewrite(2, 50, 8000, event_for=800, now_ns=200 * MS) == (2, 800, False)  # began 100 ms ago
    assert stream.rewrite(2, 51, 8000, event_for=960, now_ns=220 * MS) == (3, 800, False)
    assert stream.rewrite(2, 52, 9120, now_ns=240 * MS) == (4, 1920, True)


def test_a_source_may_run_for_any_length() -> None:
    stream = Stream(sequence=1)
    for n in range(70_000):
        assert stream.rewrite(1, n & 0xFFFF, (160 * n) & 0xFFFFFFFF) == ((1 + n) & 0xFFFF, 160 * n, n == 0)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 65535), st.integers(0, 2**32 - 1)), max_size=60))
def test_a_switch_never_goes_back(packets: list[tuple[int, int, int]]) -> None:
    stream, source, newest = Stream(sequence=100), 0, 99
    for n, (from_, sequence, timestamp) in enumerate(packets):
        out = stream.rewrite(from_, sequence, timestamp, now_ns=n * 20 * MS)
        if from_ != source:
            assert out is not None
            assert (out[0] - newest) & 0xFFFF == 1
            source = from_
        if out is not None and (out[0] - newest) & 0xFFFF < 0x8000:
            newest = out[0]

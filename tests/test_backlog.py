"""How much of a bench is out, and when it goes out again."""

from hypothesis import given
from hypothesis import strategies as st

from broker.backlog import Backlog


def test_no_more_than_the_window_is_out_until_receipts_come() -> None:
    backlog = Backlog(3, 1.0, 8.0)
    for seq in (1, 2, 3):
        backlog.sent(seq, 0.0)
    assert backlog.room == 0
    backlog.receipted(2, 9.0)
    assert backlog.room == 1
    assert backlog.last == 3


def test_what_has_no_receipt_goes_out_again_after_growing_pauses() -> None:
    backlog = Backlog(3, 1.0, 8.0)
    now, pauses = 0.0, []
    for _ in range(6):
        backlog.sent(7, now)
        pauses.append(backlog.next_due(now))
        now += pauses[-1]
        assert backlog.due(now - 0.01) == ()
        assert backlog.due(now) == (7,)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_after_hours_without_a_records_system_what_waits_goes_out_soon_when_it_comes() -> None:
    backlog = Backlog(3, 1.0, 600.0)
    now = 0.0
    for _ in range(14):
        backlog.sent(7, now)
        now += backlog.next_due(now)
    assert backlog.next_due(now - 600.0) == 600.0
    backlog.sent(7, now)
    backlog.hurry(now + 5.0)
    assert backlog.next_due(now + 5.0) == 1.0
    backlog.sent(8, now + 5.0)
    backlog.hurry(now + 5.1)  # what has just gone out does not go again because of it
    assert backlog.next_due(now + 5.0) == 1.0


def test_a_record_that_is_never_receipted_does_not_block_the_later_ones_for_ever() -> None:
    backlog = Backlog(1, 1.0, 8.0)
    for now in range(3):
        backlog.sent(1, float(now))
    assert backlog.room == 0
    backlog.sent(1, 3.0)
    backlog.receipted(2, 9.0)
    assert backlog.room == 1
    assert 1 in backlog.due(100.0)


def test_when_all_that_is_out_is_stuck_one_more_may_try() -> None:
    backlog = Backlog(2, 1.0, 8.0)
    for now in range(4):
        assert backlog.room == (2 if now == 0 else 0)
        backlog.sent(1, float(now))
        backlog.sent(2, float(now))
    assert backlog.room == 1
    backlog.sent(3, 4.0)
    assert backlog.room == 0
    backlog.receipted(3, 9.0)
    assert backlog.room == 2


def test_nothing_goes_out_again_before_receipts_usually_take() -> None:
    backlog = Backlog(99, 1.0, 60.0)
    for seq in range(1, 60):
        backlog.sent(seq, 0.0)
        backlog.receipted(seq, 5.0)
    backlog.sent(60, 10.0)
    assert 9.9 < backlog.next_due(10.0) <= 10.0
    for seq in range(61, 120):
        backlog.sent(seq, 20.0)
        backlog.receipted(seq, 20.1)
    backlog.sent(120, 30.0)
    assert backlog.due(31.0) == (60, 120)


@given(st.lists(st.tuples(st.sampled_from(["sent", "receipted", "forget"]), st.integers(1, 9))))
def test_a_receipted_record_never_goes_out_again(steps: list[tuple[str, int]]) -> None:
    backlog, out = Backlog(4, 1.0, 8.0), set()
    for step, seq in steps:
        if step == "sent":
            backlog.sent(seq, 0.0)
            out.add(seq)
        else:
            getattr(backlog, step)(seq, *([0.0] if step == "receipted" else []))
            out.discard(seq)
        assert set(backlog.due(1e9)) == out
        assert 0 <= backlog.room <= 4

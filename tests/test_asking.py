"""When a bench is asked again: soon after something is missing, then ever more seldom."""

from broker.asking import Asking
from broker.stored import NOTHING, Delivered, Missing

WHOLE = Missing(9, 9, ())
LACKING = Missing(3, 9, ((4, 5),))


def due(asking: Asking, now: float) -> list[tuple[str, bool, int]]:
    return [found[:3] for found in asking.due(now)]


def test_a_bench_is_looked_at_a_little_after_it_was_heard_and_then_left_alone() -> None:
    asking = Asking(2.0, 60.0)
    assert asking.next_due(0.0) == 60.0
    asking.heard("meja", False, 0.0)
    asking.heard("meja", False, 1.0)  # does not put it off
    assert due(asking, 1.9) == []
    assert asking.next_due(1.5) == 0.5
    assert due(asking, 2.0) == [("meja", False, 0)]
    asking.looked("meja", WHOLE, 2.0)
    assert due(asking, 1e9) == []
    asking.heard("meja", True, 10.0)
    assert due(asking, 11.9) == []
    assert due(asking, 12.0) == [("meja", True, 9)]  # what is complete is not read again


def test_the_pauses_grow_while_the_same_is_missing_and_begin_anew_with_progress() -> None:
    asking = Asking(2.0, 10.0)
    asking.heard("meja", False, 0.0)
    now, pauses = 0.0, []
    for _ in range(5):
        pauses.append(asking.next_due(now))
        now += pauses[-1]
        assert due(asking, now - 0.01) == []
        asking.looked("meja", LACKING, now)
    assert pauses == [2.0, 2.0, 4.0, 8.0, 10.0]
    asking.looked("meja", Missing(5, 9, ((6, 6),)), now)
    assert asking.next_due(now) == 2.0


def test_news_do_not_make_a_question_more_frequent_than_its_pause() -> None:
    asking = Asking(2.0, 60.0)
    asking.heard("meja", False, 0.0)
    for now in (2.0, 4.0, 8.0):
        asking.looked("meja", LACKING, now)
    asking.heard("meja", False, 8.1)
    assert due(asking, 15.9) == []
    assert due(asking, 16.0) == [("meja", False, 3)]


def test_of_each_bench_is_known_what_it_lacks_and_when_it_was_last_heard() -> None:
    asking = Asking(2.0, 60.0)
    asking.heard("meja", False, 0.0, "2026-11-24T08:00:00.000Z")
    asking.heard("meja", False, 1.0, "2026-11-24T09:00:00.000Z")
    asking.looked("meja", LACKING, 2.0)
    asking.heard("meja", False, 3.0, "2026-11-24T07:00:00.000Z")  # from the store
    meja = asking.benches["meja"]
    assert (meja.highest, meja.missing, meja.last) == (9, 2, "2026-11-24T09:00:00.000Z")
    asking.looked("meja", WHOLE, 4.0)
    assert meja.missing == 0


def test_a_bench_that_says_what_it_delivered_is_looked_at_when_that_is_news() -> None:
    asking = Asking(2.0, 60.0)
    asking.stated("meja", True, Delivered(5, 4), 0.0)
    asking.stated("meja", False, Delivered(3, 3), 0.0)  # on its other topic, from before
    assert list(asking.due(2.0)) == [("meja", True, 0, Delivered(5, 4))]
    asking.looked("meja", WHOLE, 2.0)
    asking.stated("meja", True, Delivered(5, 4), 3.0)
    assert list(asking.due(99.0)) == []
    asking.stated("meja", True, Delivered(5, 5), 100.0)
    assert list(asking.due(102.0)) == [("meja", True, 9, Delivered(5, 5))]
    asking.stated("meja", True, NOTHING, 102.0)  # what was last said counts
    assert list(asking.due(102.0)) == [("meja", True, 9, Delivered(3, 3))]


def test_nothing_is_taken_for_complete_after_the_store_was_away() -> None:
    asking = Asking(2.0, 60.0)
    asking.heard("meja", False, 0.0)
    asking.looked("meja", WHOLE, 2.0)
    asking.forget(50.0)
    assert due(asking, 52.0) == [("meja", False, 0)]

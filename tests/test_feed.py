"""A feed hands each indication to everyone who listens, and says what a slow listener lost."""

import time

from acquisition.feed import Feed
from tests.test_steady import shown


async def test_everyone_who_listens_gets_every_indication_in_order() -> None:
    feed = Feed("scale")
    feed.publish(shown("1", 0))
    with feed.listening() as one, feed.listening() as two:
        for text in ("2", "3"):
            feed.publish(shown(text, 0))
        for listener in (one, two):
            soon = time.monotonic() + 5
            got = [await listener.next_before(soon) for _ in range(2)]
            assert [i.text for i in got if i] == ["2", "3"]
    assert feed.latest is not None
    assert feed.latest.text == "3"


async def test_a_slow_listener_loses_the_oldest_and_is_told() -> None:
    feed = Feed("scale")
    with feed.listening(depth=2) as listener:
        for text in ("1", "2", "3", "4"):
            feed.publish(shown(text, 0))
        first = await listener.next_before(time.monotonic() + 5)
        assert first is not None
        assert first.text == "3"
        assert listener.lost == 2


async def test_waiting_ends_at_the_deadline() -> None:
    with Feed("scale").listening() as listener:
        assert await listener.next_before(time.monotonic() + 0.01) is None

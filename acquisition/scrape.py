"""One page over HTTP for Prometheus, and how ``tera doctor`` reads it.

Knows GET of one path and nothing else of HTTP; whoever asks for more, too much or too slowly is
answered shortly. It shows numbers and takes nothing in.
"""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from acquisition.config import listening_at
from acquisition.exposition import CONTENT_TYPE
from acquisition.faults import BadInput

_PATIENCE = 5.0
"""How long a question may take [s]."""
_LARGEST = 8192
"""Largest question [byte]."""
_AT_ONCE = 8
"""Most questions that are answered at a time."""


@asynccontextmanager
async def metrics_page(
    listen: str, page: Callable[[], Awaitable[str]], key: str = "metrics.listen"
) -> AsyncIterator[None]:
    """Answer GET /metrics until the block ends; ``key`` names the setting that says where."""
    host, port = listening_at(listen)
    open_now: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a handler of a server is a task
        open_now.add(task)
        try:
            if len(open_now) > _AT_ONCE:
                writer.write(_response("503 Service Unavailable", ""))
            else:
                async with asyncio.timeout(_PATIENCE):
                    writer.write(await _answer(reader, page))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it went away, was too slow or asked for too much
        finally:
            open_now.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    try:
        server = await asyncio.start_server(answer, host, port, limit=_LARGEST)
    except OSError as error:
        raise BadInput(
            "cannot listen at {value}: {why}",
            place=key,
            value=listen,
            why=error.strerror or error,
        ) from None
    try:
        yield
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        await server.wait_closed()


async def _answer(reader: asyncio.StreamReader, page: Callable[[], Awaitable[str]]) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    path = rest.split(" ")[0].partition("?")[0]
    if path != "/metrics":
        return _response("404 Not Found", "The numbers are at /metrics\n")
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", "")
    return _response("200 OK", await page(), head_only=method == "HEAD")


def _response(status: str, text: str, *, head_only: bool = False) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\nCache-Control: no-store\r\n\r\n"
    )
    return head.encode() + (b"" if head_only else body)


def ask(listen: str, *, within: float = 3.0) -> str | None:
    """Return the page of a service that runs here; None when nobody answers."""
    host, port = listening_at(listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - that is asked, not bound
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
    try:
        here = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with here.open(address, timeout=within) as answer:
            page: str = answer.read().decode()
    except (OSError, ValueError):
        return None
    return page

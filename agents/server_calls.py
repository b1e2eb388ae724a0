"""Requests to a model server: many at once but not too many, each with a time limit, repeated where that can help."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

Parsed = TypeVar("Parsed")

_AGAIN = frozenset({408, 409, 425, 429})
"""Client errors that may pass. Every error of the server's own (5xx) may."""
_REFUSED = frozenset({401, 403, 404, 405})
"""Nothing that is sent to this address, or with this key, will be answered."""


class ServerError(Exception):
    """One request has finally failed.

    Attributes:
        stop_reason: `server_timeout`, `server_error`, or `context_overflow` where the server says that the prompt is
            too long.
    """

    def __init__(self, message: str, stop_reason: str) -> None:
        super().__init__(message)
        self.stop_reason = stop_reason


class ServerRefusedError(Exception):
    """The server will not serve us at all: a wrong address, model or key."""


class MalformedReplyError(ValueError):
    """A reply without what was asked for."""


@dataclass(frozen=True)
class CallLimits:
    """How hard a server is pressed.

    Attributes:
        concurrency: Most requests under way; further ones wait here.
        timeout: Seconds for one request.
        retries: Further attempts after a time-out, a lost connection, a reply that cannot be read, or a status of 429
            or 5xx.
        first_delay: Seconds before the second attempt, on average; it doubles with each one.
        longest_delay: Most seconds between two attempts, also where the server asks for more (`Retry-After`).
    """

    concurrency: int = 64
    timeout: float = 600.0
    retries: int = 4
    first_delay: float = 0.5
    longest_delay: float = 30.0

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {self.concurrency}")
        if self.timeout <= 0:
            raise ValueError(f"timeout must be positive seconds, got {self.timeout}")
        if self.retries < 0:
            raise ValueError(f"retries must be 0 or more, got {self.retries}")
        if self.first_delay < 0 or self.longest_delay < 0:
            given = f"{self.first_delay} and {self.longest_delay}"
            raise ValueError(f"first_delay and longest_delay must be 0 or more seconds, got {given}")

    def delay(self, attempt: int, asked: float | None) -> float:
        """Seconds to wait after a failed attempt (0-based). Random, so that callers do not come back all at once."""
        if asked is not None:
            return min(asked, self.longest_delay)
        return min(self.first_delay * 2.0**attempt * random.uniform(0.5, 1.5), self.longest_delay)


@dataclass
class _Failure:
    """Why an attempt failed, and whether another one may help."""

    message: str
    stop_reason: str = "server_error"
    again: bool = True
    wait: float | None = None


@dataclass(frozen=True)
class Address:
    """A server and the key to it. The key is in no `repr` and in no message.

    Attributes:
        base_url: With scheme and, where the server has one, a path: `http://localhost:8000/v1`.
        api_key: Sent as a bearer token.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.username or parts.password:
            raise ValueError("base_url must hold no user name or password; give a key as api_key")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url must be like http://localhost:8000/v1, got {self.base_url!r}")

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    def hide_key(self, text: str) -> str:
        """A message of the server without the key, which some repeat."""
        return text.replace(self.api_key, "[api key]") if self.api_key else text


class ServerCalls:
    """Sends requests from a thread of its own, so that the caller need not be asynchronous.

    Args:
        address: Where to.
        limits: How many, and how long.
    """

    def __init__(self, address: Address, limits: CallLimits) -> None:
        _require_aiohttp()
        self.address = address
        self.limits = limits
        self._worker: _Worker | None = None

    def post(self, path: str, body: Mapping[str, Any], parse: Callable[[Any], Parsed]) -> Future[Parsed]:
        """Begin a request.

        Args:
            path: Behind the base URL.
            body: Sent as JSON.
            parse: From the JSON of the reply to what is wanted of it; raises `MalformedReplyError`.

        Returns:
            Its future result. It raises `ServerError`, or `ServerRefusedError`.
        """
        if self._worker is None:
            self._worker = _Worker(self.address, self.limits)
            weakref.finalize(self, self._worker.stop)
        return asyncio.run_coroutine_threadsafe(self._post(self._worker, path, body, parse), self._worker.loop)

    def close(self) -> None:
        """End what is under way and close all connections. A later `post` opens new ones."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    async def _post(
        self, worker: _Worker, path: str, body: Mapping[str, Any], parse: Callable[[Any], Parsed]
    ) -> Parsed:
        data = json.dumps(body, ensure_ascii=True).encode()
        attempt = 0
        while True:
            async with worker.places:
                result = await self._attempt(await worker.session(), path, data, parse)
            if not isinstance(result, _Failure):
                return result
            if not result.again or attempt == self.limits.retries:
                tried = "" if attempt == 0 else f" (attempt {attempt + 1})"
                raise ServerError(f"{self.address.base_url}{path}: {result.message}{tried}", result.stop_reason)
            await asyncio.sleep(self.limits.delay(attempt, result.wait))
            attempt += 1

    async def _attempt(self, session: Any, path: str, data: bytes, parse: Callable[[Any], Parsed]) -> Parsed | _Failure:
        import aiohttp

        options = {"timeout": aiohttp.ClientTimeout(total=self.limits.timeout), "allow_redirects": False}
        url = self.address.base_url.rstrip("/") + path
        try:
            async with session.post(url, data=data, **options) as reply:
                text = (await reply.read()).decode("utf-8", "replace")
                if reply.status != 200:
                    return self._failed(path, reply.status, text, reply.headers.get("Retry-After"))
        except asyncio.TimeoutError:
            return _Failure(f"no reply within {self.limits.timeout:g} s", "server_timeout")
        except (aiohttp.ClientError, OSError) as error:
            return _Failure(f"{type(error).__name__}: {self.address.hide_key(str(error))}")
        try:
            return parse(json.loads(text))
        except (MalformedReplyError, ValueError) as error:
            return _Failure(f"a reply that cannot be read ({error}): {self._short(text)}")

    def _failed(self, path: str, status: int, text: str, retry_after: str | None) -> _Failure:
        message = f"status {status}: {self._short(text)}"
        if status in _REFUSED:
            raise ServerRefusedError(f"{self.address.base_url}{path}: {message}")
        if status == 400 and "context length" in text.lower():
            return _Failure(message, "context_overflow", again=False)
        return _Failure(message, again=status in _AGAIN or status >= 500, wait=_number(retry_after))

    def _short(self, text: str) -> str:
        return self.address.hide_key(text if len(text) <= 300 else text[:300] + " [...]")


class _Worker:
    """A thread with an event loop and the connections that live in it."""

    def __init__(self, address: Address, limits: CallLimits) -> None:
        self.loop = asyncio.new_event_loop()
        self.places = asyncio.Semaphore(limits.concurrency)
        self._address, self._limits = address, limits
        self._session: Any = None
        threading.Thread(target=self._run, name="turnwise-server-calls", daemon=True).start()

    async def session(self) -> Any:
        """The connections, opened when they are first asked for."""
        import aiohttp

        if self._session is None:
            headers = {"Content-Type": "application/json", **self._address.headers}
            connector = aiohttp.TCPConnector(limit=self._limits.concurrency)
            self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self._session

    def stop(self) -> None:
        """End the thread, and with it what is under way."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.run_until_complete(self._close())
        self.loop.close()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text or ""))
    except ValueError:
        return None


def _require_aiohttp() -> None:
    try:
        import aiohttp  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError("OpenAIPolicy needs aiohttp: pip install turnwise[server]", name=error.name) from error

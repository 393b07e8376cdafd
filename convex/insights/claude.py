"""The edge to Anthropic's Messages API. The SDK is imported when a call is made, not before.

Requests are streamed: a stream that falls silent is noticed early, and the tokens used are known
even when what comes back cannot be read. (`messages.parse` raises before anybody sees the usage of
an answer that was cut off, so the schema goes along as it would there, and the text is read here.)
Retries are ours for the same kind of reason: the SDK waits as long as a Retry-After says, this
waits no longer than the caller does.
"""

from __future__ import annotations

import asyncio
import email.utils
import importlib
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from convex.insights.model import Fallback, Usage
from convex.insights.prompts import Prompt
from convex.settings import InsightSettings

if TYPE_CHECKING:
    import anthropic
    from anthropic.types import Message

_LONGEST_PAUSE = 8.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `stop`: end_turn, max_tokens, refusal, …"""

    text: str
    stop: str
    usage: Usage
    request_id: str
    model: str


class CallFailed(Exception):  # not a ConvexError: nobody but the writer of an insight sees it
    """A call without an answer. `charged`: it may have cost something all the same."""

    def __init__(self, why: Fallback, detail: str, *, charged: bool = False) -> None:
        super().__init__(f"{why.value}: {detail}")
        self.why = why
        self.detail = detail
        self.charged = charged


class Claude:
    """A client with a key. Open it with `Claude.open`."""

    def __init__(self, client: anthropic.AsyncAnthropic, settings: InsightSettings) -> None:
        self._client = client
        self._settings = settings

    @classmethod
    @asynccontextmanager
    async def open(cls, api_key: str, settings: InsightSettings) -> AsyncIterator[Self | None]:
        """A client while the block lasts; None without a key."""
        if not api_key:
            yield None
            return
        sdk = await asyncio.to_thread(importlib.import_module, "anthropic")  # takes a second
        client = sdk.AsyncAnthropic(
            api_key=api_key,
            base_url=settings.base_url or None,
            timeout=settings.timeout.total_seconds(),
            max_retries=0,
        )
        async with client:
            yield cls(client, settings)

    async def count(self, prompt: Prompt, model: str) -> int:
        """Tokens that the prompt will have. Raises `CallFailed`."""
        asked = self._parameters(prompt, model)
        del asked["max_tokens"]

        async def call() -> int:
            found = await self._client.messages.count_tokens(**asked)
            return int(found.input_tokens)

        return cast("int", await self._patiently(call))

    async def ask(self, prompt: Prompt, model: str) -> Answer:
        """One answer, streamed. Raises `CallFailed`."""
        asked = self._parameters(prompt, model)

        async def call() -> Answer:
            async with self._client.messages.stream(**asked) as stream:
                message = await stream.get_final_message()
                return _read(cast("Message", message), stream.request_id or "")

        return cast("Answer", await self._patiently(call, charged=True))

    async def submit(self, prompts: Mapping[str, tuple[Prompt, str]]) -> str:
        """Hand in a batch of (prompt, model) by a name each; its id. Raises `CallFailed`."""
        requests = [
            {"custom_id": name, "params": self._parameters(prompt, model)}
            for name, (prompt, model) in prompts.items()
        ]

        async def call() -> str:
            batch = await self._client.messages.batches.create(requests=cast("Any", requests))
            return batch.id

        return cast("str", await self._patiently(call))

    async def collect(self, batch_id: str) -> dict[str, Answer | CallFailed] | None:
        """What each request of a batch brought; None while it is at work. Raises `CallFailed`."""

        async def call() -> dict[str, Answer | CallFailed] | None:
            batch = await self._client.messages.batches.retrieve(batch_id)
            if batch.processing_status != "ended":
                return None
            found: dict[str, Answer | CallFailed] = {}
            async for one in await self._client.messages.batches.results(batch_id):
                result = one.result
                if result.type == "succeeded":
                    found[one.custom_id] = _read(result.message, batch_id)
                else:
                    found[one.custom_id] = CallFailed(Fallback.REFUSED_REQUEST, result.type)
            return found

        return cast("dict[str, Answer | CallFailed] | None", await self._patiently(call))

    def _parameters(self, prompt: Prompt, model: str) -> dict[str, Any]:
        from anthropic import transform_schema

        schema = transform_schema(prompt.shape.model_json_schema())
        # The instructions never change, so they are kept at Anthropic's for the next call.
        cached = {"type": "ephemeral"}
        return {
            "model": model,
            "max_tokens": self._settings.max_tokens,
            "system": [{"type": "text", "text": prompt.system, "cache_control": cached}],
            "messages": list(prompt.messages),
            "thinking": {"type": "adaptive", "display": "omitted"},
            "output_config": {
                "effort": self._settings.effort,
                "format": {"type": "json_schema", "schema": schema},
            },
        }

    async def _patiently(self, call: Any, *, charged: bool = False) -> Any:
        """Call until it answers, within the setting's time and attempts."""
        from anthropic import AnthropicError

        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.timeout.total_seconds()
        for attempt in range(1, self._settings.attempts + 1):
            try:
                async with asyncio.timeout_at(deadline):
                    return await call()
            except TimeoutError:
                raise CallFailed(Fallback.TIMED_OUT, "no answer in time", charged=charged) from None
            except AnthropicError as error:
                failed, again, pause = _judge(error, attempt, charged=charged)
                if not again or attempt == self._settings.attempts:
                    raise failed from error
                if loop.time() + pause >= deadline:
                    raise failed from error
                await asyncio.sleep(pause)
        raise AssertionError("attempts are positive")


def _read(message: Message, request_id: str) -> Answer:
    usage = message.usage
    details = usage.output_tokens_details
    return Answer(
        text="".join(block.text for block in message.content if block.type == "text"),
        stop=message.stop_reason or "",
        usage=Usage(
            input=usage.input_tokens,
            cache_read=usage.cache_read_input_tokens or 0,
            cache_write=usage.cache_creation_input_tokens or 0,
            output=usage.output_tokens,
            thinking=details.thinking_tokens if details else 0,
        ),
        request_id=request_id,
        model=message.model,
    )


def _judge(
    error: anthropic.AnthropicError, attempt: int, *, charged: bool
) -> tuple[CallFailed, bool, float]:
    """What an error means, whether to try again, and after how many seconds."""
    import anthropic

    pause = min(_LONGEST_PAUSE, 0.5 * 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.25)
    if isinstance(error, anthropic.APITimeoutError):
        return CallFailed(Fallback.TIMED_OUT, "no answer in time", charged=charged), False, 0.0
    if isinstance(error, anthropic.APIConnectionError):
        return CallFailed(Fallback.UNREACHABLE, error.message, charged=charged), True, pause
    if not isinstance(error, anthropic.APIStatusError):
        return CallFailed(Fallback.REFUSED_REQUEST, str(error)), False, 0.0
    headers = error.response.headers
    asked = _retry_after(headers.get("retry-after"))
    pause = pause if asked is None else asked
    again = headers.get("x-should-retry") != "false"
    # An error inside a stream comes with status 200: then its type says what it is.
    status, type_ = error.status_code, error.type
    if status == 429 or type_ == "rate_limit_error":
        return CallFailed(Fallback.RATE_LIMITED, "too many requests"), again, pause
    if status >= 500 or type_ in ("overloaded_error", "api_error", "timeout_error"):
        started = status < 400
        return CallFailed(Fallback.OVERLOADED, f"status {status}", charged=started), again, pause
    if status in (401, 403):
        return CallFailed(Fallback.REFUSED_KEY, f"status {status}"), False, 0.0
    if status == 413:
        return CallFailed(Fallback.TOO_LARGE, "status 413"), False, 0.0
    return CallFailed(Fallback.REFUSED_REQUEST, f"status {status} {type_ or ''}"), False, 0.0


def _retry_after(value: str | None) -> float | None:
    """Seconds, given as such or as a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        parsed = email.utils.parsedate_tz(value)
        return None if parsed is None else max(0.0, email.utils.mktime_tz(parsed) - time.time())

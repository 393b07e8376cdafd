"""Traces across request, commit and delivery, in the form of W3C's `traceparent`.

What is current is one text in a context variable, so that a caller's trace is carried through and
sent on whether spans are recorded here or not. Spans are recorded once `configure_traces` was given
an endpoint; OpenTelemetry's packages (0.7 s) are imported then and never otherwise.
"""

from __future__ import annotations

import re
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from convex.settings import TraceSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as Recorded
    from opentelemetry.trace import Tracer

Kind = Literal["server", "client", "producer", "consumer", "internal"]
_FORM = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_EXPORT_EVERY = 1_000  # milliseconds

_current: ContextVar[str] = ContextVar("traceparent", default="")


class _Recording:
    """What this process records with; nothing while it is off."""

    tracer: Tracer | None = None
    provider: TracerProvider | None = None


def configure_traces(settings: TraceSettings, *, service: str) -> None:
    """Record spans and send them to the endpoint; without effect when there is none, or again."""
    if not settings.endpoint or _Recording.tracer is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from convex import __version__

    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": f"convex-{service}", "service.version": __version__}
        ),
        sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
    )
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", headers=settings.headers, timeout=5
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_EXPORT_EVERY))
    _Recording.provider, _Recording.tracer = provider, provider.get_tracer("convex")


def flush_traces() -> None:
    """Send what waits. Blocks for some seconds when the collector does not answer."""
    if _Recording.provider is not None:
        _Recording.provider.force_flush(5_000)


def end_traces() -> None:
    """Send what waits and record no more. Blocks as `flush_traces` does."""
    if _Recording.provider is not None:
        _Recording.provider.shutdown()
        _Recording.provider = _Recording.tracer = None


def are_recorded() -> bool:
    """Whether spans are recorded in this process."""
    return _Recording.tracer is not None


def current_trace() -> str:
    """The `traceparent` of what is at work here; empty outside of any trace."""
    return _current.get()


def read_traceparent(header: str | None) -> str:
    """A header as a caller sent it; empty when it is none, or of a version not known here."""
    return header if header and _FORM.fullmatch(header) else ""


class resume:  # noqa: N801 - used as a block
    """Go on with a trace that came from elsewhere, while the block lasts; empty: outside of any."""

    def __init__(self, traceparent: str | None) -> None:
        self._traceparent = traceparent or ""
        self._token: Token[str] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self._traceparent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._token is not None:
            _reset(self._token)


class span:  # noqa: N801 - used as a block
    """Record what the block does as a part of the current trace, or of a new one.

    Without an endpoint it does nothing. An error is recorded by its kind alone: its message may
    hold what no collector should see.
    """

    def __init__(self, name: str, *, kind: Kind = "internal", **attributes: Any) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._span: Recorded | None = None
        self._token: Token[str] | None = None

    def __enter__(self) -> Self:
        tracer = _Recording.tracer
        if tracer is None:
            return self
        from opentelemetry.trace import SpanKind

        self._span = tracer.start_span(
            self._name,
            context=_context(_current.get()),
            kind=SpanKind[self._kind.upper()],
            attributes=_named(self._attributes),
        )
        it = self._span.get_span_context()
        text = f"00-{it.trace_id:032x}-{it.span_id:016x}-{int(it.trace_flags):02x}"
        self._token = _current.set(text)
        return self

    def tell(self, name: str = "", **attributes: Any) -> None:
        """Another name, and attributes known only now (`http__route` is `http.route`)."""
        if self._span is not None:
            if name:
                self._span.update_name(name)
            self._span.set_attributes(_named(attributes))

    def fail(self, why: str) -> None:
        """It did not do what it should."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, why))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._span is not None:
            if kind is not None:
                self.fail(kind.__name__)
            self._span.end()
        if self._token is not None:
            _reset(self._token)


def _reset(token: Token[str]) -> None:
    try:
        _current.reset(token)
    except ValueError:  # the block ends in another context, which never saw it
        _current.set("")


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items()}


def _context(traceparent: str) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    found = _FORM.fullmatch(traceparent)
    if found is None:
        return Context()
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(parent), Context())

"""What a rule wants to be said instead: templates, sandboxed, with plain words as the way out.

`alert_rules.templates` is `{"default"|channel kind: {"title": "…", "body": "…"}}` in Jinja's
language. A template sees the trigger and the message, and nothing else; it may not run long or say
much. What it yields is text: each channel escapes it as everything else. One that fails is replaced
by the plain message, which then says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from convex.errors import InvalidInput
from convex.notifications.channels.message import Message, shorten
from convex.notifications.model import ChannelKind

MOST_TEMPLATE = 4_000
MOST_TITLE, MOST_BODY = 200, 4_000
_FAILURES = (
    TemplateError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    MemoryError,
)


class _Sandbox(ImmutableSandboxedEnvironment):
    """No attributes that lead out, no operators that grow without bounds."""

    intercepted_binops = frozenset({"**", "*", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if (
            operator == "**"
            or isinstance(left, str | list | tuple)
            or isinstance(right, str | list | tuple)
        ):
            raise SecurityError(f"the operator {operator} is not available in templates")
        return super().call_binop(context, operator, left, right)


_environment = _Sandbox(undefined=StrictUndefined, autoescape=False)
_environment.globals = {}
for _name in ("center", "indent", "wordwrap", "pprint", "xmlattr", "urlize", "format", "random"):
    _environment.filters.pop(_name, None)


def apply(message: Message, kind: ChannelKind) -> Message:
    """The message in the words of its rule's template for this kind of channel, if it has one."""
    chosen = message.templates.get(kind.value) or message.templates.get("default")
    if not isinstance(chosen, Mapping) or not message.parts:
        return message
    try:
        title, lines = message.title, list(message.lines)
        if chosen.get("title"):
            title = shorten(" ".join(_render(str(chosen["title"]), message).split()), MOST_TITLE)
        if chosen.get("body"):
            body = shorten(_render(str(chosen["body"]), message).strip(), MOST_BODY)
            lines = [line for line in body.splitlines() if line.strip()]
    except _FAILURES as error:
        said = f"(The rule's template failed: {shorten(str(error), 120)}. This is the plain text.)"
        return replace(message, lines=[*message.lines, said])
    return replace(message, title=title or message.title, lines=lines or message.lines)


def check(templates: Mapping[str, Any]) -> None:
    """Refuse what can never be rendered. Raises `InvalidInput`."""
    kinds = {"default", *(kind.value for kind in ChannelKind)}
    for name, template in templates.items():
        if name not in kinds:
            raise InvalidInput(
                f"There are templates for {', '.join(sorted(kinds))}, not {name!r}.",
                field="templates",
            )
        for part, text in dict(template).items():
            if part not in ("title", "body"):
                raise InvalidInput(
                    f"A template has a title and a body, not {part!r}.", field=f"templates.{name}"
                )
            if len(str(text)) > MOST_TEMPLATE:
                raise InvalidInput(
                    f"A template has at most {MOST_TEMPLATE} characters.", field=f"templates.{name}"
                )
            try:
                _compiled(str(text))
            except (TemplateError, RecursionError) as error:
                raise InvalidInput(
                    f"The template cannot be read: {error}.", field=f"templates.{name}.{part}"
                ) from None


def _render(text: str, message: Message) -> str:
    if len(text) > MOST_TEMPLATE:
        raise TemplateError(f"it has more than {MOST_TEMPLATE} characters")
    first = message.parts[0]
    said, length = [], 0
    for piece in _compiled(text).generate(
        trigger=first.trigger,
        title=message.title,
        lines=list(message.lines),
        kind=message.kind.value,
        severity=message.severity,
        count=len(message.parts),
        triggers=[part.trigger for part in message.parts[:100]],
        url=message.url,
        note=first.payload.get("note", ""),
        author=first.payload.get("author", ""),
    ):
        said.append(piece)
        length += len(piece)
        if length > 10 * MOST_BODY:
            break
    return "".join(said)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    tree = _environment.parse(text)
    if any(tree.find_all((nodes.Macro, nodes.CallBlock, nodes.Include, nodes.Import))):
        raise TemplateError("macros, includes and imports are not available in templates")
    for loop in tree.find_all(nodes.For):
        if loop.recursive or any(loop.find_all(nodes.For)):
            raise TemplateError("a loop in a loop could run for ever")
    return _environment.from_string(text)

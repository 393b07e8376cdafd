"""Templates say what a rule wants, in a sandbox; one that fails still sends the plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from convex.errors import InvalidInput
from convex.notifications.channels.html import page
from convex.notifications.channels.message import Message
from convex.notifications.channels.slack import blocks
from convex.notifications.model import ChannelKind
from convex.notifications.templates import MOST_BODY, apply, check
from tests.convex.notifications.test_channels import message


def rendered(kind: ChannelKind = ChannelKind.EMAIL, **template: str) -> Message:
    return apply(replace(message(), templates={"default": template}), kind)


def test_a_template_sees_the_trigger_and_the_message() -> None:
    said = rendered(
        title="{{ trigger.framework_name }} at {{ trigger.value }}",
        body="{{ severity }}\n{% for one in triggers %}{{ one.metric }}{% endfor %}\n\n{{ url }}",
    )
    assert said.title == "Newark at 0.5"
    assert said.lines == ["critical", "cancel_rate", message().url]


def test_a_channel_has_its_own_words_or_those_of_all() -> None:
    templates = {"default": {"title": "all"}, "slack": {"title": "chat"}}
    said = replace(message(), templates=templates)
    assert apply(said, ChannelKind.SLACK).title == "chat"
    assert apply(said, ChannelKind.EMAIL).title == "all"
    assert apply(replace(said, templates={"slack": {"title": "x"}}), ChannelKind.EMAIL).title == (
        message().title
    )


@pytest.mark.parametrize(
    "body",
    [
        "{{ missing }}",
        "{{ trigger.missing.deeper }}",
        "{{ 1 / 0 }}",
        "{% for %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ trigger.__class__ }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% include 'x' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in triggers %}{% for b in triggers %}{% endfor %}{% endfor %}",
        "{{ lines.append('x') }}",
        "{{ cycler }}{{ range(10) }}",
        "x" * 5000,
    ],
)
def test_one_that_fails_sends_the_plain_words_and_says_so(body: str) -> None:
    said = rendered(body=body)
    assert said.title == message().title
    assert list(said.lines[:-1]) == list(message().lines)
    assert "template failed" in said.lines[-1]


def test_long_ones_are_cut_and_empty_ones_fall_back() -> None:
    long = rendered(
        title="{{ 'y' ~ 'x'.join(lines) }}",
        body="{% for one in lines %}" + "z" * 3900 + "{% endfor %}\n" + "{{ url }}",
    )
    assert sum(map(len, long.lines)) <= MOST_BODY
    empty = rendered(title="  ", body="\n \n")
    assert (empty.title, list(empty.lines)) == (message().title, list(message().lines))


def test_what_a_template_says_is_escaped_by_each_channel() -> None:
    said = rendered(body="<b>{{ '<i>' }}</b> & more")
    assert "&lt;b&gt;&lt;i&gt;" in page(said)
    assert "&lt;b&gt;&lt;i&gt;" in str(blocks(said))


@pytest.mark.parametrize(
    "templates",
    [
        {"fax": {"title": "x"}},
        {"email": {"subject": "x"}},
        {"email": {"title": "{{"}},
        {"email": {"body": "x" * 5000}},
    ],
)
def test_what_can_never_be_rendered_is_refused(templates: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        check(templates)


def test_what_can_be_rendered_is_taken() -> None:
    check({"default": {"title": "{{ trigger.rule }}"}, "email": {"body": "{{ url }}"}})

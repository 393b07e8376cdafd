"""The HTML of a mail: tables and inline styles, as mail readers want it; light and dark."""

from __future__ import annotations

from html import escape

from convex.notifications.channels.message import Message, shorten
from convex.notifications.model import Kind

_COLOURS = {"critical": "#c01c28", "warning": "#b54708", "info": "#175cd3"}
_DONE = "#067647"
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


def page(message: Message) -> str:
    """The whole document; every value is escaped."""
    colour = _DONE if message.kind is Kind.RESOLVED else _COLOURS[message.severity]
    badge = "resolved" if message.kind is Kind.RESOLVED else message.severity
    title = escape(message.title)
    preview = escape(shorten(message.lines[0] if message.lines else message.title, 120))
    body = "".join(
        f'<p style="margin:0 0 12px;font-size:15px;line-height:22px">{escape(line)}</p>'
        for line in message.lines
    )
    facts = "".join(
        '<tr><td style="padding:6px 16px 6px 0;color:#667085;font-size:13px;white-space:nowrap;'
        f'vertical-align:top">{escape(name)}</td>'
        f'<td style="padding:6px 0;font-size:13px;word-break:break-word">{escape(value)}</td></tr>'
        for name, value in message.facts
    )
    table = (
        '<table role="presentation" cellpadding="0" cellspacing="0" style="margin:4px 0 20px;'
        f'border-top:1px solid #eaecf0;width:100%">{facts}</table>'
        if facts
        else ""
    )
    runbook = (
        f'<a href="{escape(message.runbook_url)}" style="color:{colour};font-size:14px;'
        'margin-left:16px">Runbook</a>'
        if message.runbook_url.startswith(("https://", "http://"))
        else ""
    )
    footer = (
        f' · <a href="{escape(message.unsubscribe_url)}" style="color:#667085">No more of these by'
        " e-mail</a>"
        if message.unsubscribe_url
        else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:24px 12px;background:#f2f4f7;{_FONT};color:#101828">
<div style="display:none;max-height:0;overflow:hidden">{preview}</div>
<table role="presentation" cellpadding="0" cellspacing="0" align="center"
 style="width:100%;max-width:600px;margin:0 auto;background:#ffffff;border-radius:12px;
 border-top:4px solid {colour}">
<tr><td style="padding:24px 28px 8px">
<span style="display:inline-block;padding:2px 10px;border-radius:10px;background:{colour};
 color:#ffffff;font-size:12px;line-height:18px;font-weight:600">{escape(badge)}</span>
<h1 style="margin:12px 0 12px;font-size:20px;line-height:28px">{title}</h1>
{body}{table}
<a href="{escape(message.url)}" style="display:inline-block;padding:10px 18px;border-radius:8px;
 background:{colour};color:#ffffff;font-size:14px;font-weight:600;text-decoration:none">Open in
 Convex</a>{runbook}
</td></tr>
<tr><td style="padding:20px 28px 24px;color:#667085;font-size:12px;line-height:18px">
Sent by Convex because of your notification preferences{footer}
</td></tr>
</table>
</body>
</html>
"""

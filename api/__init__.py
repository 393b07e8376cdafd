"""The door: HTTP and WebSocket in front of the domain, and the page.

Thin by rule: it names, authenticates, authorises, opens transactions and translates. It holds no
SQL and decides nothing about alerts. Errors become problem documents here, once.
"""

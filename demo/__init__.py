"""The demo: a real year of three airports, shown through the public doors of the product.

Owns the committed data and the script that rebuilds it, the demo's workspace (workspace.yaml), the
local sinks that receive its notifications, and the run behind `make demo`. Owns no behaviour of the
product: what the demo shows is done by the API, the flows and the domain, and nothing is invented
for it.
"""

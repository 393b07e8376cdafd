"""Insights and recommendations: what the figures mean, written so that every number is backed.

Owns evidence packs (facts from the other packages' figures), the call to Claude and what it may
cost, the verification of what comes back, the templates that write the same without a model, and
recommendations with what became of them. It owns no figure of its own: each fact is the answer of
a query of the package that knows it. `claude` imports the SDK only when there is a key and a call
to make.
"""

"""The alert engine: rules, their evaluation, triggers, and what mutes them.

Owns the life of a rule and of a trigger, the decision at every point (`evaluate`, pure) and the one
transaction in which points come in and are evaluated (`ingest`). Owns neither points (they are in
`convex.metrics`) nor who is told what by which channel (`convex.notifications` plans that from the
transitions written here).

| step | input | output | side effects |
|---|---|---|---|
| measure | points of a series, times to evaluate | what the rule compares, at each time | none |
| evaluate | rule, measurement, state, time | new state, transition or none, reason | none |
| replay | a run of measurements | the same as evaluating one by one, faster | none |
| ingest | a batch of points | counts, triggers, a live cursor | one transaction |
"""

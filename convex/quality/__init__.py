"""Whether the data can be trusted: expectations, their results, and reports for people.

Owns the suites (Great Expectations, in code), running them under a workspace's row level
security, `quality_runs`, and the Data Docs in the home with everything that they load. It changes
no point and opens no alert. Great Expectations is imported only where it runs: it costs seconds.
"""

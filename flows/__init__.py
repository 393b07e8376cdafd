"""What Prefect schedules and retries: one flow per file, named as a verb phrase.

Thin by rule: a flow names, schedules and logs; tasks open transactions and call the domain. Flows
go on from watermarks in the database, so one that runs late or twice does no harm.
"""

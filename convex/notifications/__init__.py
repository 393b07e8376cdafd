"""Who is told what, when, how, and why (not): planning, the outbox, the ledger, the channels.

Owns preferences, the pure planner, the outbox with its leases and retries, the channels with what
they say, the in-app inbox and the words of the ledger. It reads triggers and transitions and never
changes them; rules and silences are kept by `convex.alerts`. Nothing here opens a transaction
except `shift`, which is the loop that flows run.

| file | input | output | side effects |
|---|---|---|---|
| plan | transitions, members, mutes, history, now | notifications with a reason each | none |
| service | planning queue | rows of the ledger and outbox | the caller's transaction |
| outbox | due notifications | claims with a lease; recorded attempts | the caller's transaction |
| deliver | claimed notifications | outcomes | the network, never a transaction |
| shift | a database, channels | windows of counts | transactions around the above |
"""

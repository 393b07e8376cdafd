"""One module per channel, each with the same small interface: a message in, a receipt out.

Owns how a message looks on its channel and how it is handed over. Knows nothing of the database:
what to send, to whom, with which opened secrets, is given; what came of it is returned.
"""

"""Bodies of requests and answers, one file per concept, and how a value becomes its JSON.

Requests are validated by these models. Answers are written straight from the domain's values, for
speed; the models describe them in the OpenAPI document, and tests hold the two together.
"""

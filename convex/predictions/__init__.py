"""Predictions: how likely each rule is to fire within the next hours, and how good that was.

Owns the history that models learn from, the experts and their mixture, the hindcast that measures
them, stored predictions with their verification and scorecard, and the forecast of a series with
its bands. Owns no rule and no trigger: it reads them. Risk reads stored predictions by itself.

The clock: a prediction made at t uses what is stamped before t, and speaks of triggers that open in
[t, t + horizon). Nothing later may move it; tests corrupt the future to prove that.
"""

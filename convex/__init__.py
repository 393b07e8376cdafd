"""The domain of Convex: everything that decides about metrics, alerts and what is learnt from them.

Importable without FastAPI or Prefect. The packages are layered; `make check` proves the layers.
"""

__version__ = "0.1.0"

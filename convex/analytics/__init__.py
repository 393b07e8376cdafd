"""Marts: building them with dbt, and reading them for people.

Owns the dbt project's place in the product (`dbt/`), where its files go in the home, and the
statements behind /analytics, which read schema `analytics` alone. It owns no formula: those are in
the models of `dbt/`, each with a unit test beside it. `build` imports dbt only when it runs it.
"""

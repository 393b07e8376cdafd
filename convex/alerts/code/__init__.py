"""Rules as files: reading them, what they would change, applying them, writing them out.

Owns the YAML form of a rule and its JSON schema, the comparison of files with what is stored, the
SLO template, the import of Prometheus' rule files, and the unit tests of rules. Owns neither what
makes sense in a rule (`convex.alerts.validate`) nor how one is saved (`rule_service`).

| step | input | output | side effects |
|---|---|---|---|
| read | files' texts | entries, problems with file and line | none |
| plan | entries, stored rules, known metrics | what would change, a fingerprint of it | none |
| apply | a plan | the rules as they are now | the caller's transaction |
"""

"""Local servers as supervised children: PostgreSQL and Valkey from wheels, and how a child lives.

Owns starting, watching and stopping processes on this machine, and where their data, ports,
passwords and logs are kept in the home. It knows nothing of schemas, roles or flows. Importing the
package costs nothing: the classes are in `postgres`, `valkey` and `process`, and `child` is run as
a program by every process that must die together with the one that started it.
"""

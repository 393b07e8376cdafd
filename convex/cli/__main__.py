"""`python -m convex.cli` is `convex`."""

from convex.cli import main

main()

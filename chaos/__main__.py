"""Soak and chaos: mixed load while processes are killed at random, then the proof.

    python -m chaos --minutes 30 [--clients 1000] [--seed 1] [--json FILE]

Exit 1 when something that must hold does not; the figures are printed either way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import secrets
import sys
from pathlib import Path

from chaos.run import Outcome, Plan, run
from chaos.stand import VICTIMS


def main() -> int:
    """Run it and print what it found: words on standard error, JSON on standard output."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seed", type=int, help="makes the same choices again")
    parser.add_argument("--pause", type=float, nargs=2, default=(4.0, 16.0), metavar="SECONDS")
    parser.add_argument("--episodes", type=float, default=2.0, help="alerts a second")
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = Plan(
        seconds=options.minutes * 60,
        clients=options.clients,
        seed=secrets.randbelow(10**6) if options.seed is None else options.seed,
        pause=(options.pause[0], options.pause[1]),
        victims=tuple(options.victims),
        episodes_a_second=options.episodes,
    )
    outcome = asyncio.run(run(plan, lambda line: print(f"· {line}", file=sys.stderr, flush=True)))
    figures = {**outcome.figures, "wrong": outcome.wrong}
    text = json.dumps(figures, indent=1, default=str)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)
    print("\n".join(_words(outcome)), file=sys.stderr)
    return 1 if outcome.wrong else 0


def _words(outcome: Outcome) -> list[str]:
    found = outcome.figures
    events, points = found["events"], found["points"]
    return [
        "",
        f"killed      {sum(found['killed'].values())}: {found['killed']}",
        f"points      {points}",
        f"triggers    {found['triggers']}",
        f"webhooks    {found['ledger']['webhooks']}",
        f"events      {events}",
        f"requests    {found['requests']}",
        f"most held   {found['most_held']}",
        *(f"WRONG       {line}" for line in outcome.wrong),
        "wrong" if outcome.wrong else "everything holds",
    ]


if __name__ == "__main__":
    sys.exit(main())

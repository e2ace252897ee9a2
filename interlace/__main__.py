"""``interlace demo``: first fits, and a check that the installation works."""

from __future__ import annotations

import argparse
import os
import sys

DEMO = """\
import interlace as il
sleep = il.load_dataset("sleepstudy")
print(sleep.head(3))
m = il.fit("Reaction ~ Days + (1 + Days | Subject)", sleep)
print(m.summary())
print(m.predict(sleep.head(3)))
cbpp = il.load_dataset("cbpp")
print(cbpp.head(3))
g = il.glmer("incidence / size ~ period + (1 | herd)", cbpp, family="binomial")
print(g.summary())
"""


def demo() -> None:
    """Fit the data sleepstudy and cbpp, showing each line of the session above what it prints."""
    namespace: dict[str, object] = {}
    for line in DEMO.splitlines():
        print(f">>> {line}")
        exec(line, namespace)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        The arguments after ``interlace``; default: those of the process.
    """
    import interlace

    parser = argparse.ArgumentParser(prog="interlace", description=interlace.__doc__)
    parser.add_argument("--version", action="version", version=interlace.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("demo", help="fit two first models").set_defaults(run=demo)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has enough, as in `interlace demo | head`; nothing is left to be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()

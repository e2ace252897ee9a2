"""The command line: ``interlace demo``, first fits; ``interlace translate``, scripts in R."""

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


def translate(file: str) -> None:
    """Print the Python script of an R script; a hyphen stands for the standard input."""
    from .interop.r.script import translate as translated

    try:
        if file == "-":
            source = sys.stdin.read()
        else:
            with open(file, encoding="utf-8-sig") as script:
                source = script.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"interlace translate: {file} cannot be read: {error}") from None
    print(translated(source), end="")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        The arguments after ``interlace``; default: those of the process.
    """
    import interlace

    parser = argparse.ArgumentParser(
        prog="interlace", description=(interlace.__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--version", action="version", version=interlace.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("demo", help="fit two first models").set_defaults(run=lambda _: demo())
    of_r = commands.add_parser("translate", help="print the Python script of an R script")
    of_r.add_argument("file", help="the R script; - for the standard input")
    of_r.set_defaults(run=lambda chosen: translate(chosen.file))
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has enough, as in `interlace demo | head`; nothing is left to be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()

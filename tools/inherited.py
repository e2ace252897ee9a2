"""What the reference says of members that several kinds of results have: once, with links.

The page of a kind of results has a list of the members that it shares with others, and then its
own. In the list each is a link to where it is described, with the anchor that it would have on the
page, ``#interlace.LMMResult.aic``.
"""

from __future__ import annotations

import inspect
import pkgutil
import re

#: Classes that are described once, on the page of all results, and what results they are of.
SHARED = {
    "interlace.results.ordinal.OrdinalResult": "of all models of ordered categories",
    "interlace.results.generalised.GeneralisedResult": "of all generalised models",
    "interlace.results.mixed.MixedResult": "of all mixed models",
    "interlace.results.base.ModelResult": "of all models",
}
PAGE = "results.md"
#: A kind of results in a page of the reference, with its options.
KIND = re.compile(r"^::: (interlace\.\w+Result)\n(?:    .*(?:\n|$))*", re.MULTILINE)


def members(cls: type) -> dict[str, str | None]:
    """Public members with a docstring, and the shared class that has each; None for its own."""
    paths = {pkgutil.resolve_name(path): path for path in SHARED}
    out: dict[str, str | None] = {}
    for name in dir(cls):
        owner = next(c for c in cls.__mro__ if name in vars(c))
        if name.startswith("_") or not inspect.getdoc(vars(owner)[name]):
            continue
        if owner is not cls and owner not in paths:  # a part of the class of all results
            owner = pkgutil.resolve_name("interlace.results.base.ModelResult")
        out[name] = paths.get(owner)
    return out


def described(cls: type, name: str) -> str:
    """The name under which a member is described: another where it is one's second name."""
    value = inspect.getattr_static(cls, name)
    function = getattr(value, "fget", value)
    real = getattr(function, "__name__", name)
    return real if hasattr(cls, real) else name


def links(path: str) -> str:
    """The lists of what a kind of results shares with others."""
    cls = pkgutil.resolve_name(path)
    found = members(cls)
    lines = []
    for shared, words in SHARED.items():
        names = [name for name, of in found.items() if of == shared]
        if names:
            real = {name: described(cls, name) for name in names}
            items = [
                f"[](){{#{path}.{name}}}[`{name}`][{found[real[name]] or path}.{real[name]}]"
                for name in names
            ]
            lines.append(f"What results {words} have: {', '.join(items)}.")
    return "\n\n".join([f"`{cls.__name__}` has, beside its own members below:", *lines])


def with_links(markdown: str) -> str:
    """A page of the reference, with the lists before its kinds of results."""
    return KIND.sub(lambda kind: f"{links(kind[1])}\n\n{kind[0]}", markdown)

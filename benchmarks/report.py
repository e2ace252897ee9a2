"""The tables: times, ratios to interlace, criteria, memory, first use, and the bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from tasks import (
    LARGEST_FIRST_FIT,
    LARGEST_GROWTH,
    LARGEST_IMPORT,
    LARGEST_MEMORY,
    LARGEST_PEAK,
    SYSTEMS,
    TASKS,
)

MB = 1e6


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.0f} µs"


def middle(way: dict[str, Any]) -> float:
    """Median time of a way to fit; infinite if it did not end."""
    return median(way["samples"]) if way["samples"] else float("inf")


def best(task: dict[str, Any], system: str) -> dict[str, Any] | None:
    """The fastest way of a system to fit a task; one that did not end if none did."""
    found = [way for way in task["ways"] if way["system"] == system]
    return min(found, key=middle, default=None)


def ratio(task: dict[str, Any], system: str) -> tuple[float, bool] | None:
    """How many times as fast interlace is, and whether that is only a lower bound."""
    ours, theirs = best(task, "interlace"), best(task, system)
    if ours is None or theirs is None or not ours["samples"]:
        return None
    if theirs["samples"]:
        return middle(theirs) / middle(ours), False
    caps = [way["over"] for way in task["ways"] if way["system"] == system and way["over"]]
    return (min(caps) / middle(ours), True) if caps else None


def cell(way: dict[str, Any] | None) -> str:
    """Median, minimum in brackets, threads, and the arguments that were the fastest."""
    if way is None:
        return ""
    if not way["samples"]:
        return f"> {way['over']:.0f} s" if way["over"] else f"fails: {way['error']}"[:60]
    text = f"{duration(middle(way))} ({duration(min(way['samples']))})"
    if len(way["samples"]) == 1:
        text = f"{duration(middle(way))}, once"
    notes = [f"{way['threads']}t", way["variant"]]
    return f"{text} {', '.join(filter(None, notes))}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line).replace("\n", " ") + " |" for line in lines] + [""]


def times(tasks: dict[str, Any], present: Sequence[str]) -> list[str]:
    others = [system for system in present if system != "interlace"]
    rows = []
    for name, task in tasks.items():
        row = [name, *(cell(best(task, system)) for system in present)]
        for system in others if "interlace" in present else ():
            found = ratio(task, system)
            row.append("" if found is None else ("> " if found[1] else "") + f"{found[0]:.3g}")
        rows.append(row)
    ratios = [f"{system} / interlace" for system in others] if "interlace" in present else []
    lead = "Median of warm fits (minimum), at the better number of BLAS threads and arguments."
    return ["## Time", "", lead, "", *table(["task", *present, *ratios], rows)]


def threads(tasks: dict[str, Any], present: Sequence[str]) -> list[str]:
    """What more threads do to each system: times with the most over times with the fewest."""
    rows, compared = [], False
    for name, task in tasks.items():
        row = [name]
        for system in present:
            of = [way for way in task["ways"] if way["system"] == system and way["samples"]]
            fewest, most = (
                min(map(middle, (way for way in of if way["threads"] == count)), default=None)
                for count in (
                    pick((way["threads"] for way in of), default=0) for pick in (min, max)
                )
            )
            differ = len({way["threads"] for way in of}) > 1
            compared |= differ
            row.append(f"{most / fewest:.2f}" if differ and most and fewest else "")
        rows.append(row)
    lead = "Time with the most BLAS threads over that with the fewest."
    return ["## Threads", "", lead, "", *table(["task", *present], rows)] if compared else []


def criteria(tasks: dict[str, Any], present: Sequence[str]) -> list[str]:
    """Criteria: of the first system, and of each other one what it is above that."""
    rows = []
    for name, task in tasks.items():
        values = {system: (best(task, system) or {}).get("criterion") for system in present}
        base = next((value for value in values.values() if value is not None), None)
        row = [name, "" if base is None else f"{base:.6f}"]
        row += ["" if value is None else f"{value - base:+.1e}" for value in values.values()]
        rows.append(row)
    lead = (
        "-2 log-likelihood (of linear models the REML criterion) of the first system that has one, "
        "and the others' above it."
    )
    return ["## Criterion", "", lead, "", *table(["task", "criterion", *present], rows)]


def memory(tasks: dict[str, Any], present: Sequence[str]) -> list[str]:
    rows = []
    for name, task in tasks.items():
        row = [name, f"{task['bytes'] / MB:.3g}"]
        for system in present:
            way = best(task, system)
            known = way is not None and way["peak"] is not None
            row.append(f"{way['peak']:.0f} (+{way['growth']:.3g})" if known else "")
        rows.append(row)
    lead = (
        "Peak of the process, MB, and its growth above what was resident with the data frame "
        "read and the package imported."
    )
    return ["## Memory", "", lead, "", *table(["task", "columns, MB", *present], rows)]


def use(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    names = iter(found)
    base = found[next(names)]["median"]
    rows = [[name, duration(found[name]["median"]), f"{found[name]['median'] / base:.3g}"]
            for name in found]  # fmt: skip
    return ["## First use", "", *table(["fresh process", "median", "of the first line"], rows)]


def judged_at_scale(tasks: dict[str, Any]) -> Iterable[tuple[str, float, bool, str]]:
    """Growth from 1e5 rows to 1e6, and memory there."""
    for name in ("slopes", "bernoulli"):
        small, large = (best(tasks.get(f"{name}-{rows}", {"ways": []}), "interlace")
                        for rows in ("1e5", "1e6"))  # fmt: skip
        if large is None or not large["samples"]:
            continue
        if name == "slopes":
            above = large["growth"] * MB / tasks["slopes-1e6"]["bytes"]
            what = "slopes-1e6: memory above the frame / its columns"
            yield what, above, above < LARGEST_MEMORY, f"< {LARGEST_MEMORY:g}"
        else:
            peak = large["peak"]
            yield f"{name}-1e6: peak memory, MB", peak, peak < LARGEST_PEAK, f"< {LARGEST_PEAK:g}"
        if small and small["samples"]:
            growth = middle(large) / middle(small)
            what = f"{name}: time of 1e6 rows / 1e5 rows"
            yield what, growth, growth <= LARGEST_GROWTH, f"≤ {LARGEST_GROWTH:g}"


def judged(results: dict[str, Any]) -> Iterable[tuple[str, float, bool, str]]:
    """What is held to a bar: its name, the number, whether it clears the bar, the bar."""
    tasks = results["tasks"]
    for task in TASKS:
        for system, least in task.bars.items() if task.name in tasks else ():
            found = ratio(tasks[task.name], system)
            if found is not None:
                name = f"{task.name}: {system} / interlace"
                yield name, found[0], found[0] >= least, f"≥ {least:g}"
    yield from judged_at_scale(tasks)
    found = results.get("first use") or {}
    reference = next(iter(found.values()), {"median": 1.0})["median"]
    for name, most in (("import interlace", LARGEST_IMPORT),
                       ("first fit interlace", LARGEST_FIRST_FIT)):  # fmt: skip
        if name in found:
            value = found[name]["median"] / reference
            yield f"{name} / import of the libraries", value, value <= most, f"≤ {most:g}"


def markdown(results: dict[str, Any]) -> str:
    """All tables as one text."""
    tasks = results["tasks"]
    seen = {way["system"] for task in tasks.values() for way in task["ways"]}
    present = [system for system in SYSTEMS if system in seen]
    about = results["surroundings"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"{about['date']}, {about['system']} {about['machine']}, {about['processors']} processors; "
        f"load {', '.join(f'{x:.2f}' for x in about['load'])} at the start. {versions}.",
        "",
    ]
    if tasks:
        for part in (times, threads, criteria, memory):
            lines += part(tasks, present)
    lines += use(results.get("first use"))
    bars = [[name, f"{value:.3g}", bar, "yes" if clears else "**no**"]
            for name, value, clears, bar in judged(results)]  # fmt: skip
    if bars:
        lines += ["## Bars", "", *table(["what", "is", "bar", "clears it"], bars)]
    return "\n".join(lines)

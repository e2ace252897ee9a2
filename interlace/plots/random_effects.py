"""Random effects with their intervals: caterpillars, and against normal quantiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, brief, listing, suggestion
from ..inference.tails import t_quantile
from ..tables.random_effects import ranef
from . import canvas
from .quantiles import normal_qq

if TYPE_CHECKING:
    from ..models.kinds import MixedFit

# Height of a level, of what is around them, and the limits of a panel, inches.
LEVEL_HEIGHT, FRAME_HEIGHT, LOWEST, HIGHEST = 0.2, 1.0, 2.6, 8.0
WIDTH = 3.8
# Factors with one effect each that stand side by side.
ABREAST = 3


@dataclass(frozen=True)
class Effect:
    """One random effect of the levels of a factor: modes and conditional standard deviations."""

    group: str
    term: str
    component: str
    levels: np.ndarray
    mode: np.ndarray
    sd: np.ndarray

    @property
    def label(self) -> str:
        of = "" if self.component == "cond" else f" ({self.component})"
        return f"Random effect: {self.term}{of}"


def effects_of(
    fit: MixedFit, group: str | None, term: str | None, component: str | None = None
) -> list[Effect]:
    """The random effects of a grouping factor and a term, or of all."""
    table = ranef(fit)
    if "component" not in table:
        table = table.assign(component="cond")
    chosen = {"group": group, "term": term, "component": component}
    for column, value in chosen.items():
        own = table[column].unique().tolist()
        if value is not None and value not in own:
            near = suggestion(str(value), own)
            raise ArgumentError(
                f"{column}={brief(value)}: there are no such random effects.{near} The model has "
                f"{listing(map(repr, own))}"
            )
        if value is not None:
            table = table[table[column] == value]
    if not len(table):
        raise ArgumentError(
            f"no random effects have {', '.join(f'{k}={v!r}' for k, v in chosen.items() if v)}"
        )
    parts = table.groupby(["group", "component", "term"], sort=False)
    return [
        Effect(
            own, name, of, rows["level"].to_numpy(), rows["value"].to_numpy(),
            rows["cond_sd"].to_numpy(),
        )
        for (own, of, name), rows in parts
    ]  # fmt: skip


def by_group(effects: list[Effect]) -> Iterator[list[Effect]]:
    """The effects of each grouping factor, in a row."""
    for group in dict.fromkeys(effect.group for effect in effects):
        yield [effect for effect in effects if effect.group == group]


def _layout(rows: list[list[Effect]], heights: list[float]) -> tuple[list[int], list[float]]:
    """Numbers of panels in a row, and heights: single ones stand side by side."""
    if max(map(len, rows)) == 1 and len(rows) <= ABREAST:
        return [len(rows)], [max(heights)]
    return [len(row) for row in rows], heights


def caterpillar_plot(
    fit: MixedFit,
    group: str | None = None,
    term: str | None = None,
    level: float = 0.95,
    sort: bool = True,
    component: str | None = None,
    ax: Any = None,
    fig: Any = None,
) -> Any:
    """Conditional modes with intervals, level by level; see ``MixedPlots.caterpillar``."""
    rows = list(by_group(effects_of(fit, group, term, component)))
    heights = [
        min(HIGHEST, max(LOWEST, FRAME_HEIGHT + LEVEL_HEIGHT * row[0].mode.size)) for row in rows
    ]
    axs = canvas.panels(*_layout(rows, heights), ax=ax, fig=fig, width=WIDTH)
    places = iter(axs)
    for row in rows:
        first = row[0].mode
        order = np.argsort(first, kind="stable") if sort else np.arange(first.size)[::-1]
        for j, effect in enumerate(row):
            _caterpillar(next(places), effect, order, level, named=j == 0)
    return canvas.one_or_all(axs)


def _caterpillar(ax: Any, effect: Effect, order: np.ndarray, level: float, named: bool) -> None:
    mode, half = effect.mode[order], t_quantile(level, np.inf) * effect.sd[order]
    y = np.arange(order.size)
    color = canvas.next_color(ax)
    canvas.reference(ax, 0.0, vertical=True)
    opacity = canvas.opacity(order.size)
    width = 1.4 if order.size <= canvas.MOST_LABELS else 0.7
    ax.hlines(y, mode - half, mode + half, color=[color], linewidth=width, alpha=0.65 * opacity)
    canvas.points(ax, mode, y, color, alpha=min(1.0, 1.5 * opacity), zorder=3)
    canvas.level_limits(ax, order.size)
    canvas.labelled(ax, effect.label, "")
    if named:
        canvas.many_labels(ax, effect.levels[order].tolist(), effect.group)
    else:
        ticks = y[: None if order.size <= canvas.MOST_LABELS else 0]
        ax.set_yticks(ticks, [""] * len(ticks))


def effects_qq_plot(
    fit: MixedFit,
    group: str | None = None,
    term: str | None = None,
    level: float | None = 0.95,
    label: int = 2,
    component: str | None = None,
    ax: Any = None,
    fig: Any = None,
) -> Any:
    """Conditional modes against normal quantiles; see ``MixedPlots.random_effects_qq``."""
    rows = list(by_group(effects_of(fit, group, term, component)))
    axs = canvas.panels(*_layout(rows, [canvas.PANEL[1]] * len(rows)), ax=ax, fig=fig)
    for own, effect in zip(axs, (e for row in rows for e in row), strict=True):
        half = None if level is None else t_quantile(level, np.inf) * effect.sd
        normal_qq(own, effect.mode, effect.levels.tolist(), None, label, half=half)
        canvas.labelled(own, "Normal quantiles", f"{effect.group}: {effect.term}")
    return canvas.one_or_all(axs)

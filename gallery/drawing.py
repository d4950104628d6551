"""One look for every figure: it survives print and grey, and does not lean on red against green."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

# dark to light and cool to warm at once (after Okabe and Ito), so that grey keeps them apart; dashes and marks help
COLOURS = ("#0b3c5d", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00")
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKS = ("o", "s", "^", "D", "v", "P")
SIZE = (5.6, 3.4)


def svg(draw: Callable[[Any], None], *, title: str) -> str:
    """The picture that `draw` puts on a pair of axes, as SVG with its title for those who do not see it."""
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib.figure import Figure

    cycle = cycler(color=COLOURS) + cycler(linestyle=DASHES) + cycler(marker=MARKS)
    look: dict[Any, Any] = {
        "axes.prop_cycle": cycle,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "lines.markersize": 3.5,
        "lines.linewidth": 1.6,
        "font.family": "sans-serif",
        "font.size": 9,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "kullback",  # the same picture has the same bytes
    }
    with mpl.rc_context(look):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Title": title})
    drawn = text.getvalue()
    return re.sub(
        r'(<svg [^>]*?)\s(?:width|height)="[^"]*"\s(?:width|height)="[^"]*"',
        r'\1 role="img"',
        drawn[drawn.index("<svg") :],
    )

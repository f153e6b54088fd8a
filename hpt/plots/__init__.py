"""Pictures: one function a figure.

Colours are Okabe and Ito's, which colour-blind readers can tell apart, and every series has a second mark: a
line style or a marker. A figure carries no title; its caption says what it shows.
"""

from hpt.plots.basic import (
    COLOURS,
    MARKERS,
    STYLES,
    axes,
    curves,
    cycled,
    legend,
    numeric,
    plain_log,
    progress,
    ranges,
    searched,
    sheets,
    sweep,
    title,
    use_style,
)
from hpt.plots.importances import importances

__all__ = [
    "COLOURS",
    "MARKERS",
    "STYLES",
    "axes",
    "curves",
    "cycled",
    "importances",
    "legend",
    "numeric",
    "plain_log",
    "progress",
    "ranges",
    "searched",
    "sheets",
    "sweep",
    "title",
    "use_style",
]

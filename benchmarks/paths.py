"""Paths: how the best score of a search grew while its clock ran."""

from __future__ import annotations

import time
from typing import Any


class Path:
    """The best validation score so far, by seconds and by epochs; the clock starts when it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._epochs = 0
        self._points: list[tuple[float, int, float]] = []

    def add(self, epochs: int, score: float) -> None:
        """Note that this many more epochs were trained, and the best score among them."""
        self._epochs += epochs
        if not self._points or score > self._points[-1][2]:
            self._points.append((time.perf_counter() - self._began, self._epochs, score))

    def figures(self) -> dict[str, Any]:
        """Return the epochs trained, the final best, and the path: seconds, epochs and score at each rise."""
        best = self._points[-1][2] if self._points else float("nan")
        return {"trained_epochs": self._epochs, "score": best, "path": self._points}

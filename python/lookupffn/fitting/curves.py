"""The picture of a fit: its losses against time, and the rows that are used."""

from __future__ import annotations

import html
import os
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 320, 60, 40


def write_curves(
    path: str | os.PathLike[str],
    entries: list[dict[str, Any]],
    dense_loss: float | None,
    fitted_loss: float | None,
    rows_used: dict[str, float],
) -> None:
    """Draws the fine-tuning's loss of a log's entries against seconds, the losses of the dense and the fitted model over the
    evaluation batches as lines, and the share of each layer's rows that are used, as an SVG file."""
    points = _smoothed([(entry["seconds"], entry["loss"]) for entry in entries if "loss" in entry])
    levels = [(name, value) for name, value in (("dense", dense_loss), ("fitted", fitted_loss)) if value is not None]
    values = [value for _, value in points] + [value for _, value in levels] or [0.0, 1.0]
    low, high = min(values), max(values)
    high = high if high > low else low + 1
    last = max((seconds for seconds, _ in points), default=1.0) or 1.0
    first = min((seconds for seconds, _ in points), default=0.0)

    def at(seconds: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - 90) * (seconds - first) / max(last - first, 1e-9)
        y = 20 + (HEIGHT - BOTTOM - 20) * (high - value) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<polyline points="{" ".join(at(*point) for point in points)}" fill="none" stroke="#06c" stroke-width="1.5"/>']
    for name, value in levels:
        (x1, y1), (x2, y2) = at(first, value).split(","), at(last, value).split(",")
        parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#888" stroke-dasharray="4"/>')
        parts.append(f'<text x="{float(x2) + 4}" y="{float(y2) + 4}">{name} {value:.3f}</text>')
    for value in (low, (low + high) / 2, high):
        parts.append(f'<text x="4" y="{float(at(first, value).split(",")[1]) + 4}">{value:.3f}</text>')
    for seconds in (first, (first + last) / 2, last):
        parts.append(
            f'<text x="{at(seconds, low).split(",")[0]}" y="{HEIGHT - 16}" text-anchor="middle">{seconds:.0f} s</text>'
        )
    for number, (name, share) in enumerate(rows_used.items()):
        y = HEIGHT + 20 * number
        parts.append(
            f'<text x="4" y="{y + 11}">{html.escape(name)}</text><rect x="200" y="{y}" width="300" height="14" fill="#ddd"/>'
        )
        parts.append(f'<rect x="200" y="{y}" width="{300 * share:.1f}" height="14" fill="#06c"/>')
        parts.append(f'<text x="506" y="{y + 11}">{100 * share:.1f} % of rows used</text>')
    height = HEIGHT + 20 * len(rows_used) + 4
    title = "Loss of the fine-tuning (smoothed) against seconds; rows that the captured tokens pick"
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
            f' font-family="sans-serif" font-size="11"><title>{title}</title>'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
        )


def _smoothed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most some 300 points, each the mean of those that it stands for."""
    size = max(1, len(points) // 300)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(s for s, _ in group) / len(group), sum(v for _, v in group) / len(group)) for group in groups]

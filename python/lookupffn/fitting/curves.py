"""The picture of a fit: losses against time, and the rows that are used."""

from __future__ import annotations

import html
import os
from typing import Any, Mapping, Sequence

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 340, 60, 120, 26, 40
COLOURS = ("#06c", "#c60", "#083")
STRIP = 44  # height of a layer's bars with their title


def write_curves(
    path: str | os.PathLike[str],
    runs: Mapping[str, list[dict[str, Any]]],
    clock: str,
    dense_loss: float | None,
    rows_used: Mapping[str, Sequence[float]],
) -> None:
    """Draws, as an SVG file, the evaluation losses of each run's log against time, the loss of the dense model as a line, and for
    each layer the share of rows that are used in each of its tables. Where a log has no evaluations, its training loss is drawn.

    runs: name -> entries of a log. clock: "seconds" or "cpu_seconds" of the entries.
    """
    curves = {name: _points(entries, clock) for name, entries in runs.items()}
    values = sorted(value for points in curves.values() for _, value in points)
    low = min(values[:1] + ([dense_loss] if dense_loss is not None else []), default=0.0)
    # The first values of an untrained model would leave nothing to see of the others.
    high = min(values[-1], low * 1.25) if values and low > 0 else max(values, default=1.0)
    high = high if high > low else low + 1
    last = max((seconds for points in curves.values() for seconds, _ in points), default=1.0) or 1.0

    def at(seconds: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * seconds / last
        return x, TOP + (HEIGHT - BOTTOM - TOP) * (high - value) / (high - low)

    unit = "CPU seconds" if clock == "cpu_seconds" else "seconds"
    parts = [f'<text x="{LEFT}" y="14">Loss against {unit}</text>']
    frame = [at(0, high), at(0, low), at(last, low)]
    parts.append(_line(frame, "#888"))
    for step in range(5):
        value, seconds = low + (high - low) * step / 4, last * step / 4
        x, y = at(seconds, value)
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{seconds:.0f}</text>')
    # Labels at the ends of the lines, one below the other where they would meet.
    labels: list[tuple[float, str, str]] = []
    if dense_loss is not None:
        parts.append(_line([at(0, dense_loss), at(last, dense_loss)], "#888", 'stroke-dasharray="4"'))
        labels.append((at(0, dense_loss)[1], f"dense {dense_loss:.4f}", "#555"))
    for (name, points), colour in zip(curves.items(), COLOURS):
        if points:
            parts.append(f'<g clip-path="url(#plot)">{_line([at(*point) for point in points], colour)}</g>')
            label = f"{name} {points[-1][1]:.4f}"
            labels.append((max(float(TOP), at(*points[-1])[1]), label, colour))
    lowest = float("inf")
    for y, label, colour in sorted(labels, reverse=True):
        lowest = min(y, lowest - 13)
        parts.append(f'<text x="{WIDTH - RIGHT + 6}" y="{lowest + 4:.1f}" fill="{colour}">{html.escape(label)}</text>')

    for number, (name, shares) in enumerate(rows_used.items()):
        top = HEIGHT + STRIP * number
        mean = sum(shares) / max(1, len(shares))
        parts.append(f'<text x="{LEFT}" y="{top + 10}">{html.escape(name)}: {100 * mean:.1f} % of rows used, by table</text>')
        width = (WIDTH - LEFT - RIGHT) / max(1, len(shares))
        bars = "".join(
            f"M{LEFT + width * table:.2f} {top + 38}v{-24 * share:.2f}h{0.85 * width:.2f}v{24 * share:.2f}z"
            for table, share in enumerate(shares)
        )
        parts.append(f'<path d="M{LEFT} {top + 14}h{WIDTH - LEFT - RIGHT}" stroke="#ccc"/><path d="{bars}" fill="#06c"/>')
    height = HEIGHT + STRIP * len(rows_used) + 4
    plot = f'<clipPath id="plot"><rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/></clipPath>'
    temporary = os.fspath(path) + ".part"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
            f' font-family="sans-serif" font-size="11"><title>Loss against {unit}, and rows used</title>{plot}'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
        )
    os.replace(temporary, path)


def _line(points: Sequence[tuple[float, float]], colour: str, more: str = "") -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="1.5" {more}/>'


def _points(entries: list[dict[str, Any]], clock: str) -> list[tuple[float, float]]:
    """(seconds, evaluation loss) of a log; without evaluations at most some 100 means of the training loss."""
    points = [(entry[clock], entry["evaluation"]) for entry in entries if "evaluation" in entry]
    if points:
        return points
    points = [(entry[clock], entry["loss"]) for entry in entries if "loss" in entry]
    size = max(1, len(points) // 100)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(s for s, _ in group) / len(group), sum(v for _, v in group) / len(group)) for group in groups]

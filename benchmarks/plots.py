"""The plot of a benchmark: bars with their spread, or lines over the amount of data."""

from pathlib import Path

OURS, OTHERS = "#2b6cb0", "#a0aec0"


def draw_bars(path: Path, title: str, unit: str, values: dict[str, dict[str, float]]) -> None:
    """Draw one bar a name from `median`, `low` and `high`; ours, whose names begin with it, in color."""
    figure, axes = _start(title, height=1.2 + 0.26 * len(values))
    names = list(values)
    medians = [values[name]["median"] for name in names]
    spread = [
        [values[name]["median"] - values[name].get("low", values[name]["median"]) for name in names],
        [values[name].get("high", values[name]["median"]) - values[name]["median"] for name in names],
    ]
    colors = [OURS if name.startswith("ours") else OTHERS for name in names]
    axes.barh(range(len(names)), medians, xerr=spread, color=colors, error_kw={"linewidth": 0.8})
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    _save(figure, path)


def draw_lines(path: Path, title: str, x: str, y: str, lines: dict[str, list[tuple[float, float]]]) -> None:
    """Draw one line a name through its points, both axes logarithmic: a straight line's slope is the exponent."""
    figure, axes = _start(title, height=3.4)
    for name, points in lines.items():
        axes.loglog(*zip(*points, strict=True), marker=".", label=name)
    axes.set(xlabel=x, ylabel=y)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    _save(figure, path)


def _start(title: str, height: float):
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hf_mri", "font.size": 9})
    figure = Figure(figsize=(7.5, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize="medium")
    return figure, axes


def _save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})

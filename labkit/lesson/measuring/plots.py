"""Two pictures of a measurement: when each request came and how long it took, and where the time went.

What belongs here: drawing with matplotlib, without a display. What does not: measuring.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: dark enough on white, distinct for the colour-blind; the layers also differ by their order and labels
COLOURS = {"lambda alone": "#0072B2", "network": "#E69F00", "server": "#009E73", "failed": "#D55E00"}


def draw(measurement: Mapping[str, Any], folder: Path, name: str, remark: str = "") -> tuple[Path, Path]:
    """Write NAME-times.png and NAME-layers.png into `folder`, `remark` below each; returns their paths."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # at first use it tells of its cache of fonts
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paths = folder / f"{name}-times.png", folder / f"{name}-layers.png"
    for path, plot in zip(paths, (_times, _layers), strict=True):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        plot(figure.add_subplot(), measurement)
        figure.supxlabel(remark, fontsize="small", color="#555555")
        figure.savefig(path, dpi=110)
    return paths


def _times(axes: Any, measurement: Mapping[str, Any]) -> None:
    requests = measurement["requests"]
    good = [r for r in requests if r["status"] == 200]
    bad = [r for r in requests if r["status"] != 200]
    cold = [r for r in good if r["init"]]
    warm = [r for r in good if not r["init"]]
    if warm:
        axes.plot([r["at"] for r in warm], [r["client"] for r in warm], ".", label="200", color="#0072B2")
    if cold:
        axes.plot(
            [r["at"] for r in cold], [r["client"] for r in cold], "s", label="cold start", color="#CC79A7"
        )
    if bad:
        axes.plot(
            [r["at"] for r in bad], [r["client"] for r in bad], "x", label="failed", color=COLOURS["failed"]
        )
    axes.set(xlabel="seconds", ylabel="ms at the client", title=_title(measurement), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()


def _layers(axes: Any, measurement: Mapping[str, Any]) -> None:
    """A bar of each layer's median, one after the other, and a bar for each of median, p95, p99, maximum."""
    layers, left = measurement["layers"], 0.0
    for name in ("lambda alone", "network", "server"):
        value = layers[name].get("median", 0.0)
        axes.barh(
            ["layer by layer"], [value], left=left, label=f"{name}: {value:.1f} ms", color=COLOURS[name]
        )
        left += value
    for mark in ("median", "p95", "p99", "maximum"):
        axes.barh([mark], [layers["client"].get(mark, 0.0)], color="#999999")
    axes.invert_yaxis()
    kind = "cold starts" if measurement["plan"].get("cold") else "warm requests"
    axes.set(xlabel=f"ms at the client ({kind})", title=_title(measurement))
    axes.set_axisbelow(True)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper right")


def _title(measurement: Mapping[str, Any]) -> str:
    plan, about = measurement["plan"], measurement["about"]
    how = f"{plan['clients']} clients" if plan["clients"] else f"{plan['rate']:g}/s"
    how = "one at a time" if plan.get("cold") else how
    where = {"local": "local cloud"}.get(about["target"], about["target"])
    like = " with delays like AWS's" if about.get("like") else ""
    return f"{about['student']}, {where}{like}: {len(measurement['requests'])} images, {how}"

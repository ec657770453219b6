"""python -m bench [SECTION …]: measure the kit. Prints a table and writes .lab/bench.json.

Sections: demo, commands, cloud, decisions, api, functions, path. All of these by default (about two minutes).
Named only: engines (three minutes more; needs Terraform), tiers (rows 3 to 8 of the figures in every tier),
lesson (first lines of the steps, saving a file to the next verdict; a minute), gaps (the verdict on one gap; two),
grading (LAB_BENCH_RUNS=20 submissions one by one, cold, then warm; twenty minutes), many (LAB_BENCH_IN_A_ROW=50).
"""

import dataclasses
import json
import sys
import time

from bench import sections
from bench.decisions import decisions
from bench.gaps import gaps
from bench.lesson import lesson
from bench.measuring import table
from bench.peer import peer
from bench.tiers import tiers

KNOWN = ("commands", "demo", "cloud", "decisions", "api", "functions", "path")
NAMED = ("engines", "tiers", "grading", "many", "gaps", "peer", "lesson")


def main(chosen: list[str]) -> int:
    """Run the chosen sections in order."""
    unknown = [name for name in chosen if name not in KNOWN + NAMED]
    if unknown:
        print(f"no section {unknown[0]}; there are: {', '.join(KNOWN + NAMED)}")
        return 2
    figures = []
    for name in chosen or KNOWN:
        print(f"measuring {name} …", file=sys.stderr)
        own = {"tiers": tiers, "peer": peer, "decisions": decisions, "lesson": lesson, "gaps": gaps}
        section = own.get(name) or getattr(sections, name)
        figures += section()
    print(table(figures))
    folder = sections.ROOT / ".lab"
    folder.mkdir(exist_ok=True)
    record = {"at": time.time(), "figures": [dataclasses.asdict(f) for f in figures]}
    (folder / "bench.json").write_text(json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Another run laid beside one's own, and files that are none."""

import json
from pathlib import Path

import pytest

from labkit.base.errors import UsageError
from labkit.lesson.measuring import beside, likeaws


def run(**layers: float) -> dict[str, object]:
    about = {"target": "learner-lab", "region": "us-east-1", "at": "2026-11-28T04:05:06+00:00"}
    return {"about": about, "layers": {k: {"count": 9, "median": v, "p95": 2 * v} for k, v in layers.items()}}


def test_each_layer_stands_beside_its_own_with_the_factor() -> None:
    rows = dict(beside.rows(run(client=20.0, server=10.0), run(client=300.0)))
    assert rows["beside it"] == "learner-lab, us-east-1, 2026-11-28T04:05"
    assert rows["client"].split() == ["20.0", "300.0", "x", "15", "40.0", "600.0", "x", "15"]
    assert rows["server"].split() == ["10.0", "-", "20.0", "-"]
    assert all(len(label) <= 12 and len(text) <= 64 for label, text in rows.items())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"layers": {}}', '{"about": {}, "layers": {"client": {"median": "x"}}}', "\0"]
)
def test_what_is_no_measurement_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"other\.json can't be laid beside"):
        beside.measurement(path)
    with pytest.raises(UsageError, match="No such file"):
        beside.measurement(tmp_path / "missing.json")


def test_a_measurement_is_read(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(run(client=1.0)))
    assert beside.measurement(path)["about"]["target"] == "learner-lab"


def test_every_figure_of_the_local_cloud_says_where_it_is_from() -> None:
    assert likeaws.remark({"target": "local"}) == "this laptop, no network; on AWS expect hundreds of ms"
    assert "seed 7" in likeaws.remark({"target": "local", "like": "AWS", "seed": 7})
    assert likeaws.remark({"target": "learner-lab"}) == ""

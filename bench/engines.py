"""The two engines: how long each act of each takes, Terraform's own waits apart, and its memory.

What belongs here: the measured acts. What does not: how they are timed (bench.measuring).
"""

import resource
import tempfile
from pathlib import Path

import labkit
from bench.measuring import Figure, figure, stopwatch
from labkit.base.events import Event
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import load
from labkit.deploy.model import Engine
from labkit.deploy.terraform import Terraform
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places

ROOT = Path(labkit.__file__).resolve().parent.parent
STUDENT = "bench@lab.example"
#: the provider waits after each of these, however fast the cloud is
WAITED_FOR = ("aws_vpc.main", "aws_subnet.public", "aws_instance.server", "aws_lambda_function.process_image")


def engines() -> list[Figure]:
    """One round with each engine: about three minutes."""
    return [*_round("cloudformation"), *_round("terraform")]


def _round(name: str) -> list[Figure]:
    events: list[Event] = []
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        places = Places(ROOT, Path(folder))
        cloud = LocalCloud(places.state / "cloud")
        context = Context(
            places, load(ROOT), Options(STUDENT, solution=True, engine=name), events.append, cloud
        )
        try:
            run_step(context, "01")
            context.workspace.write_build()
            figures = _life(name, context, context.engine)
        finally:
            cloud.stop()
    return figures + (_terraform_alone(events) if name == "terraform" else [])


def _life(name: str, context: Context, engine: Engine) -> list[Figure]:
    times: dict[str, list[float]] = {}
    if isinstance(engine, Terraform):
        with stopwatch(times.setdefault("init", [])):
            engine.init()
    for what, act in (
        ("validate", engine.validate),
        ("plan", engine.plan),
        ("apply (create)", engine.apply),
        ("second plan", engine.plan),
    ):
        with stopwatch(times.setdefault(what, [])):
            act()
    _change(context, "lambda_function.py")
    with stopwatch(times.setdefault("apply, one code fix", [])):
        engine.apply()
    _change(context, "flask_app.py")
    with stopwatch(times.setdefault("apply, new server", [])):
        engine.apply()
    with stopwatch(times.setdefault("destroy (delete)", [])):
        engine.destroy()
    return [figure(f"{name}: {what}", taken) for what, taken in times.items()]


def _change(context: Context, name: str) -> None:
    path = context.workspace.path / name
    path.write_text(path.read_text() + "\n# changed\n")
    context.workspace.write_build()


def _terraform_alone(events: list[Event]) -> list[Figure]:
    """What the provider waits by itself in the first apply, and the largest process of all."""
    seconds: dict[str, float] = {}
    for event in events:
        if event.data.get("status") == "CREATE_COMPLETE":
            seconds.setdefault(str(event.data["id"]), float(str(event.data["seconds"])))
    waits = 1000 * sum(seconds.get(name, 0) for name in WAITED_FOR)
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [
        figure("terraform: of apply, own waits", [waits]),
        Figure("terraform: largest process", "MB", megabytes, megabytes, 1),
    ]

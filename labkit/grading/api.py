'''What checks use: the contract between the grading engine and grader/checks/check_*.py.

One file for each rubric line: the line `door-open` of lab.toml is grader/checks/check_door_open.py, with one
function whose docstring the student reads (first line: what must hold; the rest: why it matters):

    """Line door-open: a packet from the function's group reaches the server."""

    from labkit.grading.api import Failed, Lab

    def check(lab: Lab) -> None | float:
        """Your function's packets reach your server on your own port.

        Without this rule every call ends in a time-out: silence means dropped.
        """
        packet = lab.packets.try_("function", lab.variant.port)
        if packet.outcome != "open":
            raise Failed(
                f"the packet was {packet.outcome}: {packet.reason}",
                hint="which group does your function belong to?",
                expected="open", found=packet.outcome, evidence=packet.trace,
            )

Verdicts
    returns None or 1.0            passed
    returns 0.0 < x < 1.0          passed in part; better say why: raise Failed(..., fraction=x)
    raises Failed(reason, …)       failed (with fraction=x: that part of the points is earned all the same)
    raises Untried(…)              failed too: something else stood in the way of what the line is about
    raises anything else           see labkit.grading.judging.blame: what AWS refuses is failed; the rest is not judged, unless
                                   the same check comes to a verdict on the reference system

So a check must turn everything that a *student* can cause (an AWS error, a time-out, a body that is no JSON, a
resource that is not there) into Failed. The probes help: they never raise for what student code does; they
return records (Answer, Packet, Reply …), and `lab.aws()` turns a refusal of the AWS API into a value. When a check
expects an output that the template does not have, `lab.output(name)` raises Failed by itself.

Where it runs. The same function runs on the submission as it is and, when that fails, in the reference system
with the student's gap texts in it (the `alone` of the line). Never assume which; look only at `lab`. Objects, rows
and logs of other checks are there too: look for what your own requests made (`answer.image_id`, unique names).
What a check changes it puts back: `lab.cleanup(function, *arguments)` runs after the check, last one first.
What it sees that must not cost the line points it notes: `lab.note(text)`.

Inputs come from `lab.random` (seeded by grader key, submission and line: the same submission always gets the
same), `lab.unique("picture")` and `lab.images.make("png", size)`, so that answers can't be known beforehand.
Times, ids and addresses of AWS may stand in reasons: the engine replaces them by roles ("<server>", "<uuid>").
Texts of others are shortened by `cut`, which ends at the same place whatever the ids.
A reason begins with words of the check's own; what was seen comes behind a colon. Where the student's text was judged
in the reference system, and where hidden lines were tried before, only these own words are told (grading.own_words),
with the name of a known failure (grading.clues), which also has the hint that fits: `next_thing(seen, otherwise)`.
Durations don't repeat: say "over 8 s", not "8.213 s". Bound what you wait for: 60 s is the most for one check.

A module may have a second function, `live(lab)`: what of the line can be read where the lab stands on AWS. It changes nothing
and calls nothing but what labkit.live.reads lists; there is no local cloud behind its `lab`. Where what it would read is
not there it raises NotTold. A check that only reads says  live = check .

A module may say SLOW = True: its check mostly waits, beside the other slow ones, so it must not use what they use. The rubric's `disturbs` says that it stops or kills something: it comes after the others.

What belongs here: the facade that checks see. What does not: how each probe works (labkit.grading.probes), where
deployments come from (labkit.grading.judging.labs), the order of checks and their verdicts (labkit.grading.judging.session).
'''

import contextlib
import functools
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from labkit.cloud.web.image_requests import Behaviour, Visit
from labkit.course.variant import Variant
from labkit.deploy.inventory import Inventory
from labkit.deploy.model import Deployment
from labkit.deploy.targets import Clients
from labkit.deploy.template import Declared, declared
from labkit.grading.judging.clues import next_thing
from labkit.grading.judging.failure import Failed, NotTold, Untried
from labkit.grading.judging.naming import cut
from labkit.grading.probes.function import Answer, Function
from labkit.grading.probes.images import Images
from labkit.grading.probes.packets import Packet, Packets
from labkit.grading.probes.server import Boot, Program, Reply, Server, Unit
from labkit.grading.probes.stores import Bucket, Stored, Table

if TYPE_CHECKING:
    from labkit.grading.systems.system import System

__all__ = [
    "Answer", "Behaviour", "Boot", "Bucket", "Call", "Declared", "Deployed", "Failed", "Function", "Images", "Lab", "NotTold",
    "Packet", "Packets", "Program", "Refusal", "Reply", "Server", "Stored", "Table", "Unit", "Untried", "Visit",
    "cut",
]  # fmt: skip


#: where else the same files may be deployed for a check
Deployed = Literal["other region", "disposable", "other engine", "given"]


@dataclass(frozen=True)
class Refusal:
    """What the AWS API answered instead of a result: its error code ("AccessDenied") and message."""

    code: str
    message: str


@dataclass(frozen=True)
class Call:
    """A call of the AWS API that succeeded: who made it (role's ARN or session), from where, what, on what.

    `place` is "host", "instance" or "function" and can't be forged; `name` the instance id or function ARN;
    `operation` as "dynamodb:PutItem"; `at` in seconds since the epoch.
    """

    at: float
    place: str
    name: str
    principal: str
    operation: str
    resource: str


@dataclass
class Lab:
    """The deployed lab that a check is judged on, and everything the check may do with it."""

    #: the line being judged, for example "door-open"
    line: str
    #: seeded by grader key, submission hash and line
    random: random.Random
    system: "System"
    #: another deployment of the same files; see `in_other_region`, `disposable_copy`, `by_the_other_engine`
    _another: Callable[["Deployed"], "Lab"]
    _cleanups: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _names: set[str] = field(default_factory=set)
    #: see `note`
    notes: list[str] = field(default_factory=list)

    # -- what the student handed in -------------------------------------------------------------------

    @property
    def variant(self) -> Variant:
        """The student's own values: name, port, prefix, vpc_cidr, subnet_cidr, lab_token, tags()."""
        return self.system.variant

    @property
    def files(self) -> Mapping[str, str]:
        """The student's files as text, by name: the seven of lab.toml, and others handed in (answers.md …).

        In the reference system these are still the student's files.
        """
        return self.system.submitted

    @property
    def engine(self) -> str:
        """Which engine deployed this: "cloudformation" or "terraform"."""
        return self.system.engine_name

    @functools.cached_property
    def template(self) -> Mapping[str, Declared]:
        """What the deployed template declares: logical id → Declared(type, properties), references resolved.

        Ref and GetAtt become the physical id and the attribute where the stack tells them; what can't be known
        stays as {"Ref": …}. CloudFormation only; prefer looking at what stands (clients), which both engines share.
        """
        return declared(self.system.template_text, self.system.physical_ids(), self.system.parameters())

    def declared(self, kind: str) -> list[Declared]:
        """The resources of one CloudFormation type in the template, for example "AWS::S3::Bucket"."""
        return [each for each in self.template.values() if each.kind == kind]

    # -- what stands ------------------------------------------------------------------------------------

    @property
    def region(self) -> str:
        """The region of this deployment."""
        return self.system.region

    @property
    def outputs(self) -> Mapping[str, str]:
        """The deployment's outputs by name (labkit.deploy.model.OUTPUTS)."""
        return self.system.deployment.outputs

    def output(self, name: str) -> str:
        """One output. Raises Failed when the deployment does not have it, or there is none."""
        if self.system.deployment.status == "failed":
            raise undeployed(self.system.deployment)
        if not self.outputs.get(name):
            raise Failed(
                f"your deployment has no output {name}",
                hint="compare the Outputs section of your template with a fresh one",
                expected=name,
            )
        return self.outputs[name]

    @property
    def clients(self) -> Clients:
        """AWS clients that no policy limits, so that a check sees everything: `lab.clients.client("ec2")` is boto3's.

        What a role may do is tried by `as_role`, what the world may by `anonymous`.
        """
        return self.system.eye

    def as_role(self, role: str) -> Clients:
        """AWS clients with temporary credentials of a role ("server", "function", a role's name or ARN).

        Attempts with them are really tried and really refused. Raises Failed when there is no such role.
        """
        session = self.server.instance_id if role == "server" else "grader"  # as EC2 calls the session
        return self.system.clients_of(self._role(role), session)

    def anonymous(self) -> Clients:
        """AWS clients that sign nothing: the world's view of the bucket."""
        return self.system.anonymous()

    def aws(self, call: Callable[..., Any], /, **arguments: Any) -> "Any | Refusal":
        """The answer of one AWS call, or a Refusal: `lab.aws(s3.get_object, Bucket=…, Key=…)`."""
        from botocore.exceptions import ClientError

        try:
            return call(**arguments)
        except ClientError as error:
            answer = error.response.get("Error", {})
            return Refusal(str(answer.get("Code", "")), str(answer.get("Message", "")))

    @functools.cached_property
    def function(self) -> Function:
        """The Lambda function: invoke(event) -> Answer, configuration, role, logs()."""
        return Function(self.clients, self.output("LambdaFunctionName"), self.system.await_boot)

    def is_healthy(self) -> bool:
        """Whether the service answers inside its own machine, now; False where there is no instance."""
        return bool(self.outputs.get("InstanceId")) and self.server.is_healthy()

    def health(self) -> Answer:
        """The function's own health branch: proves function, network, door, server."""
        return self.function.invoke({"action": "health"})

    def process(self, url: str) -> Answer:
        """One image through the whole path: `function.invoke({"image_url": url})`."""
        return self.function.invoke({"image_url": url})

    @functools.cached_property
    def server(self) -> Server:
        """The instance: boot(), units(), programs(), journal(), request(), kill(), stop(), start()."""
        instance = self.output("InstanceId")
        return Server(self.system.cloud, self.clients, instance, self.variant.port, self.system.await_boot)

    @functools.cached_property
    def images(self) -> Images:
        """The image host on the internet: make(kind, size), publish(data, name=…, behaviour=…) -> url, visits()."""
        return Images(self.system.cloud, self.random, self.unique)

    @functools.cached_property
    def packets(self) -> Packets:
        """Real packets: try_("function" | "stranger" | "world", port) -> Packet(outcome, reason, trace)."""
        return Packets(self.system.cloud, self.clients, self.outputs)

    @functools.cached_property
    def bucket(self) -> Bucket:
        """The bucket: name, keys(), object(key) -> Stored | None, versions()."""
        return Bucket(self.clients, self.output("BucketName"))

    @functools.cached_property
    def table(self) -> Table:
        """The table: name, rows(), row(image_id) -> DynamoDB item with types, or None."""
        return Table(self.clients, self.output("TableName"))

    def inventory(self) -> Inventory:
        """What stands, by its role, in the form that both engines share (labkit.deploy.inventory)."""
        return self.system.inventory()

    def calls(self, operation: str = "") -> list[Call]:
        """The newest successful writes to S3 and DynamoDB, oldest first; of one operation, if named.

        For example `lab.calls("dynamodb:PutItem")`. `resource` holds bucket/key or table.
        """
        found = [Call(**call) for call in self.system.cloud.ask("GET", "calls")]
        return [call for call in found if operation in ("", call.operation)]

    def denials(self) -> list[Mapping[str, Any]]:
        """Refusals of the AWS API, oldest first: principal, action, resource, reason, policy, statement, code."""
        return self.system.denials()

    # -- other deployments ------------------------------------------------------------------------------

    def in_other_region(self) -> "Lab":
        """The same files deployed in a region that they don't name: this lab itself, where it stands in one.

        Raises Failed when they don't deploy there. Has the same variant and random inputs.
        """
        return self._another("other region")

    def disposable_copy(self) -> "Lab":
        """The same files deployed where everything may be deleted: this lab itself, where nobody needs it any more.

        Only for the check of a line that says `ends`. Raises Failed when the files don't deploy.
        """
        return self._another("disposable")

    def by_the_other_engine(self) -> "Lab":
        """The same files deployed by the other engine, in the same region of an empty cloud.

        Raises Failed when they don't deploy; anything else when the other engine can't be run here.
        """
        return self._another("other engine")

    def with_given_only(self) -> "Lab":
        """The reference system with the application's given text of this submission, all its gaps as they should be.

        Tells whether a mistake in the whole is given text's or a gap's. This lab itself where there is no reference.
        Raises Failed when that does not deploy.
        """
        return self._another("given")

    def destroy(self, *, stop_after: int = 0) -> None:
        """Delete this deployment (a `disposable_copy()`). `stop_after` events: walk away in the middle, as a kill would.

        Raises Failed when the engine can't delete it.
        """
        self.system.destroy(stop_after=stop_after)

    def survivors(self) -> list[str]:
        """What is still there that belongs to the student, by tag and by name: "s3 bucket …"."""
        return self.system.survivors()

    def redeploy(self) -> bool:
        """Deploy the same files again; whether anything had to change."""
        return self.system.redeploy()

    # -- for the check itself ---------------------------------------------------------------------------

    def cleanup(self, function: Callable[..., object], /, *arguments: Any, **named: Any) -> None:
        """Have `function(*arguments)` called when the check is over, however it ends; last one first.

        What AWS refuses to put back stays as it is: names are this run's own, so it is in nobody's way.
        """
        self._cleanups.callback(self.aws, functools.partial(function, *arguments), **named)

    def note(self, text: str) -> None:
        """Have the report say this at the line, whatever its verdict; it costs nothing."""
        self.notes.append(text)

    def unique(self, stem: str) -> str:
        """A name that this run has not used: `stem` and letters from `random`, which tell no order."""
        while True:
            name = f"{stem}-" + "".join(self.random.choices("abcdefghjkmnpqrstuvwxyz23456789", k=10))
            if name not in self._names:
                self._names.add(name)
                return name

    def clean_up(self) -> None:
        """Run the cleanups now (the engine does)."""
        self._cleanups.close()

    def _role(self, role: str) -> str:
        known: dict[str, Callable[[], str]] = {
            "function": lambda: self.function.role_arn,
            "server": lambda: self.server.role_arn,
        }
        return known[role]() if role in known else role


def undeployed(deployment: Deployment) -> Failed:
    """The failure of a check that needs a deployment where there is none."""
    why = deployment.reason or deployment.status
    return Failed(
        f"it can't be tried: your files are not deployed: {why}",
        hint=next_thing(why, "mend the line deploys first"),
        expected="complete",
        found=deployment.status,
    )


def lost(items: Iterable[tuple[bool, str]]) -> tuple[float, str]:
    """For partial credit: (fraction of the items that hold, the texts of those that do not, joined)."""
    parts = list(items)
    missing = [text for holds, text in parts if not holds]
    return (1 - len(missing) / len(parts) if parts else 0.0), "; ".join(missing)

"""What every handler of a resource type has, and the handler that is mostly a description.

What belongs here: the contract between operations and handlers. What does not: any one type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jmespath  # type: ignore[import-untyped]

from labkit.aws.templates.errors import ResourceFailed
from labkit.cloud.cloudformation.names import generated
from labkit.cloud.cloudformation.signals import Signals

Properties = Mapping[str, Any]
"""Resolved properties with the schema's types. `Tags` is always {key: value}: the stack's own tags and
CloudFormation's are in it."""


@dataclass(frozen=True)
class Context:
    """What a handler works with: the API of the stack's region, and where its resource belongs."""

    client: Callable[[str], Any]  # service → boto3 client
    region: str
    account_id: str
    stack_id: str
    stack_name: str
    logical_id: str
    type_name: str
    capabilities: tuple[str, ...]  # those that the stack was given
    until: Callable[..., None]  # wait for a state; the text says for what, `seconds` for how long
    system_tags: Callable[[str, Mapping[str, str]], None]  # bucket, tags that S3 refuses from clients
    signals: Signals = field(default_factory=Signals)

    def name(self, limit: int, *, lower: bool = False) -> str:
        """A name that CloudFormation makes up for this resource."""
        return generated(self.stack_name, self.logical_id, limit=limit, lower=lower)


class Handler:
    """One resource type. Methods raise botocore's ClientError as AWS answers, or ResourceFailed."""

    type_name: ClassVar[str]
    service: ClassVar[str]
    emulated: ClassVar[frozenset[str]]  # the properties it handles; all others are refused by name
    inside: ClassVar[Mapping[str, frozenset[str]]] = {}  # property (or "A.B") → the members it handles
    updatable: ClassVar[frozenset[str]] = frozenset()  # what update() can change in place
    replaces: ClassVar[frozenset[str]] = frozenset()  # changed only by making a new one
    attribute_names: ClassVar[frozenset[str]] = frozenset()  # what GetAtt may ask for
    name_property: ClassVar[str] = ""  # the property that names it, if templates may
    gone: ClassVar[frozenset[str]] = frozenset()  # error codes that mean: it does not exist
    capability: ClassVar[bool] = False  # whether making one needs CAPABILITY_IAM
    told: ClassVar[bool] = False  # whether its attributes are known only from its making or changing

    def create(self, ctx: Context, new: Properties) -> str:
        """Begin to make it; the physical id."""
        raise NotImplementedError

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Finish what `create` began: settings of their own, waiting."""

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> str | None:
        """Change it in place from `old` to `new`; the physical id where that is another one now."""
        return None

    def unchangeable(self, changed: set[str]) -> set[str]:
        """Those of the changed properties that update() can't change."""
        return changed - self.updatable

    def supports(self, attribute: str) -> bool:
        """Whether GetAtt may ask for `attribute`."""
        return attribute in self.attribute_names

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete it, and return when it is gone."""
        raise NotImplementedError

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """The values of `attribute_names`, as GetAtt returns them."""
        return {}


Setting = Callable[[Context, str, Any], None]
"""Sets one property of a resource after its creation; None means back to AWS's default."""


class ApiResource(Handler):
    """A handler described by its calls. Subclasses fill in the class attributes.

    `arguments` maps a property to the argument of the create call; `settings` are made by calls of
    their own, at creation and whenever they change.
    """

    arguments: ClassVar[Mapping[str, str]] = {}
    create_call: ClassVar[str]
    identity: ClassVar[str]  # JMESPath into the create call's answer
    delete_call: ClassVar[str]
    id_argument: ClassVar[str]
    settings: ClassVar[Mapping[str, Setting]] = {}
    read_call: ClassVar[str] = ""
    read_path: ClassVar[str] = ""
    read_argument: ClassVar[str] = ""  # takes a list of ids
    paths: ClassVar[Mapping[str, str]] = {}  # attribute → JMESPath into the description
    id_attribute: ClassVar[str] = ""  # the attribute that is the physical id

    def __init_subclass__(cls) -> None:
        """Derive what is handled from the description, unless the class says it itself."""
        declared = vars(cls)
        if "emulated" not in declared:
            cls.emulated = frozenset({*cls.arguments, *cls.settings})
        if "updatable" not in declared:
            cls.updatable = frozenset(cls.settings)
        if "attribute_names" not in declared:
            cls.attribute_names = frozenset({*cls.paths, cls.id_attribute} - {""})

    def call(self, ctx: Context, operation: str, **arguments: Any) -> Any:
        """One call to the type's service."""
        return getattr(ctx.client(self.service), operation)(**arguments)

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The arguments of the create call."""
        return {argument: new[name] for name, argument in self.arguments.items() if name in new}

    def create(self, ctx: Context, new: Properties) -> str:
        """Call `create_call` with the declared arguments."""
        answer = self.call(ctx, self.create_call, **self.create_arguments(ctx, new))
        return str(jmespath.search(self.identity, answer))

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Make the settings that the create call did not take."""
        for name, setting in self.settings.items():
            if name in new and name not in self.arguments:
                setting(ctx, physical_id, new[name])

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Make the settings that differ."""
        for name, setting in self.settings.items():
            if old.get(name) != new.get(name):
                setting(ctx, physical_id, new.get(name))

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Call `delete_call` with the physical id."""
        self.call(ctx, self.delete_call, **{self.id_argument: physical_id})

    def describe(self, ctx: Context, physical_id: str) -> Any:
        """Its description by the service; None when there is none."""
        answer = self.call(ctx, self.read_call, **{self.read_argument: [physical_id]})
        return jmespath.search(self.read_path, answer)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """The id by its name, and `paths` read out of the description."""
        found: dict[str, Any] = {self.id_attribute: physical_id} if self.id_attribute else {}
        if self.paths:
            description = self.describe(ctx, physical_id)
            found |= {name: jmespath.search(path, description) for name, path in self.paths.items()}
        return found


def same(*names: str) -> dict[str, str]:
    """Arguments that are called as the properties are."""
    return {name: name for name in names}


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as most APIs take them."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tag_changes(old: Properties, new: Properties) -> tuple[dict[str, str], list[str]]:
    """The tags to set and the keys to take away, from `old` to `new`."""
    before, after = old.get("Tags", {}), new.get("Tags", {})
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return changed, [key for key in before if key not in after]


def require_empty(failures: list[Any]) -> None:
    """Raise ResourceFailed for calls that answer 200 with a list of what failed."""
    if failures:
        error = failures[0].get("Error", failures[0])
        raise ResourceFailed(f"{error.get('Message')} ({error.get('Code')})")

"""What EC2's resource types share: tags at creation and afterwards, errors that mean "gone".

What belongs here: the base of the EC2 handlers. What does not: any one type.
"""

from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import (
    ApiResource,
    Context,
    Properties,
    tag_changes,
    tag_list,
)


class Ec2Resource(ApiResource):
    """A resource of EC2 that takes tags; `tag_type` is EC2's name of the kind."""

    service = "ec2"
    tag_type: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Tags can be given and changed wherever there is a `tag_type`."""
        super().__init_subclass__()
        if cls.tag_type:
            cls.emulated = cls.emulated | {"Tags"}
            cls.updatable = cls.updatable | {"Tags"}

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The declared arguments, and the tags."""
        arguments = super().create_arguments(ctx, new)
        if self.tag_type and new.get("Tags"):
            tags = [{"ResourceType": self.tag_type, "Tags": tag_list(new["Tags"])}]
            arguments["TagSpecifications"] = tags
        return arguments

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Change settings and tags."""
        super().update(ctx, physical_id, old, new)
        self.retag(ctx, self.tagged_id(ctx, physical_id), old, new)

    def tagged_id(self, ctx: Context, physical_id: str) -> str:
        """The id that CreateTags takes, where it is not the physical id."""
        return physical_id

    def retag(self, ctx: Context, resource_id: str, old: Properties, new: Properties) -> None:
        """Bring the tags from `old` to `new`."""
        changed, removed = tag_changes(old, new)
        if removed:
            self.call(ctx, "delete_tags", Resources=[resource_id], Tags=[{"Key": key} for key in removed])
        if changed:
            self.call(ctx, "create_tags", Resources=[resource_id], Tags=tag_list(changed))

"""Tags go with what carried them: moto keeps them by ARN, so a new thing of an old name would inherit them.

What belongs here: things whose ARN is made of their name. What does not: tagging itself.

AWS: CloudWatch Logs API, DeleteLogGroup.
"""

from typing import Any

from labkit.cloud.moto_seam.replacing import Replacements


def correct_deleted_tags(replacements: Replacements) -> None:
    """Deleting a log group deletes its tags."""
    from moto.logs.models import LogsBackend

    replacements.around(LogsBackend, "delete_log_group")(_delete_log_group)


def _delete_log_group(original: Any, self: Any, log_group_name: str) -> None:
    group = self.groups.get(log_group_name)
    original(self, log_group_name)
    if group is not None:
        self.tagger.delete_all_tags_for_resource(group.arn)

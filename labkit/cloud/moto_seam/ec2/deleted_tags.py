"""Tags go with what carried them: moto keeps them by ARN, so a new thing of an old name would inherit them.

What belongs here: things whose ARN is made of their name. What does not: tagging itself.

Terraform keeps the "aws:" tags that it finds on a bucket when it sets its own, and is refused then: a bucket that
CloudFormation had made and deleted could not be made by Terraform under the same name.

AWS: Amazon S3 API, DeleteBucket; CloudWatch Logs API, DeleteLogGroup.
"""

from typing import Any

from labkit.cloud.moto_seam.replacing import Replacements


def correct_deleted_tags(replacements: Replacements) -> None:
    """Deleting a bucket or a log group deletes its tags."""
    from moto.logs.models import LogsBackend
    from moto.s3.models import S3Backend

    replacements.around(S3Backend, "delete_bucket")(_delete_bucket)
    replacements.around(LogsBackend, "delete_log_group")(_delete_log_group)


def _delete_bucket(original: Any, self: Any, bucket_name: str) -> Any:
    deleted = original(self, bucket_name)
    if deleted is not None:  # None: it is not empty, and stays
        self.tagger.delete_all_tags_for_resource(deleted.arn)
    return deleted


def _delete_log_group(original: Any, self: Any, log_group_name: str) -> None:
    group = self.groups.get(log_group_name)
    original(self, log_group_name)
    if group is not None:
        self.tagger.delete_all_tags_for_resource(group.arn)

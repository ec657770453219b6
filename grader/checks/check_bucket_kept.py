"""Line bucket-kept."""

from collections.abc import Iterator

from grader.support.stated import infrastructure, properties, terraform_blocks
from labkit.grading.api import Failed, Lab, lost


def check(lab: Lab) -> None:
    """What is overwritten is still there as an older version, and objects are encrypted.

    Without versions one wrong write loses an image for good.
    """
    _judge([_rewritten(lab), *_stated(lab)])


def live(lab: Lab) -> None:
    """Your bucket's versioning is on and its encryption is set, and your code states both."""
    told = lab.clients.client("s3").get_bucket_versioning(Bucket=lab.bucket.name).get("Status", "never")
    _judge([(told == "Enabled", f"the bucket's versioning is: {told}"), *_stated(lab)])


def _judge(items: list[tuple[bool, str]]) -> None:
    holding, missing = lost(items)
    if holding < 1:
        both = "version" in missing and "encrypt" in missing
        raise Failed(
            missing, fraction=0.0 if both else 0.5, hint="gap bucket-protection: versioning, encryption",
            expected="two versions after two writes, encryption stated", found=missing,
        )  # fmt: skip


def _rewritten(lab: Lab) -> tuple[bool, str]:
    api, key = lab.clients.client("s3"), f"{lab.variant.prefix}/{lab.unique('twice')}.png"
    written = {
        api.put_object(Bucket=lab.bucket.name, Key=key, Body=body).get("VersionId")
        for body in (b"first", b"second")
    }
    kept = lab.bucket.versions(key)
    for version in kept:
        lab.cleanup(api.delete_object, Bucket=lab.bucket.name, Key=key, VersionId=version)
    return len(kept) == len(written) == 2, "an overwritten object has no older version"


def _stated(lab: Lab) -> Iterator[tuple[bool, str]]:
    if lab.engine == "terraform":
        stated = bool(terraform_blocks(infrastructure(lab), "aws_s3_bucket_versioning"))
    else:
        stated = any(each.get("VersioningConfiguration") for each in properties(lab, "AWS::S3::Bucket"))
    yield stated, "your code does not state that versions are kept"
    answer = lab.aws(lab.clients.client("s3").get_bucket_encryption, Bucket=lab.bucket.name)
    yield isinstance(answer, dict), "the bucket does not encrypt its objects"
    if lab.engine == "terraform":
        kind = "aws_s3_bucket_server_side_encryption_configuration"
        stated = bool(terraform_blocks(infrastructure(lab), kind))
    else:
        stated = any(each.get("BucketEncryption") for each in properties(lab, "AWS::S3::Bucket"))
    yield stated, "your code does not state how objects are encrypted"

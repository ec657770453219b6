"""Descriptions of services are read once, and stay what they are."""

from labkit.aws.services import descriptions
from labkit.deploy.targets import Clients, Keys, Target


def test_what_a_client_does_to_its_description_stays_its_own() -> None:
    """A call to a bucket takes "/{Bucket}" out of the operation's path: botocore, remove_bucket_from_url_paths_from_model."""
    client = Clients(Target("local", "us-east-1", "http://127.0.0.1:1", Keys("a", "b"))).client("s3")
    client.meta.service_model.operation_model("CreateBucket").http["requestUri"] = "/"
    told = descriptions().load_service_model("s3", "service-2")["operations"]["CreateBucket"]
    assert told["http"]["requestUri"] == "/{Bucket}"

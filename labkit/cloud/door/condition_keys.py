"""Condition keys of AWS that a request has here, never has here, or that the local cloud lacks.

What belongs here: the keys about sessions, resources and accounts, and the lists. What does not: keys of single
requests (contexts). AWS IAM: "AWS global condition context keys"; Service Authorization Reference.
"""

from collections.abc import Callable, Mapping

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import InstanceRecord, Principal
from labkit.cloud.door.reading import Asked
from labkit.cloud.ports import Facts

#: absent in every request here, as on AWS in an account without an organization, of roles that nobody federates,
#: tags or chains, and of calls that no service makes for its own reasons
ABSENT = frozenset(
    {"aws:principalorgid", "aws:principalorgpaths", "aws:resourceorgid", "aws:resourceorgpaths", "aws:sourceorgid",
     "aws:sourceorgpaths", "aws:vpceorgid", "aws:vpceorgpaths", "aws:federatedprovider", "aws:sourceidentity",
     "aws:chatbotsourcearn", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:sourcearn",
     "aws:sourceaccount", "aws:principalservicename", "aws:principalservicenameslist", "aws:assumedroot",
     "aws:multifactorauthage", "s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:accesspointnetworkorigin",
     "s3:accessgrantsinstancearn"}
)  # fmt: skip
#: AWS has these, and nothing here computes them
_LACKING = frozenset(
    {"aws:tokenissuetime", "aws:vpcsourceip", "aws:sourcevpcarn", "aws:vpceaccount", "aws:tagkeys",
     "s3:tlsversion", "s3:signatureage", "s3:locationconstraint", "s3:if-match", "s3:if-none-match",
     "s3:objectcreationoperation", "s3:requestobjecttagkeys", "s3:object-lock-mode", "s3:object-lock-legal-hold",
     "s3:object-lock-retain-until-date", "s3:object-lock-remaining-retention-days",
     "dynamodb:attributes", "dynamodb:enclosingoperation", "dynamodb:fulltablescan", "dynamodb:returnconsumedcapacity"}
)  # fmt: skip
_LACKING_FAMILIES = (
    "aws:requesttag/", "aws:resourcetag/", "s3:existingobjecttag/", "s3:requestobjecttag/", "s3:buckettag/",
    "ec2:", "lambda:", "iam:", "sts:", "logs:", "ssm:", "kms:", "cloudformation:",
)  # fmt: skip
_PRINCIPAL_TAG, _RESOURCE_TAG = "aws:principaltag/", "aws:resourcetag/"


def lacking(key: str) -> bool:
    """Whether AWS has the key (lower case), or may have it, and the local cloud does not know its value."""
    return key in _LACKING or key.startswith(_LACKING_FAMILIES)


def of_session(key: str, principal: Principal, facts: Facts) -> str | None:
    """The value of a key about who asks; "" where the principal has none, None for a key about something else."""
    if key.startswith(_PRINCIPAL_TAG):
        return _tag(facts.role_tags(principal.role_arn), key.removeprefix(_PRINCIPAL_TAG))
    compute = _OF_SESSION.get(key)
    if compute is None:
        return None
    instance = facts.instance(principal.arn.rsplit("/", 1)[-1]) if principal.kind == "session" else None
    return compute(principal, instance)


def of_resource(key: str, asked: Asked, facts: Facts) -> str | None:
    """The value of a key about what is asked for; None for a key about something else.

    DynamoDB knows aws:ResourceTag of tables; S3 of buckets only after it was switched on for the bucket, which
    nothing here does.
    """
    if key in ("aws:resourceaccount", f"{asked.service}:resourceaccount"):
        return ACCOUNT_ID
    if key.startswith(_RESOURCE_TAG) and asked.service == "dynamodb":
        table = str(asked.parameters.get("TableName", ""))
        return _tag(facts.table_tags(asked.region, table), key.removeprefix(_RESOURCE_TAG))
    return "" if key.startswith(_RESOURCE_TAG) and asked.service == "s3" else None


def _tag(tags: Mapping[str, str], name: str) -> str:
    """A tag's value; keys of conditions do not tell upper from lower case."""
    return next((value for key, value in tags.items() if key.lower() == name), "")


_Compute = Callable[[Principal, InstanceRecord | None], str]
#: of credentials that EC2 gave to an instance; its sessions are named by its id
_OF_SESSION: Mapping[str, _Compute] = {
    "aws:principalisawsservice": lambda principal, _: "false",
    "aws:multifactorauthpresent": lambda principal, _: "false" if principal.kind == "session" else "",
    "aws:ec2instancesourcevpc": lambda _, instance: instance.vpc_id if instance else "",
    "aws:ec2instancesourceprivateipv4": lambda _, instance: instance.private_ip if instance else "",
    "ec2:roledelivery": lambda _, instance: "2.0" if instance else "",
    "ec2:sourceinstancearn": lambda _, instance: (
        f"arn:aws:ec2:{instance.region}:{ACCOUNT_ID}:instance/{instance.instance_id}" if instance else ""
    ),
}

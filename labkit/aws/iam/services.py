"""Whether the policy of a resource lets one of AWS's services use it.

What belongs here: that one question. What does not: callers with policies of their own (evaluator).
AWS IAM: "AWS JSON policy elements: Principal", "AWS service principals".
"""

from collections.abc import Mapping

from labkit.aws.iam.statements import Statement, statements


def lets_service(
    document: Mapping[str, object], service: str, action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Whether `service` ("s3.amazonaws.com") may do `action` with the resource that the policy hangs on.

    `context`: condition keys in lower case.
    """
    speaking = [
        each
        for each in statements(document)
        if _names(each, service) and each.covers(action.lower(), resource, context)
    ]
    return any(each.effect == "Allow" for each in speaking) and all(
        each.effect == "Allow" for each in speaking
    )


def _names(statement: Statement, service: str) -> bool:
    principal = statement.principal
    if not isinstance(principal, Mapping):
        return principal == "*"
    named = principal.get("Service", ())
    return service in ([named] if isinstance(named, str) else named)

"""Line imds-v2."""

from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """Your server's metadata service asks for a token (IMDSv2).

    With version 1 any URL that your server is talked into fetching gives away its role's credentials.
    """
    options = lab.server.description.get("MetadataOptions", {})
    if options.get("HttpTokens") != "required" or options.get("HttpEndpoint", "enabled") != "enabled":
        raise Failed(
            f"the metadata service answers without a token (HttpTokens: {options.get('HttpTokens', 'not set')})",
            hint="require tokens in the server's metadata options",
            expected="HttpTokens: required", found=f"HttpTokens: {options.get('HttpTokens', 'not set')}",
        )  # fmt: skip

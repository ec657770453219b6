"""AWS's errors in the form that moto's services raise.

What belongs here: making an error from AWS's code and words. What does not: deciding when.
"""

import json


def ec2_error(code: str, message: str) -> Exception:
    """An error of EC2 (HTTP 400)."""
    from moto.ec2.exceptions import EC2ClientError

    error: Exception = EC2ClientError(code, message)
    return error


def lambda_error(code: str, message: str, status: int = 400) -> Exception:
    """An error of Lambda, with the body that its SDKs read."""
    from moto.awslambda.exceptions import LambdaClientError

    class Refused(LambdaClientError):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(code, message)
            self.code = status
            self.description = json.dumps({"Type": "User", "message": message, "__type": code})

    return Refused()


def not_emulated(what: str) -> Exception:
    """Lambda's refusal of what nothing would stand behind here."""
    return lambda_error("UnsupportedOperation", f"The local cloud does not emulate {what}.")

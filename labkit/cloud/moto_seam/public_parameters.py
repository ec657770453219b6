"""AWS's public parameters that the local cloud has not: the refusal says what there is instead.

What belongs here: those words. What does not: the parameters that there are, which are moto's.

AWS: Systems Manager user guide, "Working with public parameters".
"""

from typing import Any

from labkit.aws.images import HERE, PUBLISHED
from labkit.cloud.moto_seam.replacing import Replacements


def correct_public_parameters(replacements: Replacements) -> None:
    """A parameter of AWS's own that is not here is not found, in AWS's words and ours."""
    from moto.ssm.exceptions import ParameterNotFound
    from moto.ssm.models import SimpleSystemManagerBackend

    @replacements.around(SimpleSystemManagerBackend, "get_parameter")
    def get(original: Any, self: Any, name: str) -> Any:
        found = original(self, name)
        if found is None and name.startswith(PUBLISHED):
            raise ParameterNotFound(f"Parameter {name} not found. {HERE}")
        return found

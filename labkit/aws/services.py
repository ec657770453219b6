"""What botocore's own files say of AWS's services, endpoints and regions.

What belongs here: reading them once. What does not: making clients (labkit.deploy.targets).
"""

import functools
from typing import Any


@functools.cache
def descriptions() -> Any:
    """The loader of botocore's service models and endpoints; each file is read from disk once for all sessions."""
    from botocore.loaders import create_loader

    return create_loader()

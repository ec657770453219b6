"""What botocore's own files say of AWS's services, endpoints and regions.

What belongs here: reading them once. What does not: making clients (labkit.deploy.targets).
"""

import functools
from typing import Any


@functools.cache
def descriptions() -> Any:
    """The loader of botocore's service models and endpoints; each file is read from disk once for all."""
    from botocore.loaders import create_loader

    return create_loader()


class ClientsLoader:
    """`descriptions` for making clients, which change a description as they call: S3's paths lose their "/{Bucket}"."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """A service's description, whose operations are the client's own. Raises botocore's UnknownServiceError."""
        model = descriptions().load_service_model(service_name, type_name, api_version)
        if "operations" not in model:
            return model
        own = {name: {**each, "http": dict(each["http"])} for name, each in model["operations"].items()}
        return {**model, "operations": own}

    def __getattr__(self, name: str) -> Any:
        """Whatever else a loader has."""
        return getattr(descriptions(), name)

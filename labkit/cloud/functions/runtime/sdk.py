"""boto3 made quick to begin with: loaded, and the models of the services a lab uses parsed, before the fork.

What belongs here: what is kept in memory for all functions, and how botocore finds it. What does not: what
a function may import (see bootstrap).
"""

import importlib
import os
from collections.abc import Mapping
from typing import Any

_MODULES = (
    *("boto3.session", "boto3.s3.inject", "boto3.s3.transfer", "boto3.resources.factory"),
    *("boto3.dynamodb.table", "boto3.dynamodb.transform", "s3transfer.manager", "s3transfer.subscribers"),
    *("botocore.handlers", "botocore.httpsession", "botocore.signers"),
)
_MODELS = (
    *("endpoints", "partitions", "_retry", "sdk-default-configuration"),
    *("s3/service-2", "s3/endpoint-rule-set-1", "s3/paginators-1"),
    *("dynamodb/service-2", "dynamodb/endpoint-rule-set-1", "dynamodb/paginators-1"),
)
_SERVICES = "service-2"


def preload() -> None:
    """Load boto3 and keep its models; a second call does nothing.

    Sessions are not kept: they remember settings of the environment that they were made in.
    """
    for name in _MODULES:
        importlib.import_module(name)
    _trust_its_own_bundle()
    loaders: Any = importlib.import_module("botocore.loaders")
    if loaders.Loader.FILE_LOADER_CLASS is loaders.JSONFileLoader:
        _keep_models(loaders)
        _keep_services(loaders)


def _trust_its_own_bundle() -> None:
    """Certifi is not part of Lambda's runtime: without it botocore trusts the bundle that it brings."""
    session: Any = importlib.import_module("botocore.httpsession")
    session.where = lambda: session.DEFAULT_CA_BUNDLE


def _keep_models(loaders: Any) -> None:
    """Let botocore's file loader begin with what is parsed here."""
    data = loaders.Loader.BUILTIN_DATA_PATH
    paths = [_model_path(data, model) for model in _MODELS]
    kept: Mapping[str, object] = {path: loaders.JSONFileLoader().load_file(path) for path in paths}

    class KeepingLoader(loaders.JSONFileLoader):  # type: ignore[misc]
        """The usual loader, with what was parsed before the fork."""

        def load_file(self, file_path: str) -> object:
            """The parsed file, or None where there is none."""
            return kept.get(file_path) or super().load_file(file_path)

    loaders.Loader.FILE_LOADER_CLASS = KeepingLoader


def _keep_services(loaders: Any) -> None:
    """Let botocore remember which services there are: finding out reads a thousand folders."""
    boto3: Any = importlib.import_module("boto3")
    known = [os.path.join(os.path.dirname(boto3.__file__), "data"), loaders.Loader.BUILTIN_DATA_PATH]
    look = loaders.Loader.list_available_services
    kept = loaders.Loader(extra_search_paths=known[:1]).list_available_services(_SERVICES)

    def list_available_services(self: Any, type_name: str) -> object:
        """As botocore's; looked up only where the search path has folders that we don't know."""
        others = [path for path in self.search_paths if path not in known and os.path.isdir(path)]
        return look(self, type_name) if others or type_name != _SERVICES else list(kept)

    loaders.Loader.list_available_services = list_available_services


def _model_path(data: str, model: str) -> str:
    """Where botocore looks for a model: <name>, or <service>/<newest version>/<name>."""
    service, _, name = model.rpartition("/")
    if not service:
        return os.path.join(data, name)
    return os.path.join(data, service, max(os.listdir(os.path.join(data, service))), name)

"""Makes this Python process trust the sandbox's certificate authorities, where it would trust this machine's.

OpenSSL opens its files below Python, where paths are not translated.

What belongs here: replacing, once, the methods of ssl that load certificates. What does not: which
authorities there are (they lie in the sandbox's root). Runs inside: standard library only.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def install(root: str, fixed: Sequence[str], real: Callable[[str], str]) -> None:
    """From here on; for a sandbox with authorities of its own. `fixed`: what was put into its root."""
    if not os.path.exists(root + BUNDLE):
        return
    trust = _Trust(root + BUNDLE, {os.path.realpath(each): root + each for each in fixed}, real)
    if "ssl" in sys.modules:
        trust.teach(sys.modules["ssl"])
    else:
        sys.meta_path.insert(0, _WhenImported("ssl", trust.teach))


class _Trust:
    """Where certificates are really loaded from."""

    def __init__(self, bundle: str, put: Mapping[str, str], real: Callable[[str], str]) -> None:
        self._bundle, self._put, self._real = bundle, put, real

    def teach(self, module: Any) -> None:
        """Replace the methods of ssl's contexts."""
        kind = module.SSLContext
        locations, chain = kind.load_verify_locations, kind.load_cert_chain

        def load_verify_locations(
            context: Any, cafile: Any = None, capath: Any = None, cadata: Any = None
        ) -> None:
            locations(context, self._place(cafile), self._place(capath), cadata)

        def load_cert_chain(context: Any, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
            chain(context, self._place(certfile), self._place(keyfile), password)

        def set_default_verify_paths(context: Any) -> None:
            locations(context, self._place(os.environ.get("SSL_CERT_FILE", self._bundle)))

        kind.load_verify_locations, kind.load_cert_chain = load_verify_locations, load_cert_chain
        kind.set_default_verify_paths = set_default_verify_paths

    def _place(self, path: Any) -> Any:
        if path is None:
            return None
        text = os.fsdecode(os.fspath(path))
        return self._put.get(os.path.realpath(text)) or self._real(text)


class _WhenImported:
    """A finder that lets one module be found as ever, and sees it once it is loaded."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name, self._then = name, then

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The module's own spec, whose loader tells us."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._then(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

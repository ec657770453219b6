"""ensurepip, as `python -m venv` calls it: puts the instance's pip into a new environment."""

import os
import sys


def main() -> None:
    """Link pip into this environment's site-packages and write its commands."""
    release = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packages = f"{sys.prefix}/lib/python{release}/site-packages"
    os.makedirs(packages, exist_ok=True)
    if not os.path.lexists(f"{packages}/pip"):
        os.symlink("/usr/share/lab/pip", f"{packages}/pip")
    for name in ("pip", "pip3", f"pip{release}"):
        with open(f"{sys.prefix}/bin/{name}", "w", encoding="utf-8") as file:
            file.write(
                f"#!{sys.executable}\nimport sys\n\nfrom pip.command import main\n\nsys.exit(main(sys.argv[1:]))\n"
            )
        os.chmod(f"{sys.prefix}/bin/{name}", 0o755)

"""Part of the lab kit; see docs/architecture.md."""

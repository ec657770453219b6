"""What the documents say is emulated is what the tables decide by."""

from pathlib import Path

from labkit.cloud.door import emulated, inputs
from labkit.dev.emulation import document

ROOT = Path(__file__).parents[3]


def test_the_document_of_what_is_emulated_is_the_tables() -> None:
    assert (ROOT / "docs" / "emulated.md").read_text(encoding="utf-8") == document(), "./lab dev emulated"


def test_every_operation_and_parameter_of_the_table_is_one_of_aws() -> None:
    for service, operations in emulated.table().items():
        for operation, taken in operations.items():
            assert taken <= set(inputs.operation(service, operation).members.values()), (service, operation)

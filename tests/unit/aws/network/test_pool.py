"""Free addresses."""

from labkit.aws.network.pool import free_address, gateway_of, prefix_length_of


def test_aws_keeps_the_first_four_and_the_last() -> None:
    """VPC user guide, Subnet CIDR blocks: five addresses of each subnet are reserved."""
    taken: set[str] = set()
    while (address := free_address("10.0.1.0/28", taken)) is not None:
        taken.add(address)
    assert taken == {f"10.0.1.{n}" for n in range(4, 15)}


def test_the_router_is_the_second_address() -> None:
    """VPC user guide, Subnet CIDR blocks: .1 is the VPC router."""
    assert gateway_of("10.0.1.16/28") == "10.0.1.17"
    assert prefix_length_of("10.0.1.16/28") == 28

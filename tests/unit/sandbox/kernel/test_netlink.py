"""The message format, and the kernel's answers as far as an ordinary process may ask."""

import errno
import struct

import pytest

from labkit.sandbox.kernel import netlink
from labkit.sandbox.kernel.netlink import Conversation, End, Message, attribute


def test_an_attribute_has_its_length_and_is_padded() -> None:
    assert attribute(3, "lo") == struct.pack("=HH", 7, 3) + b"lo\0" + b"\0"
    nested = attribute(1, attribute(2, b"1234"), attribute(3, b""))
    assert nested == struct.pack("=HHHH4sHH", 16, 1, 8, 2, b"1234", 4, 3)


def test_a_refusal_carries_the_kernels_reason_and_what_was_asked() -> None:
    """This process may not change the network it is in, or the device does not exist: either is told."""
    conversation = Conversation(netlink.ROUTE_PROTOCOL)
    try:
        for _ in range(2):  # a refusal leaves nothing behind that confuses the next talk
            with pytest.raises(OSError, match=r"\(switch device 987654 on\)") as caught:
                conversation.talk([netlink.set_up(987654)])
            assert caught.value.errno in (errno.EPERM, errno.ENODEV)
    finally:
        conversation.close()


def test_a_datagram_that_is_too_long_is_told() -> None:
    conversation = Conversation(netlink.ROUTE_PROTOCOL)
    try:
        with pytest.raises(OSError, match="too much"):
            conversation.talk([Message(netlink.NEW_LINK, 0, bytes(8 << 20), "too much")])
    finally:
        conversation.close()


def test_every_request_says_in_words_what_it_is() -> None:
    requests = [
        netlink.add_veth(End("v1", 1001), End("eth0", 1001), 0),
        netlink.add_address(1001, "10.0.1.1", 32),
        netlink.add_route("10.0.1.5", 32, 1001),
        netlink.remove_route("10.0.1.5", 32),
        netlink.add_blackhole(),
    ]
    assert [request.label for request in requests] == [
        "make device v1",
        "add address 10.0.1.1/32",
        "route 10.0.1.5/32",
        "remove route 10.0.1.5/32",
        "drop what has no route",
    ]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(OSError, match="illegal IP address"):
        netlink.add_address(1, "10.0.1", 24)

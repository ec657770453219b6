"""From this machine to a server: public addresses that are nobody else's, and the proxy on the internet's side."""

import ipaddress
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from labkit.aws.addresses import PUBLIC_CIDRS

SERVER = "#!/bin/bash\ncd /srv; echo here > x; nohup python3 -m http.server 8080 >/dev/null 2>&1 &\n"


@pytest.fixture(scope="module")
def server(live: Any) -> Iterator[Any]:
    """A server on port 8080 behind an open group, as DescribeInstances shows it."""
    with live.instance(SERVER) as instance:
        asked = "for _ in $(seq 100); do curl -s localhost:8080/x && break; sleep 0.1; done"
        assert live.inside(instance, asked) == "here\n"
        yield live.described(instance)


def asked(live: Any, url: str, *, seconds: float = 10, proxy: str = "") -> str:
    """What this machine gets by the proxy; its words where it refuses."""
    proxies = urllib.request.ProxyHandler({"http": proxy or live.local.ask("GET", "proxy")["url"]})
    try:
        with urllib.request.build_opener(proxies).open(url, timeout=seconds) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


def test_a_public_address_and_its_name_answer_this_machine(live: Any, server: Any) -> None:
    """EC2 user guide, "Amazon EC2 instance IP addressing": the public address, and the public host name."""
    for host in (server["PublicIpAddress"], server["PublicDnsName"]):
        assert asked(live, f"http://{host}:8080/x") == "here\n"
    assert "Connection refused" in asked(live, f"http://{server['PublicIpAddress']}:8081/")


def test_a_closed_group_is_a_time_out(live: Any, server: Any) -> None:
    """EC2 user guide, "Troubleshoot connecting": no rule for the port, and the connection times out."""
    (group,) = server["SecurityGroups"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    live.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=everything)
    try:
        with pytest.raises((TimeoutError, urllib.error.URLError), match="timed out"):
            asked(live, f"http://{server['PublicIpAddress']}:8080/x", seconds=1)
    finally:
        live.ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=everything)


def test_public_addresses_are_never_a_strangers(live: Any, server: Any) -> None:
    """EC2 user guide, "Elastic IP addresses"; RFC 5737, RFC 2544: ranges that nobody on the internet has."""
    elastic = live.ec2.allocate_address(Domain="vpc")
    addresses = {server["PublicIpAddress"], elastic["PublicIp"]}
    live.ec2.release_address(AllocationId=elastic["AllocationId"])
    assert len(addresses) == 2
    for address in addresses:
        assert any(ipaddress.IPv4Address(address) in ipaddress.IPv4Network(each) for each in PUBLIC_CIDRS)


def test_nobody_without_the_password_is_served(live: Any, server: Any) -> None:
    """EC2 user guide, "Troubleshoot connecting": the way in is this shell's alone."""
    real = live.local.ask("GET", "proxy")["url"]
    wrong = "http://lab:wrong@" + real.rpartition("@")[2]
    assert asked(live, f"http://{server['PublicIpAddress']}:8080/x", proxy=wrong).startswith("407")

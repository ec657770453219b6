"""Line private-address."""

from grader.support import user_data
from grader.support.origins import is_reference
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """EC2_FLASK_URL is your server's private address with your port, taken from the server by reference.

    The public address changes at every stop and start, and a packet to it leaves your network.
    """
    found = lab.function.environment.get("EC2_FLASK_URL", "")
    address = f"http://{lab.server.description.get('PrivateIpAddress', '')}"
    wanted = f"{address}:{lab.variant.port}"
    if found.rstrip("/") not in {wanted, f"{address}:{user_data.port(lab)}"}:
        raise Failed(
            f"EC2_FLASK_URL is {found or 'not set'}; your server is at {wanted}",
            hint="gap lambda-network: refer to the server's private address, and to your port",
            expected=wanted, found=found or "nothing",
        )  # fmt: skip
    if not is_reference(lab):
        raise Failed(
            "EC2_FLASK_URL holds a typed address: right today by chance, wrong with the next server",
            hint="gap lambda-network: a reference to the server, not digits",
            expected="a reference", found="typed: it does not come from the server",
        )  # fmt: skip


#: it only reads
live = check

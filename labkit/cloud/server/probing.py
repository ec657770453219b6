"""What a grader may ask of its cloud beyond AWS's API: packets, processes, credentials, who called.

Reached through the control interface (labkit.cloud.server.control), so only by who holds the state file's token.

What belongs here: these questions, answered from the parts that know. What does not: judging the answers.
"""

import base64
import contextlib
import http.client
import itertools
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Protocol

from werkzeug.wrappers import Request

from labkit.aws import addresses
from labkit.aws.network.model import Flow, Verdict
from labkit.aws.records import InterfaceRecord
from labkit.cloud.ports import CredentialIssuer
from labkit.cloud.server import looking
from labkit.cloud.web.image_host import ImageHost
from labkit.cloud.web.image_requests import Behaviour

#: a packet that is let through arrives in far less; one that is dropped never does
ARRIVES_SECONDS = 5.0
DROPPED_SECONDS = 0.3
MOST_ANSWERED = 1 << 20


class Wires(Protocol):
    """The part of the network that is needed here (labkit.cloud.network.fabric)."""

    def attach(self, interface: InterfaceRecord) -> list[socket.socket]: ...  # noqa: D102
    def detach(self, name: str) -> None: ...  # noqa: D102
    def address_of(self, name: str) -> str: ...  # noqa: D102
    def decide(self, flow: Flow) -> Verdict: ...  # noqa: D102
    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket: ...  # noqa: D102
    def listening(self, name: str, ports: Sequence[int]) -> tuple[int, ...]: ...  # noqa: D102


class Probing:
    """Answers the grader's questions. For any thread."""

    def __init__(
        self,
        wires: Wires,
        images: ImageHost,
        credentials: CredentialIssuer,
        calls: Callable[[], list[Mapping[str, Any]]],
        process_of: Callable[[str], int],
        settle: Callable[[], object],
        faults: Callable[[], Mapping[str, int]],
        overseer: Callable[[], tuple[str, str]],
        metadata_of: Callable[[str], Sequence[str]] = lambda _: (),
        needed: Callable[[], Sequence[tuple[str, str]]] = lambda: (),
    ) -> None:
        """`needed`: actions and resources that calls from outside needed. `faults` counts our own failures. `overseer`: id and secret of the key that no policy binds. `metadata_of` tells what an instance's metadata service was asked for. `process_of` gives an instance's process 1 as this machine numbers it, 0 where it is down."""
        self._wires, self._images, self._credentials = wires, images, credentials
        self._calls, self._process_of, self._settle = calls, process_of, settle
        self._faults, self._overseer, self._numbers = faults, overseer, itertools.count(1)
        self._metadata_of, self._needed = metadata_of, needed

    def answer(self, method: str, parts: list[str], request: Request) -> Any:
        """The JSON value that answers the request; None when it is none of these questions."""
        match method, parts:
            case "GET", ["calls"]:
                return self._calls()
            case "GET", ["needed"]:
                return list(self._needed())
            case "GET", ["faults"]:
                return dict(self._faults())
            case "POST", ["overseer"]:
                return self._overseer()
            case "POST", ["credentials"]:
                return self._issue(**request.get_json())
            case "POST", ["packets"]:
                return self._packets(request.get_json())
            case "PUT", ["images", name] if "behaviour" in request.args:
                behaviour = Behaviour(**json.loads(request.args["behaviour"]))
                return {"url": self._images.publish(name, request.get_data(), behaviour)}
            case "PUT", ["image-host"]:
                self._images.delay = float(request.get_json()["delay"])
                return {"delay": self._images.delay}
            case "GET", ["images", name, "visits"]:
                return [asdict(visit) for visit in self._images.visits(name)]
            case "GET", ["instances", name, "programs"]:
                return self._programs(name)
            case "GET", ["instances", name, "metadata"]:
                return list(self._metadata_of(name))
            case "POST", ["instances", name, "kill"]:
                return {"killed": looking.kill(self._process_of(name), int(request.get_json()["pid"]))}
            case "POST", ["instances", name, "requests"]:
                return self._request_inside(name, request.get_json())
        return None

    def _programs(self, name: str) -> list[Mapping[str, Any]]:
        """What runs inside; `listens` has the ports where IPv4 reaches it, the only protocol that a VPC here has."""
        return [
            {
                "pid": each.pid,
                "command": each.command,
                "environment": each.environment,
                "listens": self._reached(name, each),
            }
            for each in looking.programs(self._process_of(name))
        ]

    def _reached(self, name: str, program: looking.Program) -> list[int]:
        """The ports of its sockets of IPv4, and of those of IPv6 that take IPv4 as well, which only trying tells."""
        by_ipv4 = self._wires.listening(name, program.listens)
        by_ipv6 = self._wires.listening(name, program.listens_ipv6)
        return [*by_ipv4, *(port for port in by_ipv6 if self._takes_ipv4(name, port))]

    def _takes_ipv4(self, name: str, port: int) -> bool:
        with contextlib.suppress(OSError):
            self._wires.connect(name, "127.0.0.1", port, timeout=ARRIVES_SECONDS).close()
            return True
        return False

    # -- credentials ------------------------------------------------------------------------------------

    def _issue(self, role: str, session: str = "grader", seconds: int = 3600) -> Mapping[str, Any]:
        """Credentials as the service gives them whose session has this name: EC2's bear the instance's id."""
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{addresses.ACCOUNT_ID}:role/{role}"
        return asdict(self._credentials.issue(arn, session, seconds=seconds))

    # -- packets ----------------------------------------------------------------------------------------

    def _packets(self, asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Put an interface where the caller wants one, try a connection to each port from it, take it away."""
        self._settle()
        place = asked["place"]
        name = f"probe-{next(self._numbers)}"
        interface = InterfaceRecord(
            name, place.get("vpc", ""), place.get("subnet", ""), "", "", tuple(place.get("groups", ()))
        )
        self._wires.attach(interface)
        ports = [int(port) for port in asked["ports"]]
        try:
            with ThreadPoolExecutor(max_workers=len(ports)) as pool:
                return list(pool.map(lambda port: self._try(name, str(asked["address"]), port), ports))
        finally:
            self._wires.detach(name)

    def _try(self, name: str, address: str, port: int) -> Mapping[str, Any]:
        verdict = self._wires.decide(Flow(name, address, port))
        seconds = ARRIVES_SECONDS if verdict.arrives else DROPPED_SECONDS
        try:
            self._wires.connect(name, address, port, timeout=seconds).close()
            outcome = "open"
        except TimeoutError:
            outcome = "dropped"
        except ConnectionRefusedError:
            outcome = "refused"
        except OSError:  # no route: the packet does not even leave
            outcome = "dropped"
        trace = [f"{'passes' if hop.allowed else 'stops at'} {hop.stage}: {hop.rule}" for hop in verdict.hops]
        return {"outcome": outcome, "reason": verdict.reason, "trace": trace}

    # -- HTTP from inside -------------------------------------------------------------------------------

    def _request_inside(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """One HTTP request from inside an interface's own network, to its loopback device."""
        connection = http.client.HTTPConnection("127.0.0.1", int(asked["port"]))
        try:
            connection.sock = self._wires.connect(
                name, "127.0.0.1", int(asked["port"]), timeout=float(asked["seconds"])
            )
            body = base64.b64decode(asked["body"])
            connection.request(asked["method"], asked["path"], body or None, asked["headers"])
            answer = connection.getresponse()
            data = answer.read(MOST_ANSWERED)
        except (OSError, http.client.HTTPException) as error:
            return {"problem": f"{type(error).__name__}: {error}"}
        finally:
            connection.close()
        return {
            "problem": "",
            "status": answer.status,
            "headers": dict(answer.getheaders()),
            "body": base64.b64encode(data).decode(),
        }

"""Whether a host on the internet can be reached: what dnf and pip find out before anything is installed.

What belongs here: one connection, tried for a while. What does not: what dnf and pip say then. Runs inside the
instance: standard library only.
"""

import socket
import sys
import time

#: dnf and pip on AWS try for minutes; what is not there after this long does not come in this lab
SECONDS = 10.0
_ONCE = 2.5


def problem(host: str, port: int = 443) -> str:
    """Why `host` can't be reached, in curl's words; "" when it can. Tries for SECONDS."""
    deadline = time.monotonic() + SECONDS
    while True:
        why = _tried(host, port)
        if not why or time.monotonic() > deadline:
            return why
        time.sleep(0.2)


def _tried(host: str, port: int) -> str:
    try:
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    except OSError:
        return (
            f"Curl error (6): Couldn't resolve host name for https://{host} [Could not resolve host: {host}]"
        )
    connection = socket.socket()
    connection.settimeout(_ONCE)
    try:
        connection.connect(address)
    except TimeoutError:
        return f"Curl error (28): Timeout was reached for https://{host} [Connection timed out]"
    except OSError as error:
        return f"Curl error (7): Couldn't connect to server for https://{host} [{error.strerror or error}]"
    finally:
        connection.close()
    return ""


if __name__ == "__main__":
    sys.stdout.write(problem(sys.argv[1]))

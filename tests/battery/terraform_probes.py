"""What a program in Terraform's place tries: run inside its sandbox, with `T`, the targets, given. Prints what came out.

Each probe returns what it got hold of; an error's name says that it got nothing. Only modules that are loaded already
can be imported: there are no files to import others from.
"""

import contextlib
import ctypes
import os
import resource
import socket

T = {}  # the targets, which the driver fills in
_LIBC = ctypes.CDLL(None, use_errno=True)
_X86 = os.uname().machine == "x86_64"


def canary():
    return open(T["canary"]).read()


def link_to_the_canary():
    os.symlink(T["canary"], "link")
    return open("link").read()


def files_of_the_kit():
    return open(T["kit"] + "/lab.toml").read(20)


def shadow():
    return open("/etc/shadow").read(20)


def homes():
    return os.listdir("/root") + [name for name in os.listdir("/home") if name != "ec2-user"] or None


def _opened(path, flags=0):
    """Whether the kernel opens it, whatever Python's hooks make of the path."""
    descriptor = _LIBC.open(path.encode(), flags, 0o600)
    if descriptor >= 0:
        os.close(descriptor)
    return _done(descriptor)


def canary_of_the_kernel():
    return _opened(T["canary"])


def files_of_the_kit_of_the_kernel():
    return _opened(T["kit"] + "/lab.toml")


def shadow_of_the_kernel():
    return _opened("/etc/shadow")


def a_shell():
    return _opened("/bin/sh")


def an_interpreter():
    return _opened("/usr/bin/python3")


def sockets_of_others():
    return [line for line in open("/proc/net/tcp") if f":{T['port']:04X} " in line] or None


def other_processes():
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()] or None


def environment_of_the_grader():
    return open(f"/proc/{T['pid']}/environ").read()


def environment_of_the_first():
    return "GRADER_SECRET" in open("/proc/1/environ").read() or None


def memory_of_the_grader():
    return os.open(f"/proc/{T['pid']}/mem", os.O_RDWR)


def own_environment():
    return [name for name in os.environ if name not in T["names"]] or None


def descriptors():
    found = []
    for number in range(3, 1024):
        with contextlib.suppress(OSError):
            found.append([number, os.readlink(f"/proc/self/fd/{number}")])
    return found or None


def _connect(kind, address, family=socket.AF_INET, protocol=0):
    with socket.socket(family, kind, protocol) as made:
        made.settimeout(2)
        made.connect(address)
        made.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return made.recv(100).decode()


def cloud():
    return _connect(socket.SOCK_STREAM, ("127.0.0.1", T["cloud"]))


def other_port():
    return _connect(socket.SOCK_STREAM, ("127.0.0.1", T["port"]))


def other_address():
    return _connect(socket.SOCK_STREAM, ("127.0.0.2", T["port"]))


def other_port_by_another_protocol():
    return _connect(socket.SOCK_STREAM, ("127.0.0.1", T["port"]), protocol=262)


def other_port_with_the_first_packet():
    with socket.socket() as made:
        made.settimeout(2)
        made.sendto(b"GET / HTTP/1.0\r\n\r\n", 0x20000000, ("127.0.0.1", T["port"]))
        return made.recv(100).decode()


def over_six():
    return _connect(socket.SOCK_STREAM, ("::ffff:127.0.0.1", T["port"]), socket.AF_INET6)


def metadata():
    return _connect(socket.SOCK_STREAM, ("169.254.169.254", 80))


def elsewhere():
    return _connect(socket.SOCK_STREAM, ("192.0.2.1", 80))


def datagram():  # whether it arrives is seen outside
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", ("127.0.0.1", T["datagrams"]))


def names():
    return socket.gethostbyname("registry.terraform.io")


def abstract_socket():
    return _connect(socket.SOCK_STREAM, "\0" + T["abstract"], socket.AF_UNIX)


def socket_with_a_path():
    return _connect(socket.SOCK_STREAM, T["path"], socket.AF_UNIX)


def packets():
    return repr(socket.socket(17, socket.SOCK_RAW, 768))


def raw():
    return repr(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))


def vsock():
    return repr(socket.socket(40, socket.SOCK_STREAM))


def signals():
    os.kill(T["pid"], 0)
    return "reached"


def _done(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return "done"


def traces():
    return _done(_LIBC.ptrace(16, T["pid"], 0, 0))


def namespaces():
    return _done(_LIBC.unshare(0x10000000))


def mounts():
    return _done(_LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None))


def programs_of_the_kernel():
    return _done(_LIBC.syscall(321 if _X86 else 280, 0, None, 0))


def rings():
    return _done(_LIBC.syscall(425, 1, None))


def keys():
    return _done(_LIBC.syscall(250 if _X86 else 219, 0, -3, 1))


def hidden_memory():
    return _done(_LIBC.memfd_create(b"x", 0))


def becomes_root():
    return _done(_LIBC.setuid(0)) if _LIBC.getuid() else None


def signals_of_the_kernel():
    return _done(_LIBC.kill(T["pid"], 0))


def writes_the_provider():
    return open(T["mirror"] + "/evil", "w").name


def writes_the_program():
    return _opened(T["program"], os.O_RDWR)


def writes_outside():
    return _opened(T["beside"] + "/evil", os.O_WRONLY | os.O_CREAT)


def writes_where_all_may():
    return _opened("/var/tmp/evil-by-terraform", os.O_WRONLY | os.O_CREAT)


def devices():
    return _opened("/dev/mem", os.O_RDWR)


def setting():
    return open("/proc/sys/kernel/hostname", "w").write("x")


def core():
    return resource.getrlimit(resource.RLIMIT_CORE)[1] or None


def without_limits():
    kinds = ("RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    return [kind for kind in kinds if resource.getrlimit(getattr(resource, kind))[1] < 0] or None


PROBES = {name: each for name, each in list(globals().items()) if callable(each) and not name.startswith("_")}


def answers():
    found = {}
    for name, probe in PROBES.items():
        try:
            found[name] = probe()
        except Exception as error:
            found[name] = {"refused": type(error).__name__}
    return found


# ---- what uses up, and what leaves odd things ---------------------------------------------------------------


def forks():
    made = 0
    try:
        while made < 2000:
            if os.fork() == 0:
                os.close(1)
                os.read(os.pipe()[0], 1)
            made += 1
    except OSError:
        pass
    return made


def fills_memory():
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 12) * (1 << 12)))


def fills_the_disk():
    written = 0
    try:
        for number in range(40):
            with open(f"big{number}", "wb", 0) as file:
                for _ in range(16):
                    written += file.write(bytes(1 << 20))
    except OSError:
        pass
    return written >> 20


def makes_files():
    made = 0
    try:
        while made < 20000:
            open(f"x{made}", "w").close()
            made += 1
    except OSError:
        pass
    return made


def never_ends():
    while True:
        pass


def goes_on():
    """Costs nothing, and does not end."""
    os.read(os.pipe()[0], 1)


def floods():
    while True:
        os.write(1, b"x" * 65536)


def leaves_odd_results():
    os.symlink(T["canary"], "terraform.tfstate")
    os.mkfifo("terraform.tfstate.backup")
    os.mkdir(".terraform.lock.hcl")


def leaves_much():
    with open("terraform.tfstate", "wb") as file:
        file.write(bytes(20 << 20))


def leaves_a_process():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            _connect_for_ever()
        os._exit(0)


def _connect_for_ever():
    """Shows that it lives to whoever listens for the cloud."""
    while True:
        with contextlib.suppress(OSError):
            _connect(socket.SOCK_STREAM, ("127.0.0.1", T["cloud"]))

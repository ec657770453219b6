"""What a hostile submission would try, each attack bounded so that even a success does little harm.

Runs inside a sandbox: `attacks.py NAME TOKEN`, the targets as JSON in the variable TARGETS. Prints JSON lines with
what it achieved; what stands there is the attacker's own claim, and the test judges what it can from outside.
Only the standard library.
"""

import ctypes
import glob
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
RAW = os.environ["TARGETS"]
TARGETS = json.loads(RAW)
MB = 1 << 20


def say(**values):
    os.write(1, (json.dumps(values) + "\n").encode())


def outcome(action, *arguments):
    """ "done", or the name of what stopped it."""
    try:
        action(*arguments)
    except BaseException as error:
        return type(error).__name__
    return "done"


def system_call(result):
    return "done" if result >= 0 else os.strerror(ctypes.get_errno())


def fork_bomb():
    children = 0
    for _ in range(200):
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            time.sleep(8)
            os._exit(0)
        children += 1
    say(children=children)
    os._exit(0)


def endless_loop():
    say(started=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        pass


def ignores_every_signal():
    for number in range(1, 65):
        outcome(signal.signal, number, signal.SIG_IGN)
    say(started=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.2)


def touch(megabytes, report):
    kept, got = [], 0
    while got < megabytes:
        try:
            block = bytearray(64 * MB)
        except MemoryError:
            break
        block[::4096] = b"\1" * len(range(0, len(block), 4096))
        kept.append(block)
        got += 64
        report(got)
    return kept


def memory_hog():
    kept = touch(2048, lambda got: say(mib=got))
    time.sleep(1)
    say(held=len(kept))


def memory_hog_in_five_processes():
    say(started=True)
    for _ in range(5):
        if os.fork() == 0:
            kept = touch(384, lambda _: None)
            say(mib=64 * len(kept))
            time.sleep(3)
            os._exit(0)
    for _ in range(5):
        os.wait()
    say(all_done=True)


def hidden_memory():
    def memory_file():
        descriptor = os.memfd_create("hidden")
        for _ in range(256):
            os.write(descriptor, b"\1" * MB)

    say(
        memfd=outcome(memory_file),
        shm=system_call(libc.shmget(0, 256 * MB, 0o1600)),
        shared=outcome(mmap.mmap, -1, 256 * MB),
    )


def disk_filler():
    written = 0
    for place, folder in enumerate((".", "/tmp", "/var/tmp", "/dev/shm", "/", os.path.expanduser("~"))):
        for index in range(3):
            try:
                with open(f"{folder}/fill_{TARGETS['token']}_{place}{index}", "wb", buffering=0) as file:
                    for _ in range(64):
                        written += file.write(b"\1" * MB)
            except OSError:
                continue
    say(mib=written // MB)


def inode_flood():
    made = 0
    try:
        for index in range(20000):
            with open(f"/tmp/{TARGETS['token']}_{index}", "w"):
                made += 1
    except OSError:
        pass
    say(files=made)


def contents(path):
    with open(path, "rb") as file:
        return file.read(MB)


def leaks(sources):
    """The names of those sources in which the secret shows."""
    found = []
    for name, read in sources.items():
        try:
            data = read()
        except BaseException:
            continue
        if TARGETS["secret"].encode() in data.replace(RAW.encode(), b"").replace(
            json.dumps(RAW)[1:-1].encode(), b""
        ):
            found.append(name)
    return found


def reads_hidden_tests():
    hidden, grader = TARGETS["hidden"], TARGETS["grader"]
    folder = os.path.dirname(hidden)
    say(
        leaks=leaks(
            {
                "path": lambda: contents(hidden),
                "through the grader's root": lambda: contents(f"/proc/{grader}/root{hidden}"),
                "through our parent's root": lambda: contents(f"/proc/{os.getppid()}/root{hidden}"),
                "descriptors": lambda: b"".join(inherited()),
            }
        ),
        listed=outcome(os.listdir, folder),
    )


def inherited():
    for descriptor in range(3, 256):
        try:
            os.set_blocking(descriptor, False)
            yield os.pread(descriptor, 4096, 0)
        except OSError:
            continue


def memory_of(process):
    data = b""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb") as memory:
        for line in maps:
            if " rw-p" in line:
                first, last = (int(end, 16) for end in line.split()[0].split("-"))
                memory.seek(first)
                data += memory.read(min(last - first, 4 * MB))
    return data


def reads_grader_memory_and_environment():
    grader = TARGETS["grader"]

    def everybody(name):
        return b"".join(contents(path) for path in glob.glob(f"/proc/[0-9]*/{name}"))

    say(
        leaks=leaks(
            {
                "own environment": lambda: json.dumps(dict(os.environ)).encode(),
                "grader's environment": lambda: contents(f"/proc/{grader}/environ"),
                "any environment": lambda: everybody("environ"),
                "grader's memory": lambda: memory_of(grader),
            }
        ),
        processes=len(glob.glob("/proc/[0-9]*")),
    )


def forges_results():
    results = TARGETS["results"]
    folder = os.path.dirname(results)

    def write():
        with open(results, "w") as file:
            file.write("100")

    def replace():
        with open(f"{folder}/forged", "w") as file:
            file.write("100")
        os.rename(f"{folder}/forged", results)

    say(write=outcome(write), replace=outcome(replace), chmod=outcome(os.chmod, folder, 0o777))


def kills_the_grader():
    kill = outcome(os.kill, TARGETS["grader"], signal.SIGKILL)
    say(kill=kill, everybody=TARGETS["spares"] or outcome(os.kill, -1, 9))


def kills_its_process_group():
    say(started=True)
    os.kill(0, signal.SIGKILL)


def traces_the_grader():
    say(attach=system_call(libc.ptrace(16, TARGETS["grader"], 0, 0)))


def reach(family, address):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(1)
            client.connect(address)
            client.sendall(b"hello")
            return client.recv(100).decode()
    except OSError as error:
        return type(error).__name__


def send_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(TARGETS["token"].encode(), ("127.0.0.1", TARGETS["udp"]))


def reaches_the_network():
    local, other = TARGETS["served"], TARGETS["forbidden"]
    say(
        served=reach(socket.AF_INET, ("127.0.0.1", local)),
        reached={
            "another port": reach(socket.AF_INET, ("127.0.0.1", other)),
            "another address": reach(socket.AF_INET, ("127.0.0.2", other)),
            "version 6": reach(socket.AF_INET6, ("::1", other)),
            "abstract": reach(socket.AF_UNIX, "\0" + TARGETS["abstract"]),
            "path": reach(socket.AF_UNIX, TARGETS["path"]),
        },
        datagram=outcome(send_datagram),
        created=[
            name
            for name, family, kind in (("vsock", 40, 1), ("packet", 17, 3), ("raw", 2, 3))
            if outcome(lambda f=family, k=kind: socket.socket(f, k).close()) == "done"
        ],
    )


def connected(descriptor, flags=0):
    """What a connection that has been made, or has begun with its data, is told."""
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    libc.send(descriptor, b"hello", 5, 0x4000 | flags)
    answer = ctypes.create_string_buffer(100)
    size = libc.recv(descriptor, answer, 100, 0)
    return answer.raw[: max(size, 0)].decode() or "done"


def address_of(port, family=2):
    return struct.pack("<H", family) + struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + b"\0" * 8


def by_protocol(family, kind, protocol):
    """A connection of another kind to the port: nobody asked whether that port may be reached."""
    descriptor = libc.socket(family, kind, protocol)
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    libc.setsockopt(descriptor, 1, 20, struct.pack("ll", 1, 0), 16)  # SO_RCVTIMEO
    if libc.connect(descriptor, address_of(TARGETS["forbidden"]), 16):
        return os.strerror(ctypes.get_errno())
    return connected(descriptor)


def message(data, address):
    """One msghdr, and what must live as long as it."""
    data, address = ctypes.create_string_buffer(data, len(data)), ctypes.create_string_buffer(address, 16)
    vector = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(data), len(data.raw)))
    record = struct.pack("PI4xPNPNi4x", ctypes.addressof(address), 16, ctypes.addressof(vector), 1, 0, 0, 0)
    return record, (data, address, vector)


def fast_open(how, address=None):
    """TCP Fast Open: the connection begins with its data."""
    descriptor, address = libc.socket(2, 1, 0), address or address_of(TARGETS["forbidden"])
    libc.setsockopt(descriptor, 1, 20, struct.pack("ll", 1, 0), 16)
    record, kept = message(b"hello", address)
    if how == "sendto":
        result = libc.sendto(descriptor, b"hello", 5, 0x20000000, address, 16)
    elif how == "sendmsg":
        result = libc.sendmsg(descriptor, ctypes.create_string_buffer(record), 0x20000000)
    elif how == "sendmmsg":
        result = libc.sendmmsg(descriptor, ctypes.create_string_buffer(record + b"\0" * 8), 1, 0x20000000)
    else:
        result = libc.setsockopt(descriptor, 6, 30, struct.pack("i", 1), 4)
        result = result or libc.connect(descriptor, address, 16)
    del kept
    return connected(descriptor) if result >= 0 else os.strerror(ctypes.get_errno())


def goes_round_the_port_rule():
    protocols = {
        "MPTCP": (2, 1, 262), "MPTCP, version 6": (10, 1, 262), "SCTP": (2, 1, 132), "SCTP, one to many": (2, 5, 132),
        "UDP-Lite": (2, 2, 136), "DCCP": (2, 6, 33), "SMC": (43, 1, 0), "SMC, version 6": (43, 1, 1),
        "raw": (2, 3, 255), "ICMP": (2, 2, 1), "vsock": (40, 1, 0), "RDS": (21, 5, 0), "TIPC": (30, 1, 0),
        "packets": (17, 3, 0x300), "XDP": (44, 3, 0), "AF_ALG": (38, 5, 0), "Bluetooth": (31, 1, 3), "X.25": (9, 5, 0),
        "IPX": (4, 2, 0), "no family": (0, 1, 0), "L2TP": (2, 2, 115), "KCM": (41, 5, 0), "NFC": (39, 1, 0),
        "CAN": (29, 3, 1), "netlink, socket diagnosis": (16, 3, 4), "netlink, netfilter": (16, 3, 12),
    }  # fmt: skip
    tried = {name: by_protocol(*numbers) for name, numbers in protocols.items()}
    for how in ("sendto", "sendmsg", "sendmmsg", "TCP_FASTOPEN_CONNECT"):
        tried[f"fast open by {how}"] = fast_open(how)
    tried["fast open without a family"] = fast_open("sendto", address_of(TARGETS["forbidden"], 0))
    pair = (ctypes.c_int * 2)()
    tried["a pair of the internet's"] = system_call(libc.socketpair(2, 1, 0, pair))
    tried["TCP made SMC"] = system_call(libc.setsockopt(libc.socket(2, 1, 0), 6, 31, b"smc", 3))
    tried["io_uring"] = system_call(libc.syscall(425, 1, ctypes.create_string_buffer(256)))
    if os.uname().machine == "x86_64":
        tried["x32"] = system_call(libc.syscall(0x40000000 + 41, 2, 1, 0))
    say(
        tried=tried,
        # a name of the family alone gives nothing; what answers, or what was made where nothing listens, does
        through=[name for name, result in tried.items() if result in ("FORBIDDEN", "done")],
    )


def finds_ports():
    """The ports that others on this machine listen on: what to knock at."""
    port, found = f":{TARGETS['forbidden']:04X} ", []
    places = (
        "net",
        "self/net",
        "thread-self/net",
        "1/net",
        f"{os.getppid()}/net",
        f"{TARGETS['grader']}/net",
    )
    files = [f"/proc/{place}/{name}" for place in places for name in ("tcp", "tcp6", "mptcp")]
    for path in (*files, *glob.glob("/proc/[0-9]*/net/tcp")):
        try:
            found += [path] * (port in contents(path).decode())
        except OSError:
            continue
    unix = []
    for path in (f"/proc/{place}/unix" for place in places):
        try:
            unix += [path] * (TARGETS["abstract"] in contents(path).decode())
        except OSError:
            continue
    say(tried=len(files) + len(places), through=found + unix)


def uses_newer_system_calls():
    calls = {
        "quotactl_fd": 443, "process_mrelease": 448, "set_mempolicy_home_node": 450, "cachestat": 451,
        "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459, "lsm_set_self_attr": 460,
        "lsm_list_modules": 461, "mseal": 462, "setxattrat": 463, "getxattrat": 464, "listxattrat": 465,
        "removexattrat": 466, "open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469, "listns": 470,
        "the next": 471, "a later one": 500, "x32's own": 512, "one far away": 100_000,
    }  # fmt: skip
    answers = {}
    for name, number in calls.items():
        ctypes.set_errno(0)
        libc.syscall(number, 0, 0, 0, 0, 0, 0)
        answers[name] = ctypes.get_errno()
    harmless = (1, 3, 38)  # EPERM, ESRCH (process_mrelease of nobody), ENOSYS
    known = {"process_mrelease"}
    say(tried=answers, through=[n for n, e in answers.items() if e not in harmless and n not in known])


def learns_about_the_machine():
    """What tells that this is a grading, and where: names of folders, command lines, how the machine was started."""
    texts, names = {}, ("self/mountinfo", "self/mounts", "1/cmdline", "1/environ", "cmdline", "keys", "key-users", "modules",
                 "partitions", "diskstats", "swaps", "timer_list", "sched_debug", "self/cgroup", "1/maps")  # fmt: skip
    for name in names:
        try:
            texts[name] = contents(f"/proc/{name}").decode(errors="replace")
        except OSError:
            continue
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        if path.split("/")[2] not in (str(os.getpid()), "1"):
            texts[path] = contents(path).decode(errors="replace")
    started = {name for name, text in texts.items() if name == "cmdline" and TARGETS["started"] in text}
    named = {name for name, text in texts.items() if TARGETS["place"] in text.replace(RAW, "")}
    host = {"keys", "key-users", "modules", "partitions", "diskstats", "swaps", "timer_list", "sched_debug"}
    shown = {name for name, text in texts.items() if name in host and text.strip()}
    say(tried=len(names), through=sorted(started | named | shown))


def takes_over_the_first_process():
    """Process 1 of an instance is the kit's: it says when user data has ended."""

    first = os.getppid()

    def written(kind):
        with (
            open(f"/proc/{first}/{kind}maps") as maps,
            open(f"/proc/{first}/{kind}mem", "r+b", buffering=0) as memory,
        ):
            memory.seek(next(int(line.split("-")[0], 16) for line in maps if "rw-p" in line))
            memory.write(memory.read(8))

    vector = ctypes.create_string_buffer(16)
    tried = {
        "memory": outcome(written, ""),
        "memory of its thread": outcome(written, f"task/{first}/"),
        "memory, unseen": outcome(lambda: open(f"/proc/{first}/mem", "wb", buffering=0).close()),
        "its environment": outcome(lambda: contents(f"/proc/{first}/environ")),
        "its descriptors": outcome(lambda: os.listdir(f"/proc/{first}/fd")),
        "its channel": outcome(lambda: os.open(f"/proc/{first}/fd/3", os.O_WRONLY)),
        "its first descriptor": outcome(lambda: os.open(f"/proc/{first}/fd/1", os.O_WRONLY)),
        "its working folder": outcome(lambda: os.listdir(f"/proc/{first}/cwd/")),
        "its maps": outcome(lambda: contents(f"/proc/{first}/maps")),
        "its files of maps": outcome(lambda: os.listdir(f"/proc/{first}/map_files")),
        "its stack": outcome(lambda: contents(f"/proc/{first}/stack")),
        "what it calls": outcome(lambda: contents(f"/proc/{first}/syscall")),
        "tracing it": system_call(libc.ptrace(16, first, 0, 0)),
        "seizing it": system_call(libc.ptrace(0x4206, first, 0, 0)),
        "process_vm_writev": system_call(libc.process_vm_writev(first, vector, 1, vector, 1, 0)),
        "a copy of its descriptor": outcome(lambda: os.read(pidfd_getfd(first, 3), 1)),
        "its limits": outcome(lambda: resource.prlimit(first, resource.RLIMIT_NOFILE, (0, 0))),
        "killing it": "done" if killed(first) else "no",
    }  # fmt: skip
    say(tried=tried, through=[name for name, result in tried.items() if result == "done"])


def pidfd_getfd(process, descriptor):
    handle = libc.syscall(434, process, 0)
    found = libc.syscall(438, handle, descriptor, 0)
    if found < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return found


def killed(process):
    """By any signal, also by one that it has a handler for."""
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGSEGV):
        outcome(os.kill, process, number)
    time.sleep(0.3)
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"T", b"X")
    except OSError:
        return os.getppid() != process


def leaves_a_background_process():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            time.sleep(8)
        os._exit(0)
    say(done=True)
    os._exit(0)


def floods_its_output():
    for _ in range(3200):
        os.write(1, b"x" * 65536)
    os.write(2, b"flood complete\n")


def escapes_its_namespaces():
    done = {}
    for name, flag in {"user": 0x10000000, "net": 0x40000000, "mount": 0x20000}.items():
        done[f"unshare {name}"] = system_call(libc.unshare(flag))
    done["mount"] = system_call(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
    done["remount"] = system_call(libc.mount(None, b"/", None, 32, None))
    for name in ("mnt", "net", "pid"):
        done[f"join {name}"] = outcome(os.open, f"/proc/{TARGETS['grader']}/ns/{name}", 0)
    done["chroot"] = outcome(os.chroot, "/")
    done["mknod"] = outcome(os.mknod, "/tmp/disk", 0o60600, os.makedev(8, 0))
    done["sysctl"] = outcome(open, "/proc/sys/kernel/core_pattern", "w")
    if os.uname().machine == "x86_64":
        done["bpf"] = system_call(libc.syscall(321, 0, None, 0))
        done["io_uring"] = system_call(libc.syscall(425, 1, ctypes.create_string_buffer(256)))
        done["userfaultfd"] = system_call(libc.syscall(323, 1))
        done["add_key"] = system_call(libc.syscall(248, b"user", b"k", b"v", 1, -4))
    done["become root"] = outcome(os.setuid, 0) if os.getuid() else "PermissionError"
    say(done=[name for name, result in done.items() if result == "done"])


globals()[sys.argv[1]]()

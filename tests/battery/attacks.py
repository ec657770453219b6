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
import signal
import socket
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

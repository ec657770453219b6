"""What a sandboxed process is given, and what its starter learns of it."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.base.errors import SandboxError
from labkit.sandbox.capture import Finished, run
from labkit.sandbox.host import SandboxHost
from labkit.sandbox.process import SandboxProcess
from labkit.sandbox.spec import Bind, Limits, SandboxSpec

pytestmark = pytest.mark.processes

Run = Callable[..., Finished]
SLEEP = SandboxSpec(name="sleeper", command=("/bin/sleep", "60"))


@contextlib.contextmanager
def started(host: SandboxHost, spec: SandboxSpec = SLEEP) -> Iterator[SandboxProcess]:
    sandbox = host.start(spec)
    try:
        yield sandbox
    finally:
        sandbox.kill()
        sandbox.wait()


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that anybody may use, below one that only we may enter."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    tmp_path.chmod(0o700)
    return folder


# --- commands and entries ------------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize(
    ("script", "code"), [("true", 0), ("exit 7", 7), ("kill -9 $$; sleep 9 & kill -9 $!; wait $!", 137)]
)
def test_exit_codes_come_back(shell: Run, script: str, code: int) -> None:
    assert shell(script).code == code  # pid 1 can't signal itself, as in any process namespace


def test_a_crash_comes_back_as_its_signal(python: Run) -> None:
    assert python("import ctypes; ctypes.string_at(0)").code == -signal.SIGSEGV


def test_a_command_sees_the_spec_and_nothing_else(shell: Run) -> None:
    done = shell(
        "env | sort; pwd; hostname; id -u; echo $$",
        env={"PATH": "/usr/bin:/bin", "A": "b"},
        cwd="/opt",
        hostname="ip-10-0-1-7",
        uid=4711,
    )
    lines = done.output.decode().splitlines()
    assert [line for line in lines if not line.startswith("PWD=")] == [
        *("A=b", "PATH=/usr/bin:/bin", "/opt", "ip-10-0-1-7", "4711", "1")
    ]


def test_a_missing_command_is_an_error(host: SandboxHost) -> None:
    with pytest.raises(SandboxError, match="no-such-program"):
        host.start(SandboxSpec(name="x", command=("no-such-program",)))


def test_a_missing_folder_to_start_in_is_an_error(host: SandboxHost) -> None:
    with pytest.raises(SandboxError, match="/nowhere"):
        host.start(SandboxSpec(name="x", command=("/bin/true",), cwd="/nowhere"))


def test_an_entry_is_called_with_its_arguments(host: SandboxHost) -> None:
    spec = SandboxSpec(name="x", entry="json:dumps", arguments={"a": 1})
    assert run(host, spec, seconds=20).code == 0
    spec = SandboxSpec(name="x", entry="builtins:print", arguments={"a": 1})
    assert run(host, spec, seconds=20).output == b"{'a': 1}\n"


def test_an_entry_sees_the_environment_of_the_spec(python: Run) -> None:
    done = python("import os; print(dict(os.environ), os.getpid())", env={"A": "b"})
    assert done.output == b"{'A': 'b'} 1\n"


@pytest.mark.parametrize(
    ("code", "status", "errors"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('bye')", 1, "bye"),
        ("raise ValueError('broken')", 1, "ValueError: broken"),
    ],
)
def test_an_entry_ends_as_a_program_does(python: Run, code: str, status: int, errors: str) -> None:
    done = python(code)
    assert done.code == status
    assert errors in done.errors.decode()


def test_an_entry_that_does_not_exist_says_so_on_its_errors(host: SandboxHost) -> None:
    done = run(host, SandboxSpec(name="x", entry="no_such_module:main"), seconds=20)
    assert done.code == 1
    assert b"No module named 'no_such_module'" in done.errors


@pytest.mark.processes
def test_modules_given_are_warm() -> None:
    spec = SandboxSpec(
        name="x", entry="builtins:exec", arguments="import sys; print('sqlite3' in sys.modules)"
    )
    with SandboxHost.open(["sqlite3"]) as host:
        assert run(host, spec, seconds=20).output == b"True\n"


@pytest.mark.processes
def test_a_module_that_can_t_be_warmed_is_an_error() -> None:
    with pytest.raises(SandboxError, match="no_such_module"):
        SandboxHost.open(["no_such_module"])


def test_the_interpreter_of_the_kit_runs_inside(shell: Run) -> None:
    done = shell(f"{sys.executable} -I -c 'import sys, ssl; print(sys.prefix)'")
    assert done.output.decode().strip() == sys.prefix, done.errors


def test_its_own_source_tree_is_not_there(shell: Run) -> None:
    tests = Path(__file__).parent
    assert shell(f"ls {tests}").code != 0


# --- descriptors ---------------------------------------------------------------------------------------


def test_standard_input_output_and_the_channel(host: SandboxHost) -> None:
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    os.close(writer)
    with ours:
        with theirs:
            spec = SandboxSpec(name="x", command=("/bin/sh", "-c", "read line; echo got $line >&3"))
            sandbox = host.start(spec, stdin=reader, channel=theirs.fileno())
        os.close(reader)
        assert sandbox.wait(20) == 0
        assert ours.recv(100) == b"got typed\n"


def test_no_other_descriptor_is_open(python: Run, host: SandboxHost) -> None:
    with started(host):
        done = python("import os; print(sorted(os.listdir('/proc/self/fd'), key=int))")
    assert done.output == b"['0', '1', '2', '3']\n"  # 3 is the listing itself


# --- files ---------------------------------------------------------------------------------------------


def test_files_are_there_from_the_start(shell: Run) -> None:
    files = {"/etc/hosts": "10.0.0.1 me\n", "/opt/kit/deep/file": "text\n"}
    done = shell("cat /etc/hosts /opt/kit/deep/file; head -1 /etc/passwd", files=files)
    assert done.output == b"10.0.0.1 me\ntext\nroot:x:0:0:root:/root:/bin/bash\n"


def test_a_request_of_a_megabyte_arrives(shell: Run) -> None:
    big = "x" * 1_500_000
    assert shell("wc -c < /opt/big", files={"/opt/big": big}).output == b"1500000\n"


def test_only_tmp_can_be_written(shell: Run) -> None:
    done = shell("echo a > /tmp/a && cat /tmp/a; touch /x /etc/x /usr/x /opt/x /var/x /dev/x")
    assert done.output == b"a\n"
    assert done.errors.decode().count("Read-only file system") == 6


def test_a_writable_root_can_be_written_but_for_usr(shell: Run) -> None:
    script = "touch /x /etc/x /opt/x /var/tmp/x /tmp/x && stat -c %a /tmp; touch /usr/x"
    done = shell(script, writable_root=True)
    assert done.output == b"1777\n"
    assert b"Read-only" in done.errors


def test_binds(shell: Run, open_folder: Path) -> None:
    (open_folder / "in").write_text("in\n")
    binds = (
        Bind(str(open_folder), "/srv/read"),
        Bind(str(open_folder), "/srv/write", writable=True),
        Bind(str(open_folder / "in"), "/run/one"),
    )
    done = shell("cat /srv/read/in /run/one; touch /srv/read/x; echo out > /srv/write/out", binds=binds)
    assert done.output == b"in\nin\n"
    assert b"Read-only" in done.errors
    assert (open_folder / "out").read_text() == "out\n"


def test_a_bind_of_nothing_is_an_error(host: SandboxHost) -> None:
    with pytest.raises(SandboxError, match="/nowhere: no such file"):
        host.start(SandboxSpec(name="x", command=("/bin/true",), binds=(Bind("/nowhere", "/opt"),)))


def test_layers_lie_over_usr_the_first_on_top(shell: Run, open_folder: Path) -> None:
    for name in ("top, first", "bottom:second"):  # characters that overlay options can't hold
        folder = open_folder / name / "bin"
        folder.mkdir(parents=True)
        for program in ("lab-shim", f"only-{name[:3]}"):
            (folder / program).write_text(f"#!/bin/sh\necho {name[:3]}\n")
            (folder / program).chmod(0o755)
    layers = tuple(str(open_folder / name) for name in ("top, first", "bottom:second"))
    done = shell("lab-shim; only-top; only-bot; ls /usr/bin/env; touch /usr/x", usr_layers=layers)
    assert done.output.split() == [b"top", b"top", b"bot", b"/usr/bin/env"]
    assert b"Read-only" in done.errors


def test_a_pretended_root_may_chown(shell: Run) -> None:
    script = "id -u; touch /opt/x && chown ec2-user: /opt/x && chown -R nobody /opt && echo fine"
    done = shell(script, uid=0, pretend_root=True, writable_root=True)
    assert done.output == b"0\nfine\n", done.errors


def test_a_pretended_root_makes_fifos_and_only_seems_to_make_devices(shell: Run) -> None:
    script = "cd /opt; mkfifo f && (echo through > f &) && cat f; mknod d c 1 3 && test ! -e d && echo seems"
    done = shell(script, uid=0, pretend_root=True, writable_root=True)
    assert done.output == b"through\nseems\n", done.errors


def test_the_clock_shows_utc_whatever_this_machine_s_zone_is(shell: Run) -> None:
    assert shell("readlink /etc/localtime; date +%Z").output == b"../usr/share/zoneinfo/UTC\nUTC\n"


# --- disks ---------------------------------------------------------------------------------------------


@pytest.fixture
def disk(host: SandboxHost) -> Iterator[str]:
    host.make_disk("i-1/../x", size_mb=8, files=200)
    yield "i-1/../x"
    host.remove_disk("i-1/../x")


PATHS = ("/etc", "/var", "/usr/local", "/home")


def test_a_disk_outlives_its_sandbox(shell: Run, disk: str) -> None:
    write = "for f in /etc/a /var/lib/a /usr/local/a /home/a; do echo kept > $f; done; echo me > /etc/hosts"
    assert shell(write, disk=disk, disk_paths=PATHS, writable_root=True).code == 0
    read = "cat /etc/a /var/lib/a /usr/local/a /home/a /etc/hosts; ls /etc/ssl/certs > /dev/null && echo ssl"
    done = shell(read, disk=disk, disk_paths=PATHS, writable_root=True)
    assert done.output == b"kept\n" * 4 + b"me\nssl\n", done.errors


def test_files_of_the_spec_replace_those_on_the_disk(shell: Run, disk: str) -> None:
    for text in ("one", "two"):
        done = shell("cat /var/f", disk=disk, disk_paths=PATHS, files={"/var/f": text})
        assert done.output == text.encode()


def test_a_disk_is_only_so_big(shell: Run, disk: str) -> None:
    fill = "cat /dev/zero > /home/fill; wc -c < /home/fill; rm /home/fill"
    done = shell(fill, disk=disk, disk_paths=("/home",))
    assert 0 < int(done.output) <= 8 << 20
    done = shell("for i in $(seq 300); do : > /home/$i; done", disk=disk, disk_paths=("/home",))
    assert b"No space left" in done.errors


def test_a_removed_disk_is_empty_when_made_again(shell: Run, host: SandboxHost) -> None:
    for _ in range(2):
        host.make_disk("again", size_mb=1, files=50)
        done = shell("ls /home; touch /home/a", disk="again", disk_paths=("/home",))
        assert done.output.split() == [b"ec2-user"]
        host.remove_disk("again")


def test_a_disk_in_a_folder_outlives_its_host_and_nothing_on_it_is_a_device_or_setuid(tmp_path: Path) -> None:
    look = "cat /etc/a /usr/local/b; grep ' /etc ' /proc/self/mounts"
    for script in ("echo one > /etc/a; echo two > /usr/local/b", look):
        spec = SandboxSpec(
            name="x", command=("/bin/sh", "-c", script), disk="kept", disk_paths=("/etc", "/usr/local"),
            writable_root=True,
        )  # fmt: skip
        with SandboxHost.open() as own:
            own.make_disk("kept", size_mb=1, files=10, folder=tmp_path / "disk")
            done = run(own, spec, seconds=20)
            assert done.code == 0, done.errors
            own.remove_disk("kept")
    one, two, mount = done.output.decode().splitlines()
    assert (one, two) == ("one", "two")
    assert {"nosuid", "nodev"} <= set(mount.split()[3].split(","))
    (tmp_path / "file").touch()
    with SandboxHost.open() as own, pytest.raises(SandboxError, match="can't be a disk"):
        own.make_disk("file", size_mb=1, files=10, folder=tmp_path / "file")


def test_disks_that_are_not_there_or_there_twice(host: SandboxHost, disk: str) -> None:
    with pytest.raises(SandboxError, match="exists"):
        host.make_disk(disk, size_mb=1, files=10)
    with pytest.raises(SandboxError, match="nothing"):
        host.remove_disk("nothing")
    spec = SandboxSpec(name="x", command=("/bin/true",), disk="nothing", disk_paths=("/etc",))
    with pytest.raises(SandboxError, match="no such disk"):
        host.start(spec)


def test_links_left_on_a_disk_lead_nowhere_outside(shell: Run, disk: str, open_folder: Path) -> None:
    """The next start writes and mounts below folders that hostile code has filled."""
    prey = open_folder / "prey"
    prey.write_text("unharmed")
    prey.chmod(0o666)
    plant = f"rm -f /etc/hosts; ln -s {prey} /etc/hosts; ln -s {open_folder} /etc/kit; mkfifo /etc/fifo"
    assert shell(plant, disk=disk, disk_paths=("/etc",)).code == 0
    files = {"/etc/hosts": "written", "/etc/kit/planted": "written"}
    with contextlib.suppress(SandboxError):
        shell("true", disk=disk, disk_paths=("/etc",), files=files)
    with pytest.raises(SandboxError):  # never a wait for the other end
        shell("true", disk=disk, disk_paths=("/etc",), files={"/etc/fifo": "written"})
    assert prey.read_text() == "unharmed"
    assert os.listdir(open_folder) == ["prey"]


# --- network -------------------------------------------------------------------------------------------


def test_listeners_inside_are_served_outside(host: SandboxHost) -> None:
    code = (
        "import socket\n"
        "for address in (('127.0.0.1', 4566), ('169.254.169.254', 80)):\n"
        "    with socket.create_connection(address, 5) as client:\n"
        "        print(client.recv(100).decode())\n"
    )
    spec = SandboxSpec(
        name="x",
        entry="builtins:exec",
        arguments=code,
        loopback=("169.254.169.254",),
        listen=(("127.0.0.1", 4566), ("169.254.169.254", 80)),
    )

    def serve(sandbox: SandboxProcess) -> None:
        for name, listener in zip(("api", "metadata"), sandbox.listeners, strict=True):
            with listener, listener.accept()[0] as client:
                client.sendall(name.encode())

    assert run(host, spec, seconds=20, started=serve).output == b"api\nmetadata\n"


def test_any_port_may_be_bound_inside(python: Run) -> None:
    assert python("import socket; socket.create_server(('0.0.0.0', 80)); print('bound')").output == b"bound\n"


def test_an_interface_of_the_private_network(host: SandboxHost, shell: Run) -> None:
    host.network("open_router", router="vpc")
    listeners = host.network(
        "attach",
        name="eni",
        router="vpc",
        address="10.0.1.23",
        prefix_length=24,
        gateway="10.0.1.1",
        listen=[["127.0.0.1", 4566]],
    )
    try:
        assert listeners[0].getsockname() == ("127.0.0.1", 4566)
        assert b"10.0.1.23" in shell("hostname -I", interface="eni").output
    finally:
        for listener in listeners:
            listener.close()
        host.network("close_router", router="vpc")


def test_the_network_s_errors_come_back_in_its_words(host: SandboxHost) -> None:
    with pytest.raises(SandboxError, match="no router nowhere"):
        host.network("set_rules", router="nowhere", rules={})
    with pytest.raises(SandboxError, match="no interface eni-0"):
        host.start(SandboxSpec(name="x", command=("/bin/true",), interface="eni-0"))


# --- life and death ------------------------------------------------------------------------------------


def test_waiting_and_killing(host: SandboxHost) -> None:
    sandbox = host.start(SLEEP)
    assert sandbox.wait(0) is None
    assert sandbox.ended_by == ""
    assert sandbox.memory_bytes() > 0
    sandbox.kill()
    assert select.select([sandbox], [], [], 20)[0] == [sandbox]
    assert sandbox.wait() == -signal.SIGKILL
    assert sandbox.ended_by == "killed"
    sandbox.kill()
    assert sandbox.memory_bytes() == 0


def test_an_end_of_its_own_is_an_exit(host: SandboxHost) -> None:
    sandbox = host.start(SandboxSpec(name="x", command=("/bin/true",)))
    assert sandbox.wait(20) == 0
    sandbox.kill()
    assert (sandbox.wait(), sandbox.ended_by) == (0, "exit")


def test_too_much_memory_ends_it(host: SandboxHost) -> None:
    code = (
        "import time; block = bytearray(100 << 20); block[::4096] = b'x' * len(block[::4096]); time.sleep(30)"
    )
    limits = Limits(memory_mb=64)
    spec = SandboxSpec(name="x", entry="builtins:exec", arguments=code, limits=limits)
    sandbox = host.start(spec)
    assert sandbox.wait(20) == -signal.SIGKILL
    assert sandbox.ended_by == "memory"


def test_many_threads_start_at_once(host: SandboxHost) -> None:
    codes: list[int | None] = []

    def start_some(number: int) -> None:
        for _ in range(3):
            spec = SandboxSpec(name="x", command=("/bin/sh", "-c", f"exit {number}"))
            codes.append(host.start(spec).wait(20))

    threads = [threading.Thread(target=start_some, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes, key=str) == sorted([number for number in range(6) for _ in range(3)])


def processes_below(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *processes_below(child))]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def state_of(host: SandboxHost, warm: int) -> dict[str, int]:
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "its descriptors": len(os.listdir(f"/proc/{warm}/fd")),
        "processes": len(processes_below(warm)),
        "mounts": len(Path(f"/proc/{warm}/mounts").read_text().splitlines()),
    }


@pytest.mark.processes
def test_fifty_rounds_leave_nothing(until: Callable[..., None]) -> None:
    others = set(processes_below(os.getpid()))
    with SandboxHost.open() as host:
        warm = [pid for pid in processes_below(os.getpid()) if pid not in others][-1]  # below its starter
        host.start(SLEEP).kill()
        before: dict[str, int] = {}
        for round_number in range(51):
            if round_number == 1:
                before = state_of(host, warm)
            host.make_disk("d", size_mb=1, files=50)
            spec = SandboxSpec(
                name="x",
                command=("/bin/sh", "-c", "sleep 60 & sleep 60"),
                listen=(("127.0.0.1", 80),),
                disk="d",
                disk_paths=("/home",),
                binds=(Bind("/etc/hosts", "/opt/hosts"),),
            )
            sandbox = host.start(spec)
            sandbox.listeners[0].close()
            sandbox.kill()
            assert sandbox.wait(20) == -signal.SIGKILL
            host.remove_disk("d")
            with pytest.raises(SandboxError):
                host.start(SandboxSpec(name="x", command=("no-such-program",)))
            del sandbox, spec
        # what the first round leaves may still be going when it is counted: afterwards there may be less, never more
        until(
            lambda: all(count <= before[name] for name, count in state_of(host, warm).items()),
            what=f"no more than {before}, now {state_of(host, warm)}",
        )


@pytest.mark.processes
def test_closing_ends_everything(until: Callable[..., None]) -> None:
    before = (len(os.listdir("/proc/self/fd")), processes_below(os.getpid()))
    host = SandboxHost.open()
    sandbox = host.start(SLEEP)
    host.close()
    host.close()
    assert sandbox.wait(20) == -signal.SIGKILL
    with pytest.raises(SandboxError, match="warm parent"):
        host.start(SLEEP)
    del sandbox
    assert (len(os.listdir("/proc/self/fd")), processes_below(os.getpid())) == before


@pytest.mark.processes
def test_the_warm_parent_s_death_ends_everything() -> None:
    host = SandboxHost.open()
    sandbox = host.start(SLEEP)
    warm = next(
        pid
        for pid in processes_below(os.getpid())
        if str(sandbox.pid) in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    )
    os.kill(warm, signal.SIGKILL)
    assert sandbox.wait(20) == -signal.SIGKILL
    with pytest.raises(SandboxError, match="warm parent"):
        host.make_disk("d", size_mb=1, files=10)
    host.close()


@pytest.mark.processes
def test_the_starter_s_death_ends_everything(until: Callable[..., None]) -> None:
    program = (
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from labkit.sandbox.host import SandboxHost\n"
        "from labkit.sandbox.spec import SandboxSpec\n"
        "sandbox = SandboxHost.open().start(SandboxSpec(name='x', command=('/bin/sleep', '60')))\n"
        "print(sandbox.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        everything = [pid, *processes_below(starter.pid)]
        starter.kill()
    until(lambda: not any(map(is_running, everything)), what="the end of all")


@pytest.mark.processes
def test_nothing_but_the_standard_library_is_imported() -> None:
    program = (
        "import sys, json\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "import labkit.sandbox.host, labkit.sandbox.probe, labkit.sandbox.warm, labkit.sandbox.capture\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, check=True)
    others = set(json.loads(done.stdout)) - set(sys.stdlib_module_names)
    assert others <= {"labkit", "__main__", "site"}

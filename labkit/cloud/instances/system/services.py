"""The life of service units: start, watch, restart, stop, as a state machine without any waiting.

What belongs here: states and their changes (systemd.service(5)). What does not: processes and time,
which are passed in; commands of people (control). Runs inside the instance: standard library only.
"""

from collections.abc import Callable, Mapping

from labkit.cloud.instances.system.outcome import Ending, Result, result_of, should_restart
from labkit.cloud.instances.system.runs import Machine, Run, SpawnError, State
from labkit.cloud.instances.system.units import Command, Service

#: seconds between two looks at the memory of a unit with a limit
MEMORY_SECONDS = 0.1


class Services:
    """All units that were ever started since boot, and the moves between their states."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._runs: dict[str, Run] = {}
        self._by_pid: dict[int, Run] = {}

    @property
    def runs(self) -> Mapping[str, Run]:
        """Units by name."""
        return self._runs

    # -- asked from outside ------------------------------------------------------------------------

    def start(self, service: Service, done: Callable[[Run], None]) -> None:
        """Start `service` unless it runs; `done` is called when the job has ended, well or not."""
        run = self._runs.setdefault(service.name, Run(service))
        if run.state == "active":
            return done(run)
        if run.state == "deactivating":
            run.waiting.append(lambda _: self.start(service, done))
            return None
        run.waiting.append(done)
        if run.state == "activating" and run.sub != "auto-restart":
            return None
        self._cancel(run)
        run.service, run.stop_asked = service, False
        return self._begin(run)

    def stop(self, name: str, done: Callable[[Run], None]) -> None:
        """Stop the unit; `done` is called when none of its processes is left."""
        run = self._runs[name]
        if run.state in ("inactive", "failed"):
            return done(run)
        run.waiting.append(done)
        if run.state == "deactivating":
            return None
        run.stop_asked = True
        if run.sub == "auto-restart":
            return self._end(run)
        self._machine.note(name, f"Stopping {run.service.description}...")
        self._stop_commands(run)
        return None

    def restart(self, service: Service, done: Callable[[Run], None]) -> None:
        """Stop it when it runs, then start it with the definition in `service`."""
        run = self._runs.get(service.name)
        if run is None or run.state in ("inactive", "failed"):
            return self.start(service, done)
        return self.stop(service.name, lambda _: self.start(service, done))

    def reload(self, name: str) -> None:
        """Run the unit's ExecReload lines."""
        run = self._runs[name]
        for command in run.service.reload:
            self._spawn_aside(run, command)

    def kill(self, name: str, number: int) -> None:
        """Send a signal to every process of the unit; what follows is as if it came by itself."""
        self._machine.signal(self._runs[name].invocation, number)

    def reset(self, name: str) -> None:
        """Forget a failure and the count of starts."""
        run = self._runs.get(name)
        if run is not None:
            run.started.clear()
            if run.state == "failed":
                self._become(run, "inactive", "dead")

    def ended(self, pid: int, ending: Ending) -> None:
        """A process ended: one of a unit's, or one that a unit left behind."""
        run = self._by_pid.pop(pid, None)
        if run is not None and pid == run.control_pid:
            self._control_ended(run, ending)
        elif run is not None and pid == run.main_pid:
            self._main_ended(run, ending)
        else:
            self._check_stopped()

    def notified(self, pid: int, text: str) -> None:
        """A process said something to NOTIFY_SOCKET (sd_notify(3)); who may is NotifyAccess='s to say."""
        run = next((run for run in self._runs.values() if self._may_notify(run, pid)), None)
        if run is None:
            return
        said = dict(line.partition("=")[::2] for line in text.splitlines())
        if said.get("MAINPID", "").isdigit():
            run.main_pid = int(said["MAINPID"])
            self._by_pid[run.main_pid] = run
        if said.get("READY") == "1" and run.service.type == "notify" and run.sub == "start":
            self._started(run)

    def _may_notify(self, run: Run, pid: int) -> bool:
        if not pid:  # nobody knows whom it came from: only who is waited for is believed
            return run.service.type == "notify" and run.sub == "start"
        match run.service.notify_access:
            case "main":
                return pid == run.main_pid
            case "exec":
                return pid in (run.main_pid, run.control_pid)
            case "all":
                return pid == run.main_pid or pid in self._machine.members(run.invocation)
        return False

    # -- starting -----------------------------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        now, service = self._machine.now(), run.service
        recent = [t for t in run.started if now - t < service.start_limit_seconds]
        if service.start_limit_burst and len(recent) >= service.start_limit_burst:
            self._machine.note(run.name, f"{run.name}: Start request repeated too quickly.")
            return self._fail(run, "start-limit-hit")
        run.started = [*recent, now]
        run.invocation = self._machine.new_invocation()
        run.ending, run.result, run.main_pid, run.out_of_memory = None, "success", 0, False
        self._machine.note(run.name, f"Starting {service.description}...")
        self._become(run, "activating", "start-pre")
        if service.start_timeout:
            run.timer = self._machine.after(service.start_timeout, lambda: self._start_timed_out(run))
        if service.memory_max:
            self._watch_memory(run, run.invocation)
        return self._control(run, list(service.start_pre))

    def _watch_memory(self, run: Run, invocation: str) -> None:
        """End this run when it holds more than MemoryMax=, as the kernel would (systemd.resource-control(5))."""
        if run.invocation != invocation or run.state not in ("activating", "active"):
            return
        if self._machine.memory(invocation) <= run.service.memory_max:
            self._machine.after(MEMORY_SECONDS, lambda: self._watch_memory(run, invocation))
            return
        self._machine.note(run.name, f"{run.name}: A process of this unit has been killed by the OOM killer.")
        run.out_of_memory = True
        self._machine.signal(invocation, 9)

    def _control(self, run: Run, commands: list[Command]) -> None:
        """Run the commands one after the other, then go on to what follows this phase."""
        run.queue = commands
        if commands:
            self._spawn_control(run, commands[0])
        else:
            self._phase_over(run)

    def _spawn_control(self, run: Run, command: Command) -> None:
        try:
            run.control_pid = self._spawn(run, command)
        except SpawnError as error:
            self._control_ended(run, self._explain(run, error))

    def _control_ended(self, run: Run, ending: Ending) -> None:
        run.control_pid = 0
        if not run.queue:  # the run was given up while this command was under way
            return self._check_stopped()
        command, result = run.queue.pop(0), result_of(ending, run.service)
        if result != "success" and not command.ignore_failure and run.state != "deactivating":
            self._machine.note(run.name, f"{run.name}: Control process exited, {ending.describe()}")
            run.ending = run.ending or ending
            return self._give_up(run, result)
        return self._control(run, run.queue)

    def _phase_over(self, run: Run) -> None:
        if run.sub == "start-pre":
            self._become(run, "activating", "start")
            self._start_main(run)
        elif run.sub == "start" and run.service.type == "forking":
            self._forked(run)
        elif run.sub == "start-post":
            self._running(run)
        elif run.sub == "stop":
            self._terminate(run)

    def _start_main(self, run: Run) -> None:
        service = run.service
        if service.type == "forking":
            return self._control(run, list(service.start))
        run.queue = list(service.start)
        return self._next_main(run)

    def _next_main(self, run: Run) -> None:
        """Start the next ExecStart line; of a oneshot unit they run one after the other."""
        if not run.queue:
            return self._oneshot_over(run)
        command = run.queue.pop(0)
        try:
            run.main_pid = self._spawn(run, command)
        except SpawnError as error:
            return self._spawn_failed(run, command, error)
        if run.service.type not in ("oneshot", "notify"):
            self._started(run)
        return None

    def _spawn_failed(self, run: Run, command: Command, error: SpawnError) -> None:
        """Type=simple counts as started before its program is found; the failure follows (203/EXEC)."""
        ending = self._explain(run, error)
        if run.service.type in ("simple", "idle"):
            self._become(run, "active", "running")
            self._announce(run)
        self._main_ended(run, ending, ignore=command.ignore_failure)

    def _started(self, run: Run) -> None:
        self._become(run, "activating", "start-post")
        self._control(run, list(run.service.start_post))

    def _forked(self, run: Run) -> None:
        """The first process has ended: what it left is the service (GuessMainPID= where it wrote no PIDFile=)."""
        left = self._machine.members(run.invocation)
        run.main_pid = self._machine.read_pid(run.service.pid_file) or min(left, default=0)
        if not run.main_pid:
            return self._main_ended(run, Ending(0))
        self._by_pid[run.main_pid] = run
        return self._started(run)

    def _running(self, run: Run) -> None:
        self._cancel(run)
        if run.service.type == "oneshot":
            return self._oneshot_done(run)
        self._become(run, "active", "running")
        return self._announce(run)

    def _oneshot_over(self, run: Run) -> None:
        self._become(run, "activating", "start-post")
        self._control(run, list(run.service.start_post))

    def _oneshot_done(self, run: Run) -> None:
        if run.service.remain_after_exit:
            self._become(run, "active", "exited")
            return self._announce(run)
        self._machine.note(run.name, f"{run.name}: Deactivated successfully.")
        self._machine.note(run.name, f"Finished {run.service.description}.")
        self._become(run, "inactive", "dead")
        return self._done(run)

    def _announce(self, run: Run) -> None:
        verb = "Finished" if run.service.type == "oneshot" else "Started"
        self._machine.note(run.name, f"{verb} {run.service.description}.")
        self._done(run)

    def _start_timed_out(self, run: Run) -> None:
        self._machine.note(run.name, f"{run.name}: start operation timed out. Terminating.")
        self._give_up(run, "timeout")

    # -- ending -------------------------------------------------------------------------------------

    def _main_ended(self, run: Run, ending: Ending, *, ignore: bool = False) -> None:
        run.main_pid, run.ending = 0, ending
        result: Result = "success" if ignore else result_of(ending, run.service)
        if run.state == "deactivating":
            return self._check_stopped()
        if result != "success" or ending.signal:
            self._machine.note(run.name, f"{run.name}: Main process exited, {ending.describe()}")
        if result == "success" and run.service.type == "oneshot" and run.state == "activating":
            return self._next_main(run)
        if result == "success" and run.service.type == "notify" and run.sub == "start":
            result = "protocol"  # it ended before it said that it is ready
        if result == "success" and run.service.remain_after_exit:
            return self._become(run, "active", "exited")
        return self._give_up(run, result)

    def _give_up(self, run: Run, result: Result) -> None:
        """End what is left of this run, then fail, rest or restart."""
        self._cancel(run)
        run.result, run.queue = "oom-kill" if run.out_of_memory else result, []
        self._terminate(run)

    def _stop_commands(self, run: Run) -> None:
        self._cancel(run)
        self._become(run, "deactivating", "stop")
        if run.service.stop_timeout:
            run.timer = self._machine.after(run.service.stop_timeout, lambda: self._kill(run))
        self._control(run, list(run.service.stop) if run.main_pid or run.sub == "exited" else [])

    def _terminate(self, run: Run) -> None:
        self._become(run, "deactivating", "stop-sigterm")
        if not self._machine.signal(run.invocation, run.service.kill_signal):
            return self._end(run)
        if run.timer is None and run.service.stop_timeout:
            run.timer = self._machine.after(run.service.stop_timeout, lambda: self._kill(run))
        return None

    def _kill(self, run: Run) -> None:
        self._machine.note(run.name, f"{run.name}: State 'stop-sigterm' timed out. Killing.")
        run.timer, run.queue, run.result = None, [], "timeout"
        self._become(run, "deactivating", "stop-sigkill")
        if not self._machine.signal(run.invocation, 9):
            self._end(run)

    def _check_stopped(self) -> None:
        for run in list(self._runs.values()):
            ending = run.sub in ("stop-sigterm", "stop-sigkill")
            if ending and not run.control_pid and not self._machine.signal(run.invocation, 0):
                self._end(run)

    def _end(self, run: Run) -> None:
        """Nothing of this run is left."""
        self._cancel(run)
        if run.stop_asked:
            return self._rest(run)
        if should_restart(run.service.restart, run.result):
            return self._schedule(run)
        return self._rest(run) if run.result == "success" else self._fail(run, run.result)

    def _rest(self, run: Run) -> None:
        if run.result == "success":
            self._machine.note(run.name, f"{run.name}: Deactivated successfully.")
        if run.stop_asked:
            self._machine.note(run.name, f"Stopped {run.service.description}.")
        if run.result != "success":
            return self._fail(run, run.result)
        self._become(run, "inactive", "dead")
        return self._done(run)

    def _fail(self, run: Run, result: Result) -> None:
        run.result = result
        self._machine.note(run.name, f"{run.name}: Failed with result '{result}'.")
        if run.waiting and not run.stop_asked:
            self._machine.note(run.name, f"Failed to start {run.service.description}.")
        self._become(run, "failed", "failed")
        self._done(run)

    def _schedule(self, run: Run) -> None:
        if run.result != "success":
            self._machine.note(run.name, f"{run.name}: Failed with result '{run.result}'.")
        self._become(run, "activating", "auto-restart")
        self._done(run)
        run.timer = self._machine.after(run.service.restart_seconds, lambda: self._again(run))

    def _again(self, run: Run) -> None:
        run.timer = None
        run.restarts += 1
        self._machine.note(
            run.name, f"{run.name}: Scheduled restart job, restart counter is at {run.restarts}."
        )
        self._begin(run)

    # -- small things -------------------------------------------------------------------------------

    def _spawn(self, run: Run, command: Command) -> int:
        pid = self._machine.spawn(run.service, command, run.invocation)
        self._by_pid[pid] = run
        return pid

    def _spawn_aside(self, run: Run, command: Command) -> None:
        try:
            self._machine.spawn(run.service, command, run.invocation)
        except SpawnError as error:
            self._machine.note(run.name, f"{run.name}: {error}")

    def _explain(self, run: Run, error: SpawnError) -> Ending:
        self._machine.note(run.name, f"{run.name}: {error}")
        return Ending(error.status)

    def _become(self, run: Run, state: State, sub: str) -> None:
        run.state, run.sub, run.since = state, sub, self._machine.now()
        self._machine.changed(run)

    def _cancel(self, run: Run) -> None:
        if run.timer is not None:
            run.timer.cancel()
            run.timer = None

    def _done(self, run: Run) -> None:
        waiting, run.waiting = run.waiting, []
        for call in waiting:
            call(run)

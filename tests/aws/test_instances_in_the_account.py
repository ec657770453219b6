"""EC2 instances through the API of a whole cloud: user data, units, stop and start, versions."""

import base64
from typing import Any

UNIT = "[Service]\nExecStart=/usr/bin/sleep 1000\n{more}\n[Install]\nWantedBy=multi-user.target\n"


def _unit(more: str = "", name: str = "app") -> str:
    return f"cat > /etc/systemd/system/{name}.service <<'E'\n{UNIT.format(more=more)}E\nsystemctl daemon-reload\n"


def _cycle(live: Any, instance: str) -> None:
    live.ec2.stop_instances(InstanceIds=[instance])
    live.ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    live.ec2.start_instances(InstanceIds=[instance])
    live.ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    live.local.await_boot(instance)


def test_stop_and_start_keep_the_private_address_and_what_is_enabled(live: Any) -> None:
    """EC2 user guide, "Stop and start": a new public address; systemctl(1): only enabled units come back."""
    script = f"#!/bin/bash\n{_unit()}{_unit(name='other')}systemctl enable --now app\nsystemctl start other\necho once >> /opt/runs\n"
    with live.instance(script) as instance:
        before = live.described(instance)
        assert live.inside(instance, "systemctl is-active app other").split() == ["active", "active"]
        _cycle(live, instance)
        after = live.described(instance)
        assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
        assert after["PublicIpAddress"] != before["PublicIpAddress"]
        assert live.inside(instance, "systemctl is-active app other").split() == ["active", "inactive"]
        assert live.inside(instance, "cat /opt/runs").split() == ["once"]


def test_changed_user_data_does_not_run_at_the_next_start(live: Any) -> None:
    """EC2 user guide, "Run commands when you launch": user data runs at the first boot only."""
    with live.instance("#!/bin/bash\necho first >> /opt/runs\n") as instance:
        live.ec2.stop_instances(InstanceIds=[instance])
        live.ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
        changed = base64.b64encode(b"#!/bin/bash\necho second >> /opt/runs\n")
        live.ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": changed})
        live.ec2.start_instances(InstanceIds=[instance])
        live.local.await_boot(instance)
        assert live.inside(instance, "cat /opt/runs").split() == ["first"]


def test_a_power_off_from_inside_is_seen_as_stopped(live: Any, aids: Any) -> None:
    """EC2 user guide, "Instance lifecycle": shutdown from the operating system stops the instance."""
    with live.instance("#!/bin/bash\ntrue\n") as instance:
        live.inside(instance, "poweroff")
        assert aids.eventually(lambda: live.described(instance)["State"]["Name"] == "stopped")


def test_user_data_without_a_first_line_does_not_run(live: Any) -> None:
    """EC2 user guide, "Run commands when you launch": a script must begin with #!; cloud-init says so."""
    with live.instance("echo ran > /opt/ran\n") as instance:
        assert live.inside(instance, "cat /opt/ran 2>/dev/null || echo absent").strip() == "absent"


def test_user_data_encoded_twice_does_not_run(live: Any) -> None:
    """EC2 API reference, RunInstances: the SDK encodes user data; what is encoded already arrives as text."""
    script = base64.b64encode(b"#!/bin/bash\necho ran > /opt/ran\n").decode()
    with live.instance(script) as instance:
        assert live.inside(instance, "cat /opt/ran 2>/dev/null || echo absent").strip() == "absent"


def test_user_data_with_windows_line_ends_and_binary_user_data(live: Any) -> None:
    """cloud-init documentation, "User data formats": a script's CRLF; anything else is left alone."""
    with live.instance(b"\x00\x01\x02 not text \xff") as instance:
        assert live.described(instance)["State"]["Name"] == "running"


def test_user_data_that_fails_half_way_leaves_the_server_running(live: Any) -> None:
    """EC2 user guide, "Run commands when you launch": cloud-init reports, the instance stays up."""
    with live.instance(
        "#!/bin/bash\nset -e\necho begun > /opt/begun\nfalse\necho end > /opt/end\n"
    ) as instance:
        boot = live.local.instance(instance)
        assert (boot["state"], boot["exit_code"]) == ("failed", 1)
        opt = live.inside(instance, "ls /opt").split()
        assert "begun" in opt
        assert "end" not in opt


def test_a_unit_does_not_see_what_user_data_exports_and_runs_as_its_user(live: Any) -> None:
    """systemd.exec(5), "Environment" and "User=": a unit gets nothing of the shell that started it."""
    more = "User=ec2-user\nEnvironment=GIVEN=yes"
    script = f"#!/bin/bash\nexport SECRET=1\n{_unit(more)}systemctl start app\n"
    with live.instance(script) as instance:
        program = "tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value app)/environ"
        environment = live.inside(instance, program)
        assert "GIVEN=yes" in environment
        assert "USER=ec2-user" in environment
        assert "SECRET" not in environment


def test_a_terminated_instance_lets_go_of_its_addresses(live: Any, aids: Any) -> None:
    """EC2 user guide, "Terminate your instances": the network interface goes with it."""
    with live.instance("#!/bin/bash\ntrue\n") as instance:
        pass
    assert aids.eventually(lambda: live.described(instance)["State"]["Name"] == "terminated")
    assert "PrivateIpAddress" not in live.described(instance)


def test_metadata_is_the_instances_own_and_needs_a_token_when_required(live: Any) -> None:
    """EC2 user guide, "Use IMDS": with HttpTokens required a request without a token gets 401."""
    options = {"HttpTokens": "required"}
    with live.instance("#!/bin/bash\ntrue\n", MetadataOptions=options) as instance:
        url = "http://169.254.169.254/latest"
        assert live.inside(instance, f"curl -s -o /dev/null -w '%{{http_code}}' {url}/meta-data/") == "401"
        token = f"$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {url}/api/token)"
        command = f'curl -s -H "X-aws-ec2-metadata-token: {token}" {url}/meta-data/instance-id'
        assert live.inside(instance, command) == instance


def test_the_apis_admin_paths_are_closed_from_inside(live: Any) -> None:
    """AWS General Reference, "AWS service endpoints": there is nothing but AWS's API at them."""
    with live.instance("#!/bin/bash\ntrue\n") as instance:
        for path in ("moto-api/reset", "_lab/status", "moto-api/data.json"):
            url = f"https://s3.ap-south-1.amazonaws.com/{path}"
            assert live.inside(instance, f"curl -s -o /dev/null -w '%{{http_code}}' -X POST {url}") in (
                "403",
                "404",
            )

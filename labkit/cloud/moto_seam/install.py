"""What the rest of the cloud calls before it serves moto: the hooks, the corrections, the warming up.

What belongs here: the list of corrections, and how they reach the data plane. What does not: the corrections.
"""

from collections.abc import Callable
from dataclasses import dataclass

from labkit.aws.accounts import FULL, Account
from labkit.aws.records import InstanceRecord
from labkit.cloud.moto_seam.ec2.deleted_tags import correct_deleted_tags
from labkit.cloud.moto_seam.ec2.ec2_addresses import correct_addresses
from labkit.cloud.moto_seam.ec2.ec2_dependencies import correct_dependencies
from labkit.cloud.moto_seam.ec2.ec2_lifecycle import correct_lifecycle, correct_reports
from labkit.cloud.moto_seam.ec2.ec2_rules import correct_rules
from labkit.cloud.moto_seam.ec2.ec2_run import correct_run
from labkit.cloud.moto_seam.ec2.ec2_templates import correct_launch_templates
from labkit.cloud.moto_seam.ec2.ec2_types import correct_types
from labkit.cloud.moto_seam.ec2.ec2_words import correct_words
from labkit.cloud.moto_seam.ec2.prefix_lists import correct_prefix_lists
from labkit.cloud.moto_seam.functions.interfaces import correct_interfaces
from labkit.cloud.moto_seam.functions.lambda_functions import ReadObject, correct_functions, no_objects
from labkit.cloud.moto_seam.functions.lambda_invoke import Invoke, correct_invoke
from labkit.cloud.moto_seam.functions.lambda_requests import correct_requests
from labkit.cloud.moto_seam.identity.managed_policies import correct_managed_policies
from labkit.cloud.moto_seam.identity.simulation import Policies, correct_simulation
from labkit.cloud.moto_seam.identity.sts_keys import correct_sts
from labkit.cloud.moto_seam.identity.trust_policies import correct_trust_policies
from labkit.cloud.moto_seam.log_filters import correct_filters
from labkit.cloud.moto_seam.one_at_a_time import correct_threads
from labkit.cloud.moto_seam.public_parameters import correct_public_parameters
from labkit.cloud.moto_seam.quotas import correct_quotas
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.moto_seam.speed import speed_up
from labkit.cloud.moto_seam.ssm_commands import Commands, correct_commands
from labkit.cloud.moto_seam.start_up import import_services, know_regions, make_backends
from labkit.cloud.moto_seam.tagging import Tagged, correct_tagging, nothing_tagged
from labkit.cloud.pace import AT_HOME, Pace


@dataclass(frozen=True)
class Hooks:
    """What the control plane asks of the data plane and of IAM.

    `invoke` runs a function (see lambda_invoke.Invoke). `console_output` is an instance's boot log.
    `instance_status` is "initializing", "ok" or "impaired", asked for running instances only.
    `role_allows(role ARN, action, resource ARN, region)` says whether the role's policies allow the action.
    `tagged(region)` tells the tags of the stores' things. `read_object(bucket, key, version)` is an object's bytes, or raises S3Error; the version may be "".
    `pace`: how late things are. `policies` are what IAM's simulator reads; without them it answers nothing.
    """

    invoke: Invoke
    console_output: Callable[[str], bytes]
    instance_status: Callable[[str], str]
    role_allows: Callable[[str, str, str, str], bool] = lambda role, action, resource, region: True
    read_object: ReadObject = no_objects
    tagged: Tagged = nothing_tagged
    policies: Policies | None = None
    #: Run Command, and whether an instance's agent reports; None leaves moto's pretence
    commands: Commands | None = None
    managed: Callable[[InstanceRecord], bool] = lambda record: False
    pace: Pace = AT_HOME


def install(hooks: Hooks, account: Account = FULL) -> Replacements:
    """Correct moto for this kind of account, once, before it serves; `undo` of the answer gives plain moto back.

    Raises CloudError when moto is not the version that the corrections were written for.
    """
    import_services()
    replacements = Replacements()
    know_regions(replacements)
    speed_up(replacements)
    correct_threads(replacements)
    correct_sts(replacements, account.holder)
    correct_managed_policies(replacements)
    correct_trust_policies(replacements)
    if hooks.policies is not None:
        correct_simulation(replacements, hooks.policies)
    correct_deleted_tags(replacements)
    correct_run(replacements, hooks.pace)
    correct_types(replacements)
    correct_launch_templates(replacements)
    correct_addresses(replacements)
    correct_prefix_lists(replacements)
    correct_lifecycle(replacements)
    correct_reports(replacements, hooks.console_output, hooks.instance_status)
    correct_rules(replacements)
    correct_words(replacements)
    correct_dependencies(replacements)
    correct_functions(replacements, hooks.role_allows, hooks.read_object, hooks.pace)
    correct_invoke(replacements, hooks.invoke)
    correct_requests(replacements, hooks.pace)
    correct_interfaces(replacements, hooks.pace)
    correct_filters(replacements)
    if hooks.commands is not None:
        correct_commands(replacements, hooks.commands, hooks.managed)
    correct_public_parameters(replacements)
    correct_quotas(replacements, account)
    correct_tagging(replacements, hooks.tagged)
    return replacements


def warm(region: str) -> dict[str, float]:
    """Import the lab's services and make their state in `region`; seconds by service.

    Optional: without it the first request to each service pays.
    """
    took = import_services()
    made = make_backends(region)
    return {service: took[service] + made[service] for service in took}

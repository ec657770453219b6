"""aws-cfn-bootstrap: cfn-signal, cfn-get-metadata, cfn-init and cfn-hup.

What belongs here: what these programs do in an instance. What does not: CloudFormation's side (labkit.cloud.cloudformation).
Runs inside the instance, by this machine's interpreter: standard library only.

AWS: CloudFormation user guide, "CloudFormation helper scripts reference".
"""

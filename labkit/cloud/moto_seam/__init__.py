"""Everything that knows moto's private names: the control plane behind the door.

    install.py      what the rest of the cloud calls: Hooks, install, warm
    identities.py   users, sessions, policies; credentials of roles       (ports.Identities, ports.CredentialIssuer)
    logs.py         lines of functions into CloudWatch Logs               (ports.LogWriter)
    *_records.py    moto's state as the plain records of labkit.aws.records
    the rest        corrections of moto 5.2.5, one file for each service and subject

moto is replaced through replacing.Replacements, which fails loudly when a name is gone. Each
correction has a test that shows plain moto's fault, and so tells when it can be dropped.

What does not belong here: anything that can be said without naming a part of moto.
"""

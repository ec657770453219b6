"""What runs inside an instance: pid 1, cloud-init, systemd's units, the journal."""

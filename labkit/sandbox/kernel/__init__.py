"""What the sandbox asks of the Linux kernel: system calls, namespaces, limits, filters, netlink."""

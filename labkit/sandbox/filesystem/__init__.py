"""What a sandbox sees as its file system: roots, mounts, what is hidden."""

"""What the end-to-end tests share: processes, clients, histories, mounts. Python's standard library alone."""

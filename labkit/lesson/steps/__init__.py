"""One module for each step, named as in lab.toml; each offers run(context) and check(context)."""

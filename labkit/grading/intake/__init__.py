"""What is handed in, before anything of it runs: unpacking, whose it is, refusing what reaches out."""

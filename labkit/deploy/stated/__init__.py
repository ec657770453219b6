"""What the files of either engine state, before anything exists, in the inventory's normal form."""

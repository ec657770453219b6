"""For those who maintain the kit: what proves the kit itself. Not in the hand-out."""

"""What leaves the student's machine, and what comes to it: the pack, the hand-out, the recorded run."""

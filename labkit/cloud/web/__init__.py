"""HTTP as the local cloud speaks it: connections, serving, delays, the host of test images."""

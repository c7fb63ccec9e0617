"""What a machine and its software are, looked up and never asked: hardware, how it is set, who else is there."""

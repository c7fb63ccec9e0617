"""Reading what a Prometheus server holds: asking it, telling whose each series is, what its name means, and joining."""

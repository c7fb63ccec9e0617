"""A stand-in for libtpu, which is some 400 MB: only its monitoring, with the texts that its own descriptions show."""

# A thin shell over ./dev, for those whose fingers type make.
# ./dev sets up .venv on its first start; `./dev help` tells the rest.

.PHONY: help demo test check bench clean

help demo test check bench clean:
	@./dev $@

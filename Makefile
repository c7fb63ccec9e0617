# A thin shell over ./dev, for those whose fingers type make.
# ./dev sets up .venv on its first start; `./dev help` tells the rest.

.PHONY: help demo test check bench accuracy clean

help demo test check bench accuracy clean:
	@./dev $@

"""The command line: a verb a file. Only this room prints and exits."""

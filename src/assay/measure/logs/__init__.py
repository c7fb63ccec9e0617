"""What other people's programs print, as samples: one small file a format, named like its NAME.

    NAME, TITLE         what the format is called on the command line, and in words
    MARKS               texts of which a line must hold one to be looked at at all: most lines are passed over at once
    reader(command)     a function from one line to what it says; it may remember lines before it
    AWAKE               true: once a mark was met, every line after it is looked at (tables whose rows hold no mark)

A format of JSON objects, on a line or in a file, has `document(raw)`: it says what one holds, or None where it is not
its. LAST is true of the one that is asked when no other knows an object. A format may have both. Names and units are
tables; a figure that a tool worked out itself (a mean, a percentile) is named as such and never a sample.
"""

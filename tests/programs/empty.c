// Nothing: what a library does to a program by being there.

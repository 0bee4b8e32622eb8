"""The command line: one file per verb, none of which decides anything the library does not."""

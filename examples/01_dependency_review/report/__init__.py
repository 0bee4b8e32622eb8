"""The three faces of the result: a page, a record for programs, a table for the terminal."""

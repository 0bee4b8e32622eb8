"""What an agent may do through its context, recorded and replayed: one file an operation."""

"""A task's life after its submission: what ends it, resumes it, repairs it."""

"""`sqswarm dev`: agents on an AWS at hand, with new code on every save."""

"""The parts of a deployment: the stack, what is uploaded, what is read back and mended."""

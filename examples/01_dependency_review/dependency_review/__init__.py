"""Agents that review one Python distribution each; `agents` names them all."""

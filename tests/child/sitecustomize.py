"""Run by Python at the start of each process that a test starts with the `child_environment` fixture."""

from tests.offline import refuse_the_network

refuse_the_network(exit_at_once=True)

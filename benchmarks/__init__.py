"""What this package costs, beside its peers, on this machine: `python -m benchmarks`. No part of what is installed."""

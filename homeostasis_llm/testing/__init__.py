"""For the tests of those who write providers, or use them: servers that fail as told."""

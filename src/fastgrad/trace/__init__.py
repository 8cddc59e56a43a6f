"""From a program that runs to a program that replays: record → graph → replay, a file a stage."""

"""From a program that runs to a program that replays: call → record → graph → fuse → plan → replay, a room a stage."""

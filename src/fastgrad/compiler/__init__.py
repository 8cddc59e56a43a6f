"""The compiler: call → recording → graph → fusion → plan → replay, with a package for each stage."""

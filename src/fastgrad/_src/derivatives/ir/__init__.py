"""The intermediate representation, and the terms that numbers are computed by."""

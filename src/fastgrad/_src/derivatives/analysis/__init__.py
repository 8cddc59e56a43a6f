"""Facts of a function in the intermediate representation; nothing is changed."""

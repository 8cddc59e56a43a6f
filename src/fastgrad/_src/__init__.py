"""What fastgrad does. The public names of it are in the packages above this folder."""

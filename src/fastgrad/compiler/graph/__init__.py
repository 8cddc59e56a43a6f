"""What was recorded, how it is interpreted, and how several recordings become one tree."""

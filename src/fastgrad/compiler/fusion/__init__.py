"""Operations that one loop can compute become one kernel: which, and its source."""

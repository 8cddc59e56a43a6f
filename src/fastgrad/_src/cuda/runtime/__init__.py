"""Operations and programs on a GPU."""

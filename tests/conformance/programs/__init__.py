"""Questions by topic: every public function takes the module under test (`tf`) and returns a dict of questions.

A question's value is the answer, or a callable without arguments that gives it; one that raises answers with the class
of its exception. A program uses Python, NumPy and what it is handed, compares no random values and keeps its arrays small.
"""

"""The questions that TensorFlow has answered."""

from .record import recorded

EXPECTED = {program: record["answers"] for program, record in recorded().items()}
QUESTIONS = [
    (program, case, question)
    for program, cases in EXPECTED.items()
    for case, questions in cases.items()
    for question in questions
]

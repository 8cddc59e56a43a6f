"""The element loop of a kernel, cut into several loops if it computes several costly functions.

A function such as exp is a long chain of dependent operations, and a processor looks ahead only a limited number of
instructions. So one loop with five functions is limited by their latencies. With one loop for each function over a block of
elements, the processor works on many elements at once and needs half the time. Values that pass from one loop to the next
stay in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from fastgrad._src.compiler.fusion.fused import Fused, Step
from fastgrad._src.compiler.fusion.kernel_writer import KernelWriter, have_common_function, is_costly_function
from fastgrad._src.compiler.fusion.scalar_casts import BOOL, compute_type
from fastgrad._src.kernels.runtime.launch import Operand, Output

BLOCK_ELEMENTS = 512
"""Elements of a block, if a loop over all elements is cut."""


@dataclass
class ElementLoops:
    """Writes the loop over elements of the innermost dimension, or several loops, with the index ``j``.

    Attributes:
        writer: of the kernel.
        inputs: inputs that differ from element to element.
        reads: values that are read from memory, and where an earlier loop wrote them.
        steps: the steps to compute, in order.
        targets: values that ``finish`` reads.
        writes: values that are written, and where.
        before: writes further code that some steps need; called with these steps.
        finish: writes the code at the end.
        block: the most elements of a loop.
        separate: pairs (output, array) that must not share memory: the output is stored before the last read of the array.
    """

    writer: KernelWriter
    inputs: list[int]
    reads: dict[int, Operand]
    steps: list[int]
    targets: list[int]
    writes: list[tuple[int, Operand]]
    before: Callable[[list[int]], None] = lambda steps: None
    finish: Callable[[], None] = lambda: None
    block: int = BLOCK_ELEMENTS
    separate: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._fused: Fused = self.writer.fused
        self._first = len(self._fused.inputs)
        self.stages = self._steps_of_loops()
        self._blocks: dict[int, str] = {}
        self._free: list[str] = []

    def write(self, head: str, index: str | None) -> None:
        """Writes the loops to the kernel.

        Args:
            head: of each loop; if there are several stages it runs over ``lane``, below ``block``.
            index: the statement that sets ``j``, if ``j`` is not the variable of the loop.
        """
        memory: dict[int, Operand | None] = dict(self.reads)  # places of values of earlier stages; None: in a block
        needed_later = [{i for number in stage for i in self._step(number).operands} for stage in self.stages]
        needed_later[-1] |= {*self.targets, *[number for number, _ in self.writes]}
        for position, stage in enumerate(self.stages):
            with self.writer.block(head):
                if index is not None:
                    self.writer.line(index)
                self.before(stage)
                self._write_loads(needed_later[position], memory)
                for number in stage:
                    self.writer.step(number, self._step(number))
                if position < len(self.stages) - 1:
                    self._store_for_later(stage, needed_later[position + 1 :], memory)
                else:
                    self.finish()
                    for number, target in self.writes:
                        if memory.get(number) != target:
                            self.writer.store(number, target, self._element_index())

    # ---- stages --------------------------------------------------------------------------------------------

    def _step(self, number: int) -> Step:
        return self._fused.steps[number - self._first]

    def _steps_of_loops(self) -> list[list[int]]:
        """Returns the steps of each loop: one function each, cut where the fewest values are live."""
        functions = [k for k, number in enumerate(self.steps) if is_costly_function(self._step(number))]
        last_reader = {i: k for k, number in enumerate(self.steps) for i in self._step(number).operands}
        ends = {*self.targets, *[number for number, _ in self.writes]}
        # goes_on[k]: how many values are live across a cut before step k; first as differences.
        goes_on = [0] * (len(self.steps) + 1)
        for k, number in enumerate(self.steps):
            last_use = len(self.steps) if number in ends else last_reader.get(number, k)
            goes_on[k + 1] += 1
            if last_use < len(self.steps):
                goes_on[last_use + 1] -= 1
        goes_on = list(accumulate(goes_on))
        loops: list[list[int]] = []
        start = 0
        for current, following in pairwise(functions):
            if have_common_function(self._step(self.steps[current]), self._step(self.steps[following])):
                continue
            cut = min(range(following, current, -1), key=goes_on.__getitem__)
            loops.append(self.steps[start:cut])
            start = cut
        return [*loops, self.steps[start:]]

    def _element_index(self) -> str:
        return self.writer.element_index("y", range(len(self._fused.sizes)), self._fused.c_strides, 0, "j")

    def _write_loads(self, needed: set[int], memory: dict[int, Operand | None]) -> None:
        """Writes the loads of inputs, and of values of earlier stages."""
        self.writer.load([i for i in self.inputs if i in needed], range(len(self._fused.sizes)), "j")
        for number in sorted(needed & memory.keys()):
            operand = memory[number]
            if operand is None:
                test = " != 0" if self._step(number).output == BOOL else ""
                self.writer.line(f"v{number} = {self._blocks[number]}[lane]{test}")
            else:
                self.writer.load_step(number, operand, self._element_index())

    def _store_for_later(self, stage: list[int], later: list[set[int]], memory: dict[int, Operand | None]) -> None:
        """Writes stores of values that later stages need: to overwritable results, else to blocks."""
        needed = set().union(*later)
        targets = dict(self.writes)
        for number, block in list(self._blocks.items()):
            if number not in needed:  # another value can use its block
                self._free.append(block)
                del self._blocks[number]
        for number in stage:
            if number not in needed:
                continue
            target = targets.get(number)
            if target is not None and all(self.reads.get(i) != target for i in needed):
                self.writer.store(number, target, self._element_index())
                memory[number] = target
                if isinstance(target, Output):
                    arrays = {self._fused.inputs[i].array for i in self.inputs if i in needed}
                    self.separate |= {(target.number, array) for array in arrays}
            else:
                value = f"1 if v{number} else 0" if self._step(number).output == BOOL else f"v{number}"
                self.writer.line(f"{self._new_block(number)}[lane] = {value}")
                memory[number] = None

    def _new_block(self, number: int) -> str:
        dtype = self._step(number).output
        kind = "uint8" if dtype == BOOL else compute_type(dtype)
        free = next((block for block in self._free if block.startswith(kind)), None)
        if free is None:
            free = self.writer.stack_array(f"{kind}_block{number}", kind, self.block)
        else:
            self._free.remove(free)
        self._blocks[number] = free
        return free

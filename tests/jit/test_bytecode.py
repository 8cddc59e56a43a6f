"""Which names a function reads, found in its bytecode: the same for every version of Python."""

from fastgrad._src.jit.bytecode import NamePath, name_paths_of


def found(function):
    return {(path.kind, ".".join((path.name, *path.attributes))) for path in name_paths_of(function.__code__)}


def test_globals_cells_and_arguments_with_their_attributes():
    captured = NamePath("global", "x", ())

    def function(self, other, *rest, key=None, **options):
        print(captured.name.upper, NamePath.kind)
        return self.model.dense(other.rate), rest, key.size, options

    assert {
        ("free", "captured.name.upper"),
        ("global", "NamePath.kind"),
        ("local", "self.model.dense"),
        ("local", "other.rate"),
        ("local", "key.size"),
    } <= found(function)


def test_a_local_name_stands_for_what_it_was_given_once():
    def function(self):
        net = self.model
        changing = self.first
        changing = self.second
        return net.dense, changing.dense

    names = {name for _, name in found(function)}
    assert "self.model.dense" in names
    assert not {"self.first.dense", "self.second.dense"} & names


def test_an_argument_that_is_given_another_value_is_no_argument_any_more():
    def function(x, y):
        x = x + y.size
        return x.shape

    assert found(function) == {("local", "y"), ("local", "y.size"), ("held", ".shape")}


def test_functions_inside_read_for_those_outside():
    scale = 2.0

    class Holder:
        rate = 3.0

    def function(self):
        def inner(x):
            return x * scale * self.factor * Holder.rate

        own = 1.0
        return [inner(self.w) for _ in range(3)], (lambda: own * self.bias)

    names = found(function)
    assert {("free", "scale"), ("free", "Holder.rate")} <= names
    assert {("local", "self.factor"), ("local", "self.bias"), ("local", "self.w")} <= names
    assert ("free", "own") not in names


def test_attributes_of_what_is_not_known_by_name_may_be_those_of_what_a_container_holds():
    def function(self):
        for layer in self.layers:
            print(layer.scale.low, [one.high for one in layer.parts])
        return self.layers[0].first, getattr(self, "model").rate, getattr(self.layers[1], "last", 1.0)  # noqa: B009

    names = found(function)
    assert {
        ("held", ".scale.low"),
        ("held", ".high"),
        ("held", ".parts"),
        ("held", ".first"),
        ("held", ".last"),
        ("local", "self.layers"),
        ("local", "self.model.rate"),
    } <= names

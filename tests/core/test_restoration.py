"""Values of checkpoints for objects that are reached by another path, or made after ``restore``; compared with TensorFlow 2.21."""

import copy
import logging
import pickle
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

Checkpoint = tf.train.Checkpoint


def saved(tmp_path, **objects):
    checkpoint = Checkpoint()
    for name, value in objects.items():
        setattr(checkpoint, name, value)
    return checkpoint.save(tmp_path / "saved")


def module(**attributes):
    made = tf.Module()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


class TestPaths:
    def test_a_variable_is_restored_by_any_of_its_paths(self, tmp_path):
        a = tf.Variable(1.0)
        path = saved(tmp_path, l=[a], m={"one": a}, n=module(v=a))
        for make in (lambda v: {"l": [v]}, lambda v: {"m": {"one": v}}, lambda v: {"n": module(v=v)}):
            v = tf.Variable(0.0)
            Checkpoint(**make(v)).restore(path).assert_consumed()
            assert float(v) == 1.0

    def test_an_object_is_restored_by_any_of_its_paths(self, tmp_path):
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        path = saved(tmp_path, model=module(head=layer), other=layer)
        again = keras.layers.Dense(2)
        again.build((None, 3))
        Checkpoint(other=again).restore(path)
        np.testing.assert_array_equal(again.kernel, layer.kernel)

    def test_each_variable_is_written_once(self, tmp_path):
        a = tf.Variable(1.0)
        assert [name for name, _ in tf.train.list_variables(saved(tmp_path, l=[a, a], m=a))] == ["l/0", "save_counter"]

    def test_cycles(self, tmp_path):
        first, second = Checkpoint(v=tf.Variable(1.0)), Checkpoint(v=tf.Variable(2.0))
        first.second, second.first = second, first
        path = first.save(tmp_path / "c")
        again = Checkpoint()
        status = again.restore(path)
        again.second = module(first=again)
        with pytest.raises(AssertionError):
            status.assert_consumed()
        again.v = tf.Variable(0.0)
        again.second.v = tf.Variable(0.0)
        status.assert_consumed()
        assert (float(again.v), float(again.second.v)) == (1.0, 2.0)

    def test_keys_with_slashes_stay_apart(self, tmp_path):
        path = saved(tmp_path, m={"a/b": tf.Variable(1.0), "a": {"b": tf.Variable(2.0)}})
        assert [name for name, _ in tf.train.list_variables(path)] == ["m/a.Sb", "m/a/b", "save_counter"]
        again = {"a/b": tf.Variable(0.0), "a": {"b": tf.Variable(0.0)}}
        Checkpoint(m=again).restore(path).assert_consumed()
        assert (float(again["a/b"]), float(again["a"]["b"])) == (1.0, 2.0)

    def test_keys_that_are_the_same_text_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="'m/1'"):
            saved(tmp_path, m={1: tf.Variable(1.0), "1": tf.Variable(2.0)})

    def test_two_objects_for_one_that_was_saved(self, tmp_path):
        shared = module(v=tf.Variable(5.0))
        path = saved(tmp_path, a=shared, b=shared)
        one, two = module(v=tf.Variable(0.0)), module(v=tf.Variable(0.0))
        status = Checkpoint(a=one, b=two).restore(path)
        assert (float(one.v), float(two.v)) == (5.0, 0.0)
        with pytest.raises(AssertionError, match="'b/v'"):
            status.assert_existing_objects_matched()

    def test_one_object_for_two_that_were_saved(self, tmp_path):
        path = saved(tmp_path, a=module(v=tf.Variable(1.0)), b=module(v=tf.Variable(2.0)))
        both = tf.Module()
        status = Checkpoint(a=both, b=both).restore(path)
        both.v = tf.Variable(0.0)
        status.assert_consumed()
        assert float(both.v) == 1.0

    def test_names_of_files_without_a_graph_lead_to_the_objects(self, tmp_path):
        values, _ = load_tensors(f"{saved(tmp_path, a=[module(v=tf.Variable(4.0))], it=iter(dataset(2)))}.safetensors")
        save_tensors(tmp_path / "plain.safetensors", values, {})
        again = Checkpoint(a=[])
        status = again.restore(tmp_path / "plain.safetensors")
        again.a.append(tf.Module())
        again.a[0].v = tf.Variable(0.0)
        again.it = iter(dataset(0))
        status.assert_consumed()
        assert (float(again.a[0].v), int(next(again.it))) == (4.0, 2)


def dataset(taken):
    iterator = tf.data.Dataset.range(5)
    return _Taken(iterator, taken)


class _Taken:
    def __init__(self, data, taken):
        self.data, self.taken = data, taken

    def __iter__(self):
        iterator = iter(self.data)
        for _ in range(self.taken):
            next(iterator)
        return iterator


class TestLater:
    """What is added after ``restore``."""

    @pytest.mark.parametrize(
        ("kind", "add"),
        [
            (list, lambda items, v: items.append(v)),
            (list, lambda items, v: items.extend([v])),
            (list, lambda items, v: items.insert(0, v)),
            (list, lambda items, v: items.__iadd__([v])),
            (list, lambda items, v: items.__setitem__(slice(None), [v])),
            (dict, lambda items, v: items.__setitem__("a", v)),
            (dict, lambda items, v: items.update(a=v)),
            (dict, lambda items, v: items.setdefault("a", v)),
            (dict, lambda items, v: items.__ior__({"a": v})),
        ],
        ids=["append", "extend", "insert", "+=", "[:]=", "[]=", "update", "setdefault", "|="],
    )
    @pytest.mark.parametrize("make", [Checkpoint, tf.Module, keras.layers.Layer], ids=["checkpoint", "module", "layer"])
    def test_lists_and_dicts(self, tmp_path, make, kind, add):
        holder = make()
        holder.items = [tf.Variable(1.0)] if kind is list else {"a": tf.Variable(1.0)}
        path = Checkpoint(holder=holder).save(tmp_path / "c")
        again = make()
        again.items = kind()
        status = Checkpoint(holder=again).restore(path)
        v = tf.Variable(0.0)
        add(again.items, v)
        assert float(v) == 1.0
        status.assert_consumed()
        assert again.items[0 if kind is list else "a"] is v

    @pytest.mark.parametrize("make", [Checkpoint, tf.Module, keras.layers.Layer], ids=["checkpoint", "module", "layer"])
    def test_attributes_tuples_and_nested_containers(self, tmp_path, make):
        holder = make()
        holder.v = tf.Variable(1.0)
        holder.pair = (tf.Variable(2.0), [tf.Variable(3.0), {"a": [tf.Variable(4.0)]}])
        path = Checkpoint(holder=holder).save(tmp_path / "c")
        again = make()
        status = Checkpoint(holder=again).restore(path)
        again.v = tf.Variable(0.0)
        again.pair = (tf.Variable(0.0), [])
        again.pair[1].append(tf.Variable(0.0))
        again.pair[1].append({"a": []})
        again.pair[1][1]["a"].append(tf.Variable(0.0))
        status.assert_consumed()
        assert [float(v) for v in (again.v, again.pair[0], again.pair[1][0], again.pair[1][1]["a"][0])] == [1, 2, 3, 4]

    def test_a_list_that_was_taken_from_the_checkpoint_before(self, tmp_path):
        path = saved(tmp_path, l=[tf.Variable(1.0)])
        again = Checkpoint(l=[])
        items = again.l
        again.restore(path)
        items.append(tf.Variable(0.0))
        assert float(items[0]) == 1.0

    def test_a_watched_list_shows_the_list_it_was_made_from(self):
        items = [1]
        checkpoint = Checkpoint(l=items)
        items.append(2)
        checkpoint.l.append(3)
        assert items == checkpoint.l == list(checkpoint.l) == [1, 2, 3]
        assert pickle.loads(pickle.dumps(checkpoint.l)) == [1, 2, 3]

    def test_objects_made_before_and_attached_later(self, tmp_path):
        path = saved(tmp_path, m=module(x=tf.Variable(1.0)))
        again = Checkpoint()
        status = again.restore(path)
        made = module(x=tf.Variable(0.0))
        assert float(made.x) == 0.0
        again.m = made
        status.assert_consumed()
        assert float(made.x) == 1.0

    @pytest.mark.parametrize("first", [True, False])
    def test_only_the_first_object_of_a_name_takes_its_value(self, tmp_path, first):
        path = saved(tmp_path, v=tf.Variable(1.0))
        again = Checkpoint() if first else Checkpoint(v=tf.Variable(0.0))
        again.restore(path)
        if first:
            again.v = tf.Variable(0.0)
        assert float(again.v) == 1.0
        again.v = tf.Variable(0.0)
        assert float(again.v) == 0.0

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_the_last_of_two_restorations_counts(self, tmp_path, order):
        dep = module(v=tf.Variable(12.0))
        paths = [Checkpoint(dep=dep).save(tmp_path / "first")]
        dep.v.assign(13.0)
        paths.append(Checkpoint(dep=dep).save(tmp_path / "second"))
        roots = [Checkpoint(), Checkpoint()]
        statuses = {position: roots[position].restore(paths[position]) for position in order}
        loaded = module(v=tf.Variable(0.0))
        for position in (0, 1):
            roots[position].dep = loaded
            statuses[position].assert_consumed()
        assert float(loaded.v) == 12.0 + order[1]

    def test_root_objects(self, tmp_path):
        path = Checkpoint(module(w=tf.Variable(1.0)), step=tf.Variable(3)).save(tmp_path / "c")
        root = tf.Module()
        checkpoint = Checkpoint(weakref.ref(root), step=tf.Variable(0))
        status = checkpoint.restore(path)
        root.w = tf.Variable(0.0)
        status.assert_consumed()
        assert (float(root.w), int(checkpoint.step)) == (1.0, 3)

    def test_a_layer_in_a_list(self, tmp_path):
        layer = keras.layers.Dense(2)
        layer.build((1, 3))
        path = saved(tmp_path, l=[layer])
        again = Checkpoint(l=[])
        status = again.restore(path)
        again.l.append(keras.layers.Dense(2))
        again.l[0].build((1, 3))
        status.assert_consumed()
        np.testing.assert_array_equal(again.l[0].kernel, layer.kernel)

    def test_layers_of_a_sequential_model(self, tmp_path):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)])
        path = Checkpoint(model=model).save(tmp_path / "c")
        again = keras.Sequential()
        status = Checkpoint(model=again).restore(path)
        for _ in range(2):
            again.add(keras.layers.Dense(2))
        again.build((None, 3))
        status.assert_consumed()
        for a, b in zip(model.weights, again.weights, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_optimizers_metrics_generators_and_iterators(self, tmp_path):
        optimizer, metric = keras.optimizers.Adam(0.1), keras.metrics.Mean()
        optimizer.apply([tf.constant([1.0])], [tf.Variable([1.0])])
        metric.update_state(3.0)
        generator = tf.random.Generator.from_seed(1)
        generator.normal([3])
        path = saved(tmp_path, o=optimizer, m=metric, g=generator, it=iter(dataset(2)))
        again = Checkpoint()
        status = again.restore(path)
        again.o, again.m, again.g = keras.optimizers.Adam(0.5), keras.metrics.Mean(), tf.random.Generator.from_seed(5)
        again.it = iter(dataset(0))
        again.o.build([tf.Variable([1.0])])
        status.assert_consumed()
        for a, b in zip(optimizer.variables, again.o.variables, strict=True):
            np.testing.assert_array_equal(a, b)
        assert float(again.m.result()) == 3.0
        np.testing.assert_array_equal(again.g.state, generator.state)
        assert int(next(again.it)) == 2

    @pytest.mark.parametrize("name", ["Adam", "Momentum", "Adagrad", "RMSProp"])
    def test_optimizers_of_tensorflow_1(self, tmp_path, name):
        def make():
            options = {"momentum": 0.9} if name == "Momentum" else {}
            return getattr(tf.train, f"{name}Optimizer")(0.1, **options)

        gradient = tf.constant([0.5, 1.0])
        optimizer, v = make(), tf.Variable([1.0, 2.0])
        for _ in range(3):
            optimizer.apply_gradients([(gradient, v)])
        path = saved(tmp_path, o=optimizer, v=v)
        again, w = make(), tf.Variable([0.0, 0.0])
        status = Checkpoint(o=again, v=w).restore(path)
        for _ in range(2):
            optimizer.apply_gradients([(gradient, v)])
            again.apply_gradients([(gradient, w)])
        status.assert_consumed()
        np.testing.assert_array_equal(v, w)

    def test_a_value_that_does_not_fit(self, tmp_path):
        path = saved(tmp_path, v=tf.Variable([1.0, 2.0]), n=tf.Variable(1))
        again = Checkpoint()
        again.restore(path)
        with pytest.raises(ValueError, match=r"shape \(2,\), the variable has shape \(1,\)"):
            again.v = tf.Variable([0.0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="dtype int32, the variable has dtype float32"):
            again.n = tf.Variable(0.0)

    def test_copies_wait_as_well(self, tmp_path):
        layer = keras.layers.Dense(2)
        layer.build((1, 3))
        path = saved(tmp_path, layer=layer)
        again = keras.layers.Dense(2)
        Checkpoint(layer=again).restore(path)
        for copied in (copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
            copied.build((1, 3))
            np.testing.assert_array_equal(copied.kernel, layer.kernel)


class TestWhatIsSaved:
    def test_attributes_of_a_checkpoint(self, tmp_path):
        checkpoint = Checkpoint(a=tf.Variable(1.0), f=tf.function(lambda x: x), numbers=[1, tf.Variable(2.0)])
        checkpoint.b, checkpoint.text = tf.Variable(2.0), "text"
        del checkpoint.a
        path = checkpoint.save(tmp_path / "c")
        assert [name for name, _ in tf.train.list_variables(path)] == ["b", "numbers/1", "save_counter"]

    def test_the_optimizer_of_a_compiled_model(self, tmp_path):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0)
        path = Checkpoint(model).save(tmp_path / "c")
        assert [name for name, _ in tf.train.list_variables(path) if name.startswith("optimizer")] == [
            f"optimizer/{position}" for position in range(6)
        ]

    @pytest.mark.parametrize("make", [tf.Module, keras.layers.Layer])
    def test_what_modules_and_layers_hold(self, tmp_path, make):
        holder = make()
        holder.optimizer, holder.module = keras.optimizers.SGD(0.5), module(v=tf.Variable(1.0))
        holder.generator, holder.iterator = tf.random.Generator.from_seed(1), iter(dataset(1))
        holder.checkpoint = Checkpoint(v=tf.Variable(2.0))
        path = Checkpoint(holder).write(tmp_path / "c")
        assert [name for name, _ in tf.train.list_variables(path)] == [
            "checkpoint/v",
            "generator/state",
            "iterator/position",
            "iterator/random",
            "module/v",
            "optimizer/0",
            "optimizer/1",
        ]

    def test_modules_do_not_count_generators_and_checkpoints_as_submodules(self):
        holder = module(
            g=tf.random.Generator.from_seed(1), c=Checkpoint(v=tf.Variable(1.0)), m=module(v=tf.Variable(2.0))
        )
        assert holder.submodules == (holder.m,)
        assert holder.variables == (holder.m.v,)

    def test_a_list_is_no_root(self):
        with pytest.raises(ValueError, match="expecting root"):
            Checkpoint([tf.Variable(1.0)])

    def test_a_name_that_the_root_has(self):
        with pytest.raises(ValueError, match=r"keyword argument w if root\.w already exists"):
            Checkpoint(module(w=tf.Variable(1.0)), w=tf.Variable(3))


class TestStatus:
    def test_empty_containers_are_ignored(self, tmp_path):
        path = Checkpoint(a=[]).save(tmp_path / "c")
        again = Checkpoint(b=[])
        again.dep = []
        again.dep.append([])
        again.restore(path).assert_consumed().assert_existing_objects_matched().assert_nontrivial_match()

    def test_no_checkpoint(self):
        status = Checkpoint(v=tf.Variable(0.0)).restore(None)
        for check in (status.assert_consumed, status.assert_existing_objects_matched, status.assert_nontrivial_match):
            with pytest.raises(AssertionError, match="No checkpoint specified"):
                check()
        status.expect_partial()

    def test_read_leaves_the_counter_out(self, tmp_path):
        path = Checkpoint(v=tf.Variable(1.0)).save(tmp_path / "c")
        with pytest.raises(AssertionError, match="save_counter"):
            Checkpoint(v=tf.Variable(0.0)).read(path).assert_consumed()

    @pytest.mark.parametrize("expected", [False, True])
    def test_values_that_nothing_took_are_logged(self, tmp_path, caplog, expected):
        path = saved(tmp_path, v=tf.Variable(1.0), w=tf.Variable(2.0))
        status = Checkpoint(v=tf.Variable(0.0)).restore(path)
        if expected:
            status.expect_partial()
        with caplog.at_level(logging.WARNING):
            del status
        assert ("['w']" in caplog.text) is not expected

"""``tf.train.Checkpoint`` and ``CheckpointManager``."""

import os

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.files.formats.tensor_file import load_tensors, save_tensors

pytestmark = pytest.mark.filterwarnings("ignore:Net .* fastgrad trains")  # a raw variable is saved, too

layers = keras.layers
X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [layers.Dense(4), layers.Dense(2)]
        self.scale = tf.Variable(1.0)

    def call(self, inputs):
        for block in self.blocks:
            inputs = block(inputs)
        return inputs * self.scale


class Mod(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable([1.0, 2.0])
        self.others = {"a": [tf.Variable(3)]}


def managed(folder, **options):
    return tf.train.CheckpointManager(tf.train.Checkpoint(v=tf.Variable(1.0)), folder, **options)


def trained(net, optimizer, steps=3):
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(net(X)))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables, strict=True)
        )
    return net.get_weights()


def test_training_goes_on_as_if_it_had_not_stopped(tmp_path):
    net, optimizer = Net(), keras.optimizers.Adam(0.1)
    trained(net, optimizer)
    path = tf.train.Checkpoint(net=net, optimizer=optimizer).save(tmp_path / "ckpt")
    expected = trained(net, optimizer)
    other, fresh = Net(), keras.optimizers.Adam(0.1)
    other(X)
    fresh.build(other.trainable_variables)
    tf.train.Checkpoint(net=other, optimizer=fresh).restore(path).assert_consumed()
    assert int(fresh.iterations) == 3
    for a, b in zip(trained(other, fresh), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_values_wait_for_what_is_not_built(tmp_path):
    net, optimizer = Net(), keras.optimizers.Adam(0.1)
    trained(net, optimizer)
    path = tf.train.Checkpoint(net=net, optimizer=optimizer).save(tmp_path / "ckpt")
    expected = trained(net, optimizer)
    other, fresh = Net(), keras.optimizers.Adam(0.1)
    status = tf.train.Checkpoint(net=other, optimizer=fresh).restore(path)
    with pytest.raises(AssertionError, match="net/blocks/0/kernel"):
        status.assert_consumed()
    for a, b in zip(trained(other, fresh), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    status.assert_consumed()


def test_names_say_where(tmp_path):
    net = Net()
    net(X)
    path = tf.train.Checkpoint(net=net, module=Mod(), step=tf.Variable(1), metric=keras.metrics.Mean()).write(
        tmp_path / "c"
    )
    assert tf.train.list_variables(path) == [
        ("metric/count", []),
        ("metric/total", []),
        ("module/others/a/0", []),
        ("module/w", [2]),
        ("net/blocks/0/bias", [4]),
        ("net/blocks/0/kernel", [3, 4]),
        ("net/blocks/1/bias", [2]),
        ("net/blocks/1/kernel", [4, 2]),
        ("net/scale", []),
        ("step", []),
    ]
    for name in ("module/w", "module/w/.ATTRIBUTES/VARIABLE_VALUE"):
        np.testing.assert_array_equal(tf.train.load_variable(path, name), [1.0, 2.0])
    with pytest.raises(ValueError, match="Key nothing not found"):
        tf.train.load_variable(path, "nothing")


def test_a_reader_has_names_shapes_dtypes_and_values(tmp_path):
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(a=tf.Variable([1.0, 2.0]), n=tf.Variable(3)), tmp_path, 2)
    path = manager.save()
    for reader in (tf.train.load_checkpoint(path), tf.train.load_checkpoint(tmp_path)):
        assert reader.has_tensor("a")
        assert not reader.has_tensor("b")
        assert reader.get_tensor("a").tolist() == [1.0, 2.0]
        assert reader.has_tensor("a/.ATTRIBUTES/VARIABLE_VALUE")
        assert reader.get_tensor("a/.ATTRIBUTES/VARIABLE_VALUE").tolist() == [1.0, 2.0]
        shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        assert (shapes["a"], shapes["n"]) == ([2], [])
        assert (kinds["a"], kinds["n"]) == (tf.float32, tf.int32)
        assert shapes.keys() == kinds.keys() == {name for name, _ in tf.train.list_variables(path)}
        with pytest.raises(tf.errors.NotFoundError, match="Key b not found in checkpoint; it has \\['a'"):
            reader.get_tensor("b")
    with pytest.raises(ValueError, match="Couldn't find a checkpoint"):
        tf.train.load_checkpoint(tmp_path / "..")


def test_a_root_stands_at_the_top(tmp_path):
    module = Mod()
    path = tf.train.Checkpoint(module, step=tf.Variable(1)).write(tmp_path / "c")
    assert [name for name, _ in tf.train.list_variables(path)] == ["others/a/0", "step", "w"]
    module.w.assign([0.0, 0.0])
    tf.train.Checkpoint(module).read(path)
    np.testing.assert_array_equal(module.w, [1.0, 2.0])


def test_save_counts(tmp_path):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    paths = [checkpoint.save(str(tmp_path / "deep" / "ckpt")) for _ in range(2)]
    assert paths == [str(tmp_path / "deep" / f"ckpt-{n}") for n in (1, 2)]
    assert int(checkpoint.save_counter) == 2
    assert tf.train.latest_checkpoint(tmp_path / "deep") == paths[-1]
    assert sorted(os.listdir(tmp_path / "deep")) == ["checkpoint", "ckpt-1.safetensors", "ckpt-2.safetensors"]
    again = tf.train.Checkpoint(v=tf.Variable(0.0))
    again.restore(paths[0])
    assert int(again.save_counter) == 1


def test_a_failed_save_changes_nothing(tmp_path):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    checkpoint.save(tmp_path / "ckpt")
    (tmp_path / "ckpt-2.safetensors").mkdir()
    with pytest.raises(OSError, match=r"ckpt-2\.safetensors"):
        checkpoint.save(tmp_path / "ckpt")
    assert int(checkpoint.save_counter) == 1
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-1")


def test_the_format_follows_the_ending(tmp_path):
    v = tf.Variable([1.0, 2.0])
    checkpoint = tf.train.Checkpoint(v=v)
    for name, file in (("c", "c.safetensors"), ("c.npz", "c.npz"), ("d.safetensors", "d.safetensors")):
        path = checkpoint.write(tmp_path / name)
        assert path == str(tmp_path / name)
        assert (tmp_path / file).exists()
        v.assign([0.0, 0.0])
        checkpoint.read(path)
        np.testing.assert_array_equal(v, [1.0, 2.0])


@pytest.mark.parametrize("other", [[0], [0.0, 0.0, 0.0], [[0.0, 0.0]]], ids=str)
def test_what_does_not_fit_changes_nothing(tmp_path, other):
    path = tf.train.Checkpoint(a=tf.Variable(5.0), v=tf.Variable([1.0, 2.0])).write(tmp_path / "c")
    a, v = tf.Variable(0.0), tf.Variable(other)
    with pytest.raises(ValueError, match="'v'"):
        tf.train.Checkpoint(a=a, v=v).restore(path)
    assert float(a) == 0.0
    np.testing.assert_array_equal(v, other)


def test_what_does_not_fit_a_layer_built_later(tmp_path):
    path = tf.train.Checkpoint(layer=built(layers.Dense(3))).write(tmp_path / "c")
    layer = layers.Dense(4)
    tf.train.Checkpoint(layer=layer).restore(path)
    with pytest.raises(ValueError, match="has shape"):
        layer(X)


def built(layer):
    layer.build((None, 3))
    return layer


def test_status(tmp_path):
    path = tf.train.Checkpoint(a=tf.Variable(5.0), b=tf.Variable(1.0)).write(tmp_path / "c")
    one = tf.train.Checkpoint(a=tf.Variable(0.0)).restore(path)
    one.assert_existing_objects_matched().assert_nontrivial_match().expect_partial()
    with pytest.raises(AssertionError, match="'b'"):
        one.assert_consumed()
    other = tf.train.Checkpoint(a=tf.Variable(0.0), c=tf.Variable(0.0)).restore(path)
    with pytest.raises(AssertionError, match="'c'"):
        other.assert_existing_objects_matched()
    with pytest.raises(AssertionError, match="matched"):
        tf.train.Checkpoint(z=tf.Variable(0.0)).restore(path).assert_nontrivial_match()


def test_missing_checkpoints(tmp_path):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    with pytest.raises(tf.errors.NotFoundError, match="suffix"):
        checkpoint.restore(tmp_path / "none")
    assert tf.train.latest_checkpoint(tmp_path) is None
    checkpoint.restore(tf.train.latest_checkpoint(tmp_path))
    assert float(checkpoint.v) == 1.0


@pytest.mark.parametrize("value", [3, "text", object(), np.ones(2)], ids=["int", "str", "object", "array"])
def test_only_what_holds_variables(value):
    with pytest.raises(ValueError, match="expecting x to be a trackable"):
        tf.train.Checkpoint(x=value)
    with pytest.raises(ValueError, match="expecting root"):
        tf.train.Checkpoint(value)


@pytest.mark.parametrize(
    "contents",
    [
        b"nonsense",
        b"\xff\xfe",
        b'model_checkpoint_path: "a\\q\xc3"\n',
        b'model_checkpoint_path: "a"\nlast_preserved_timestamp: 1.2.3\n',
        b"model_checkpoint_path: 3\n",
        b'model_checkpoint_path: "a"\nall_model_checkpoint_timestamps: "text"\n',
    ],
)
def test_a_damaged_state_file_is_logged_and_ignored(tmp_path, caplog, contents):
    (tmp_path / "checkpoint").write_bytes(contents)
    assert tf.train.get_checkpoint_state(tmp_path) is None
    assert f"{tmp_path / 'checkpoint'}: Checkpoint ignored" in caplog.text
    manager = managed(tmp_path, max_to_keep=1)
    assert tf.train.latest_checkpoint(tmp_path) is None
    assert manager.save() == tf.train.latest_checkpoint(tmp_path)


def test_a_state_file_without_a_checkpoint(tmp_path):
    (tmp_path / "checkpoint").write_text("")
    with pytest.raises(ValueError, match="names no checkpoint"):
        tf.train.get_checkpoint_state(tmp_path)


@pytest.mark.parametrize(
    "graph", ["{", "[" * 50_000, "[]", "3", "[[1, 2, 3]]", '[["ab", "cd"]]', '[[{"v": 7}, {}]]', '[[{"v": -1}, {}]]']
)
def test_a_damaged_object_graph_names_the_file(tmp_path, graph):
    tf.train.Checkpoint(v=tf.Variable(1.0)).write(tmp_path / "c")
    arrays, texts = load_tensors(tmp_path / "c.safetensors")
    (name,) = texts
    save_tensors(tmp_path / "c.safetensors", arrays, {name: graph})
    v = tf.Variable(2.0)
    with pytest.raises(ValueError, match=r"c\.safetensors' is no intact checkpoint"):
        tf.train.Checkpoint(v=v).read(tmp_path / "c")
    assert float(v) == 2.0


@pytest.mark.parametrize("name", ["{outside}/precious", "../precious", "sub/../../precious"])
def test_a_manager_deletes_no_file_outside_of_its_folder(tmp_path, name):
    """A state file of another user may name any file."""
    folder, precious = tmp_path / "run", tmp_path / "precious.safetensors"
    (folder / "sub").mkdir(parents=True)
    precious.write_bytes(b"not ours")
    listed = name.format(outside=tmp_path)
    (folder / "checkpoint").write_text(
        f'model_checkpoint_path: "{listed}"\nall_model_checkpoint_paths: "{listed}"\n', encoding="utf-8"
    )
    manager = managed(folder, max_to_keep=1)
    assert len(manager.checkpoints) == 1
    manager.save()
    manager.save()
    assert precious.read_bytes() == b"not ours"
    assert sorted(path.name for path in folder.glob("*.safetensors")) == ["ckpt-2.safetensors"]


@pytest.mark.parametrize("name", ["a\\303\\244b", "a\\u00e4b", "aäb"])
def test_escapes_in_a_state_file(tmp_path, name):
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{name}"\n', encoding="utf-8")
    assert tf.train.get_checkpoint_state(tmp_path).model_checkpoint_path == str(tmp_path / "aäb")


class TestManager:
    def test_keeps_the_newest(self, tmp_path):
        checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
        manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2)
        assert manager.latest_checkpoint is None
        paths = [manager.save() for _ in range(3)]
        assert manager.checkpoints == paths[1:]
        assert manager.latest_checkpoint == tf.train.latest_checkpoint(tmp_path) == paths[-1]
        assert sorted(os.listdir(tmp_path)) == ["checkpoint", "ckpt-2.safetensors", "ckpt-3.safetensors"]
        assert manager.save(checkpoint_number=10) == str(tmp_path / "ckpt-10")
        assert len(manager.checkpoints) == 2

    def test_goes_on_after_a_restart(self, tmp_path):
        v = tf.Variable(1.0)
        first = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tmp_path, max_to_keep=2)
        first.save()
        v.assign(2.0)
        first.save()
        w = tf.Variable(0.0)
        second = tf.train.CheckpointManager(tf.train.Checkpoint(v=w), tmp_path, max_to_keep=2)
        assert second.checkpoints == first.checkpoints
        assert second.restore_or_initialize() == first.latest_checkpoint
        assert float(w) == 2.0
        assert second.save() == str(tmp_path / "ckpt-3")
        assert len(os.listdir(tmp_path)) == 3

    def test_the_folder_can_be_moved(self, tmp_path):
        checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
        tf.train.CheckpointManager(checkpoint, tmp_path / "a", max_to_keep=None).save()
        os.rename(tmp_path / "a", tmp_path / "b")
        assert tf.train.latest_checkpoint(tmp_path / "b") == str(tmp_path / "b" / "ckpt-1")

    def test_relative_folders(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        manager = managed("./tf_ckpts", max_to_keep=3)
        assert manager.save() == "./tf_ckpts/ckpt-1"
        assert tf.train.latest_checkpoint("tf_ckpts") == "tf_ckpts/ckpt-1"

    def test_intervals(self, tmp_path):
        step = tf.Variable(0)
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(step=step), tmp_path, max_to_keep=None, step_counter=step, checkpoint_interval=5
        )
        saved = []
        for number in range(12):
            step.assign(number)
            saved.append(manager.save() is not None)
        assert [number for number, done in enumerate(saved) if done] == [0, 5, 10]
        assert manager.save(check_interval=False) is not None

    def test_some_are_kept_for_good(self, tmp_path):
        manager = managed(tmp_path, max_to_keep=1, keep_checkpoint_every_n_hours=0.0)
        for _ in range(3):
            manager.save()
        assert len([name for name in os.listdir(tmp_path) if name != "checkpoint"]) == 3

    def test_the_clock_was_set_back(self, tmp_path, monkeypatch):
        """Checkpoints are kept for good as before, not from the time on that the clock once showed."""

        def manager():
            return tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tmp_path, 1, keep_checkpoint_every_n_hours=1.0)

        v, now = tf.Variable(1.0), [2e9]
        monkeypatch.setattr("time.time", lambda: now[0])
        manager().save()
        now[0] = 1e9
        restarted = manager()
        assert restarted.restore_or_initialize() is not None
        for _ in range(4):
            now[0] += 3601.0
            restarted.save()
        assert len([name for name in os.listdir(tmp_path) if name != "checkpoint"]) >= 3

    def test_a_failed_save_changes_no_list_and_is_tried_again(self, tmp_path, monkeypatch):
        step, v = tf.Variable(0), tf.Variable(0.0)
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(v=v), tmp_path, max_to_keep=2, step_counter=step, checkpoint_interval=10
        )
        manager.save()
        for failing in (
            "fastgrad._src.files.checkpoints.checkpoint._write_checkpoint_file",
            "fastgrad._src.files.checkpoints.checkpoint_manager.update_checkpoint_state",
        ):
            step.assign_add(10)
            before = manager.checkpoints

            def fail(*args, **options):
                raise OSError(28, "No space left on device")

            with monkeypatch.context() as context:
                context.setattr(failing, fail)
                with pytest.raises(OSError, match="No space"):
                    manager.save()
            assert manager.checkpoints == before
            assert manager.save() is not None
            assert manager.save() is None
            assert all(os.path.exists(path + ".safetensors") for path in manager.checkpoints)
        assert manager.checkpoints == tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tmp_path, 2).checkpoints

    def test_the_list_is_written_once_for_each_save(self, tmp_path, monkeypatch):
        """A process that is killed between two writes of it would leave a list without the older checkpoints, which then stay for good."""
        manager = managed(tmp_path, max_to_keep=3)
        manager.save()
        lists = []
        monkeypatch.setattr(
            "fastgrad._src.files.checkpoints.checkpoint_state.write_atomically",
            lambda path, write, *options: lists.append(os.path.basename(path)),
        )
        manager.save()
        assert lists == ["checkpoint"]

    def test_init_fn(self, tmp_path):
        called = []
        manager = managed(tmp_path, max_to_keep=1, init_fn=lambda: called.append(1))
        assert manager.restore_or_initialize() is None
        assert called == [1]

    @pytest.mark.parametrize("arguments", [{"max_to_keep": 0}, {"max_to_keep": 1, "checkpoint_interval": 2}], ids=str)
    def test_arguments(self, tmp_path, arguments):
        with pytest.raises(ValueError, match=r"max_to_keep|interval"):
            tf.train.CheckpointManager(tf.train.Checkpoint(), tmp_path, **arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("b/position", None),
        ("b/position", np.array(-3, np.int64)),
        ("b/position", np.arange(3)),
        ("b/position", np.array(np.nan)),
        ("b/position", np.array(0.5)),
        ("b/random", np.full((1, 4), np.nan)),
        ("b/random", np.zeros((2, 4), np.uint64)),
        ("c/numpy", np.zeros(3)),
        ("c/numpy", np.frombuffer(b'["MT19937", [1], 0, 0, 0.0]', np.uint8)),
        ("a", np.zeros(7, np.float32)),
        ("a", np.zeros((), np.int8)),
    ],
)
def test_a_state_that_is_refused_changes_nothing_and_names_the_file(tmp_path, name, value):
    def program(number):
        iterator = iter(tf.data.Dataset.range(9).shuffle(4, seed=number))
        next(iterator)
        return {"a": tf.Variable(float(number)), "b": iterator, "c": tf.train.RandomState()}

    path = tmp_path / "c.safetensors"
    tf.train.Checkpoint(**program(3)).write(path)
    arrays, texts = load_tensors(path)
    assert name in arrays
    save_tensors(path, {key: array for key, array in (arrays | {name: value}).items() if array is not None}, texts)
    parts = program(5)
    before = [str(parts["b"].state()), str(parts["c"].state())]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=r"c\.safetensors"):
        tf.train.Checkpoint(**parts).read(path)
    assert [str(parts["b"].state()), str(parts["c"].state())] == before
    assert float(parts["a"]) == 5.0

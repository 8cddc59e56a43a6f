"""``tf.summary``: numbers for TensorBoard."""

import io
import signal
import sys

import numpy as np
import PIL.Image
import pytest
import scipy.io.wavfile
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

import fastgrad as tf
from fastgrad._src.files.records.messages import build_classes
from fastgrad._src.summary import graphs
from tests.events import events, scalars


def test_numbers_of_a_loop(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    assert not tf.summary.scalar("loss", 1.0, step=0)
    with writer.as_default():
        for step in range(3):
            assert tf.summary.scalar("loss", tf.constant(0.5 * step), step=step)
    assert not tf.summary.scalar("loss", 1.0, step=9)
    writer.close()
    assert scalars(tmp_path) == {"loss": [(0, 0.0), (1, 0.5), (2, 1.0)]}


def test_writers_of_one_second_have_files_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    for number in range(3):
        writer = tf.summary.create_file_writer(tmp_path, filename_suffix=".end")
        with writer.as_default():
            tf.summary.scalar("loss", float(number), step=number)
        writer.close()
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert [name.split(".")[-2:] for name in names] == [["0", "end"], ["1", "end"], ["2", "end"]]
    assert all(name.startswith("events.out.tfevents.1700000000.") for name in names)
    assert scalars(tmp_path) == {"loss": [(0, 0.0), (1, 1.0), (2, 2.0)]}


def test_a_record_is_written_in_one_piece(tmp_path):
    """Whatever interrupts a write, what follows it can be read."""
    writer = tf.summary.create_file_writer(tmp_path)
    writer.init()
    for call in range(1, 12):
        calls = [call]

        def interrupt(frame, event, argument, calls=calls):
            calls[0] -= event == "c_call" and getattr(argument, "__name__", "") == "write"
            if calls[0] == 0:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

        def write(interrupt=interrupt):
            sys.setprofile(interrupt)
            for step in range(20):
                tf.summary.scalar("loss", 1.0, step=step)

        with writer.as_default(), pytest.raises(KeyboardInterrupt):
            write()
    writer.close()
    assert len(scalars(tmp_path)["loss"]) == sum(range(11))


def test_in_compiled_steps(tmp_path):
    writer, count = tf.summary.create_file_writer(tmp_path), tf.Variable(0, dtype=tf.int64)

    @tf.function
    def step(x):
        count.assign_add(1)
        tf.summary.scalar("x", x * 2.0, step=count)

    with writer.as_default():
        for value in (1.0, 2.0, 3.0, 4.0):
            step(tf.constant(value))
    writer.close()
    assert scalars(tmp_path) == {"x": [(1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0)]}


def test_steps_and_conditions(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    assert not tf.summary.should_record_summaries()  # without a writer
    with tf.summary.record_if(True):
        assert not tf.summary.should_record_summaries()
    with writer.as_default(step=7):
        assert tf.summary.should_record_summaries()
        assert tf.summary.experimental.get_step() == 7
        tf.summary.scalar("a", 1)
        with tf.summary.record_if(False):
            assert not tf.summary.should_record_summaries()
            assert not tf.summary.scalar("a", 2)
        with tf.summary.record_if(lambda: True):
            tf.summary.scalar("a", 3)
        tf.summary.histogram("h", np.arange(10.0))
        tf.summary.text("t", "words")
    writer.flush()
    found = scalars(tmp_path)
    assert found["a"] == [(7, 1.0), (7, 3.0)]
    assert found["h"] == [(7, "histo")]
    assert any(name.startswith("t") for name in found)
    with writer.as_default(), pytest.raises(ValueError, match="No step set"):
        tf.summary.scalar("a", 1)
    with writer.as_default(step=0), pytest.raises(ValueError, match="one number"):
        tf.summary.scalar("a", [1.0, 2.0])
    writer.close()
    with writer.as_default(step=0), pytest.raises(RuntimeError, match="closed"):
        tf.summary.scalar("a", 1)


def test_what_is_written_after_a_flush_is_there_too(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    with writer.as_default():
        for step in range(3):
            tf.summary.scalar("loss", 2.0 * step, step=step)
            writer.flush()
            assert len(scalars(tmp_path)["loss"]) == step + 1
    writer.close()
    assert sorted(scalars(tmp_path)["loss"]) == [(0, 0.0), (1, 2.0), (2, 4.0)]


def values(folder):
    return {value.tag: value for event in events(folder) for value in event.summary.value}


@pytest.fixture
def folder(tmp_path):
    """A folder whose writer is the default one, with step 1."""
    writer = tf.summary.create_file_writer(tmp_path)
    with writer.as_default(step=1):
        yield tmp_path
    writer.close()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures(folder, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, channels)).astype(np.uint8)
    assert tf.summary.image("bytes", pixels, max_outputs=2)
    assert tf.summary.image("floats", tf.constant(pixels, tf.float32) / 255.0 * 2.0 - 0.5, description="clipped")
    tf.summary.flush()
    pictures = values(folder)
    width, height, *files = pictures["bytes"].tensor.string_val
    assert (width, height, len(files)) == (b"6", b"5", 2)
    for file, picture in zip(files, pixels, strict=False):
        with PIL.Image.open(io.BytesIO(file)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)
    clipped = tf.image.convert_image_dtype(tf.constant(pixels, tf.float32) / 255.0 * 2.0 - 0.5, tf.uint8, saturate=True)
    with PIL.Image.open(io.BytesIO(pictures["floats"].tensor.string_val[2])) as image:
        np.testing.assert_array_equal(np.asarray(image).reshape(clipped.shape[1:]), clipped[0])
    assert len(pictures["floats"].tensor.string_val) == 2 + 3
    metadata = pictures["floats"].metadata
    assert (metadata.plugin_data.plugin_name, metadata.summary_description) == ("images", "clipped")


def test_sounds(folder):
    sounds = np.linspace(-1.1, 1.1, 40, dtype=np.float32).reshape(2, 10, 2)
    assert tf.summary.audio("tones", sounds, 8000, max_outputs=1)
    tf.summary.flush()
    shape, (file, label) = values(folder)["tones"].tensor.tensor_shape, values(folder)["tones"].tensor.string_val
    assert ([dim.size for dim in shape.dim], label) == ([1, 2], b"")
    rate, samples = scipy.io.wavfile.read(io.BytesIO(file))
    assert rate == 8000
    np.testing.assert_allclose(samples / 32768, np.clip(sounds[0], -1, 1), atol=1 / 32768)


def test_pictures_of_compiled_steps(folder):
    @tf.function
    def step(x):
        tf.summary.image("x", x[None, :, :, None], step=2)
        tf.summary.text("words", tf.strings.as_string(x[0]))

    for _ in range(3):
        step(tf.ones((2, 3)))
    tf.summary.flush()
    assert sum(len(event.summary.value) for event in events(folder)) == 6
    assert list(values(folder)["words"].tensor.string_val) == [b"1.000000"] * 3


def test_tensors_and_messages(folder):
    with tf.name_scope("outer"), tf.summary.experimental.summary_scope("in ner") as (tag, scope):
        assert (tag, scope) == ("outer/in ner", "outer/inner/")
        metadata = SummaryMetadata(summary_description="words")
        assert tf.summary.write(tag, lambda: tf.constant([1, 2]), metadata=metadata)
        assert tf.summary.scalar("s", 1)
    with tf.summary.record_if(False):
        assert not tf.summary.write("not", lambda: 1 / 0)
    raw = Summary(value=[Summary.Value(tag="raw", simple_value=2.5)]).SerializeToString()
    assert tf.summary.experimental.write_raw_pb(raw, step=4)
    tf.summary.flush()
    written = values(folder)
    assert set(written) == {"outer/in ner", "outer/inner/s", "raw"}
    assert np.frombuffer(written["outer/in ner"].tensor.tensor_content, np.int32).tolist() == [1, 2]
    assert written["outer/in ner"].metadata == metadata
    assert written["raw"].simple_value == 2.5


@tf.function
def _product(x):
    return tf.matmul(x, x)


def test_graphs_of_functions(folder):
    assert tf.summary.graph(_product.get_concrete_function(tf.ones((2, 2))).graph)
    with pytest.raises(ValueError, match="is not tf.Graph"):
        tf.summary.graph(3)
    tf.summary.flush()
    (graph,) = [GraphDef.FromString(event.graph_def) for event in events(folder) if event.graph_def]
    assert [(node.name, node.op, list(node.input)) for node in graph.node] == [
        ("x", "Placeholder", []),
        ("MatMul", "MatMul", ["x", "x"]),
        ("Identity", "Identity", ["MatMul"]),
    ]


def test_traces_of_functions(folder, caplog):
    with pytest.raises(ValueError, match="Must enable trace before export"):
        tf.summary.trace_export("early")
    before = vars(type(_product))["__call__"]
    tf.summary.trace_on()
    tf.summary.trace_on()
    assert "Trace already enabled" in caplog.text
    for _ in range(3):
        _product(tf.ones((3, 3)))
    tf.summary.trace_export("graphs")
    assert vars(type(_product))["__call__"] is before
    tf.summary.trace_on()
    tf.summary.trace_off()
    tf.summary.trace_off()
    tf.summary.flush()
    value = values(folder)["graphs"]
    assert value.metadata.plugin_data.plugin_name == "graph_run_metadata_graph"
    metadata = build_classes(graphs._RUN_METADATA_FILES, __name__)["RunMetadata"].FromString(value.tensor.string_val[0])
    (graph,) = metadata.partition_graphs
    assert [node.op for node in GraphDef.FromString(graph).node] == ["Placeholder", "MatMul", "Identity"]
    assert [part.pre_optimization_graph for part in metadata.function_graphs] == [graph]


def test_a_trace_with_a_profile(folder, caplog):
    tf.summary.trace_on(profiler=True)
    assert "Profiler won't be enabled" in caplog.text
    tf.summary.trace_off()
    tf.summary.trace_on(profiler=True, profiler_outdir=folder / "profile")
    tf.summary.trace_export("run")
    tf.summary.flush()
    assert values(folder)["run"].metadata.plugin_data.plugin_name == "graph_run_metadata"
    assert len(list(folder.glob("profile/plugins/profile/*/*"))) == 1

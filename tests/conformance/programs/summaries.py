"""Writers, steps and conditions of summaries, and tags of scopes."""

import tempfile


def writers(tf):
    summary = tf.summary
    with tempfile.TemporaryDirectory() as folder:
        writer = summary.create_file_writer(folder)
        answers = {"without a writer": bool(summary.write("a", 1.0, step=1))}
        with writer.as_default(step=5):
            answers["step"] = summary.experimental.get_step()
            answers["written"] = bool(summary.write("a", lambda: tf.constant([1, 2])))
            answers["should"] = bool(summary.should_record_summaries())
            with summary.record_if(False):
                answers["condition"] = [
                    bool(summary.write("a", lambda: 1 / 0)),
                    bool(summary.should_record_summaries()),
                ]
            answers["message"] = bool(summary.experimental.write_raw_pb(b""))
            answers["graph"] = bool(summary.graph(tf.function(lambda: tf.constant(1.0)).get_concrete_function().graph))
        writer.close()
    return answers


def tags(tf):
    def scope(name, *default):
        with tf.summary.experimental.summary_scope(name, *default) as (tag, scope_name):
            return tag, scope_name

    def inside():
        with tf.name_scope("outer"):
            return scope("inner")

    return {
        "plain": lambda: scope("a"),
        "spaces": lambda: scope("a b%c"),
        "only such": lambda: scope("%%"),
        "default": lambda: scope("", "d"),
        "default of all": lambda: scope(""),
        "inside": inside,
    }


def errors(tf):
    def write(function):
        def call():
            with tempfile.TemporaryDirectory() as folder:
                writer = tf.summary.create_file_writer(folder)
                with writer.as_default():
                    function()

        return call

    return {
        "no step": write(lambda: tf.summary.write("a", 1.0)),
        "no step of messages": write(lambda: tf.summary.experimental.write_raw_pb(b"")),
        "no graph": write(lambda: tf.summary.graph(3)),
        "no trace": lambda: tf.summary.trace_export("a", step=1),
    }

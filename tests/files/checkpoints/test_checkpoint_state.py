"""The state file of a folder of checkpoints, and the iterator of its newest ones."""

import fastgrad as tf
from fastgrad._src.files.checkpoints import checkpoint_state


def test_an_iterator_of_checkpoints_yields_the_newest_until_its_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_state, "_SECONDS_BETWEEN_LOOKS", 0.01)
    checkpoint, timeouts = tf.train.Checkpoint(v=tf.Variable(1.0)), []

    def ends():
        timeouts.append(1)
        return len(timeouts) == 2

    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path), max_to_keep=2)
    paths = tf.train.checkpoints_iterator(str(tmp_path), timeout=0.02, timeout_fn=ends)
    first = manager.save()
    assert next(paths) == first
    manager.save()
    third = manager.save()
    assert next(paths) == third
    assert list(paths) == []
    assert len(timeouts) == 2
    assert list(tf.train.checkpoints_iterator(str(tmp_path / "nowhere"), timeout=0)) == []

"""The programs in examples/ run and reach what they promise."""

import importlib.util
import re
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.function import Function
from fastgrad._src.core.placement import placement
from tests.distribute.ranks import launcher
from tests.example_modules import EXAMPLES, load

sys.path.append(str(EXAMPLES))  # where Python looks when it runs one of them: two share a file


def test_every_example_is_tested():
    tested = set(re.findall(r'(?:load|example_of_keras)\("(\w+)"[,)]', Path(__file__).read_text(encoding="utf-8")))
    assert {file.stem for file in EXAMPLES.glob("*.py")} == tested


def test_digits_prints_the_accuracy_and_draws(tmp_path, capsys):
    load("digits").main(["--epochs", "20", "--output", str(tmp_path / "new")])
    written = capsys.readouterr()
    found = re.search(r"^test accuracy: (\d+\.\d) %$", written.out, re.MULTILINE)
    assert float(found[1]) >= 97.0
    assert "training: 100%" in written.err
    assert re.search(r"^a training step: \d+ us eager, \d+ us compiled$", written.out, re.MULTILINE)
    for name in ("digits_learning_curve.png", "digits_predictions.png"):
        assert (tmp_path / "new" / name).read_bytes().startswith(b"\x89PNG")


def test_digits_are_split_by_class_with_a_fixed_seed():
    module = load("digits")
    train_images, train_labels, test_images, test_labels = module.load_data()
    assert (len(train_images), len(test_images)) == (1437, 360)
    assert train_images.max() <= 1.0
    assert np.ptp(np.bincount(test_labels)) <= 2
    again = module.load_data()
    np.testing.assert_array_equal(test_images, again[2])
    np.testing.assert_array_equal(train_labels, again[1])


def test_digits_median_of_five_seeds():
    module = load("digits")
    data = module.load_data()
    accuracies = [module.train(*data, seed=seed, show_progress=False)[2][-1] for seed in range(5)]
    assert statistics.median(accuracies) >= 0.97


def test_the_seed_fixes_the_digits_training():
    module = load("digits")
    data = module.load_data()
    first, second = (module.train(*data, seed=1, epochs=2, show_progress=False)[1] for _ in range(2))
    assert first == second


def test_the_digits_training_is_the_same_eager_and_compiled():
    module = load("digits")
    data = module.load_data()
    compiled = module.train(*data, seed=2, epochs=2, show_progress=False)
    tf.config.run_functions_eagerly(True)
    try:
        eager = module.train(*data, seed=2, epochs=2, show_progress=False)
    finally:
        tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(compiled[1], eager[1], rtol=1e-4)
    assert compiled[2] == pytest.approx(eager[2], abs=0.01)


def is_near_the_least_squares_line(line):
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    x = data.data[:, 2] / data.data[:, 2].std()
    return np.allclose(line, np.polyfit(x, data.target, 1), rtol=1e-4)


COMPILED = {
    "clipped_gradients": (load("clipped_gradients"), lambda loss: loss < 0.05),
    "clipped_norm": (load("clipped_norm"), lambda line: np.allclose(line, [3, -1], atol=0.1)),
    "custom_loss": (load("custom_loss"), lambda loss: loss < 43.2),  # near the least absolute deviations
    "dict_batches": (load("dict_batches"), lambda loss: loss < 0.01),
    "gradient_accumulation": (load("gradient_accumulation"), lambda found: found[0] < 0.5 and found[1] < 1e-5),
    "linear_regression": (load("linear_regression"), is_near_the_least_squares_line),
    "two_models": (load("two_models"), lambda found: found[0] < 0.5 and found[1] > 0.8),
    "two_optimizers": (load("two_optimizers"), lambda found: found[0] < 0.05 and found[1] > 0.98),
}


@pytest.fixture(autouse=True)
def functions(monkeypatch):
    """The functions that ``tf.function`` makes; afterwards, all that they have compiled must be native."""
    monkeypatch.setattr(
        placement, "active", False
    )  # an earlier test may have asked for a GPU, and calls look for one from then on
    made = []
    monkeypatch.setattr("fastgrad._src.data.compiling.Function", Function)  # those of datasets are not the example's

    class Noted(Function):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

        def __call__(self, *args, **kwargs):
            self.last_call = args, kwargs
            return super().__call__(*args, **kwargs)

    monkeypatch.setattr("fastgrad._src.compiler.function.Function", Noted)
    yield made
    assert not [function for function in made if "run as Python" in function.report()]


def python_frames(call):
    """The names of the Python functions that run during a call."""
    names = set()

    def note(frame, event, _):
        if event == "call":
            names.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names


@pytest.mark.parametrize("name", COMPILED)
def test_examples_reach_what_they_promise_and_give_the_same_eager_and_compiled(name, functions):
    example, is_good = COMPILED[name]
    compiled = example.main()
    assert is_good(compiled), compiled
    assert functions
    for function in functions:
        assert "kernels: " in function.report()
        args, kwargs = function.last_call
        function(*args, **kwargs)
        frames = python_frames(lambda: function(*args, **kwargs))  # noqa: B023 - called at once
        assert frames <= {"<lambda>", "__call__", "entry", "replay", "__init__"}, (
            "the entry, and tensors that are returned"
        )
    tf.config.run_functions_eagerly(True)
    try:
        eager = example.main()
    finally:
        tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-6)


def test_first_gradients(capsys):
    load("first_gradients").main()
    assert capsys.readouterr().out.splitlines() == [
        "tf.Tensor(6.0, shape=(), dtype=float32)",
        "<tf.Tensor: shape=(), dtype=float32, numpy=6.0>",
        "tf.Tensor(9.0, shape=(), dtype=float32) tf.Tensor(12.0, shape=(), dtype=float32)",
        "<tf.Variable 'x:0' shape=() dtype=float32, numpy=2.0>",
    ]


def test_fine_tuning_trains_the_last_layer_only(capfd):
    before, after, unchanged = load("fine_tuning").main()
    assert unchanged
    assert before < 0.5 < 0.7 < after
    assert "2 of 6 weights trained" in capfd.readouterr().out


def test_higher_derivatives():
    assert load("higher_derivatives").main() == pytest.approx(np.log(3), rel=1e-6)


def test_policy_gradient_learns_to_balance():
    """Three seeds, each with vectors of 4 and 16 lanes, end between 99.8 and 100."""
    lengths = load("policy_gradient").main()
    assert lengths[0] < 40
    assert np.mean(lengths[-5:]) > 90


def test_digits_cnn():
    """Three seeds, each with vectors of 4 and 16 lanes, end between 0.983 and 0.986."""
    assert load("digits_cnn").main() >= 0.975


def test_breast_cancer_finds_the_ill_and_draws_the_curve(tmp_path):
    found = load("breast_cancer").main(["--output", str(tmp_path)])
    assert found["accuracy"] > 0.95
    assert found["area"] > 0.99
    assert found["found"] > 0.93
    assert (tmp_path / "breast_cancer_roc.png").read_bytes().startswith(b"\x89PNG")


def test_diabetes_stops_early_and_is_better_than_the_mean():
    epochs, error, guess = load("diabetes").main()
    assert epochs < 200
    assert error < 0.8 * guess


def test_the_character_lstm_begins_to_learn():
    losses, text = load("character_lstm").main(epochs=1)
    assert losses[0] < 3.0, "3.9 are those of a guess"
    assert text.startswith("    def __init__(self, ")
    assert len(text) > 200


def test_the_small_gpt_begins_to_learn():
    losses, text = load("small_gpt").main(steps=60)
    assert np.mean(losses[-10:]) < 2.9 < 3.0 < losses[0]
    assert text.startswith('"""Text wrapping and filling.')
    assert len(text) == 264


def test_the_recommender_finds_the_tastes_behind_the_ratings():
    error, share = load("recommender").main()
    assert error < 0.13, "the noise alone is 0.1"
    assert share > 0.98


def test_the_variational_autoencoder_keeps_digits_apart_and_draws(tmp_path):
    from sklearn.neighbors import KNeighborsClassifier

    losses, places, labels = load("variational_autoencoder").main(["--output", str(tmp_path)])
    assert losses[-1] < 0.75 * losses[0]
    near = KNeighborsClassifier(5).fit(places[::2], labels[::2])
    assert near.score(places[1::2], labels[1::2]) > 0.7, "digits of a kind lie together"
    assert (tmp_path / "variational_autoencoder.png").read_bytes().startswith(b"\x89PNG")


def test_long_memory_needs_its_gradients_clipped():
    losses, norms = load("long_memory").main()
    assert np.mean(losses[-50:]) < 0.01, "1 / 6 without memory"
    assert max(norms) > 1000, "a step along this gradient would end it"


def test_poles_fall_when_pushed_at_random():
    assert 15 < load("cart_pole").main() < 30, "as in other programs of this world: about 22"


def test_deep_q_learning_learns_to_balance():
    """Vectors of 4, 8 and 16 lanes with four seeds end between 111 and 169 steps: a long training amplifies the last bits."""
    before, after = load("deep_q_learning").main()
    assert before < 30
    assert after > 75


def test_the_wasserstein_gan_finds_all_heaps_and_draws(tmp_path):
    distances, share, heaps = load("wasserstein_gan").main(["--output", str(tmp_path)])
    assert np.mean(distances[-50:]) < 0.5 * np.mean(distances[:50])
    assert heaps == 8
    assert share > 0.6
    assert (tmp_path / "wasserstein_gan.png").read_bytes().startswith(b"\x89PNG")


def test_the_neural_ode_learns_the_law_with_one_loop(functions):
    """Three seeds, each with vectors of 4 and 16 lanes, end between 0.16 and 0.26."""
    error, step = load("neural_ode").main()
    assert error < 0.5
    assert step.cache_info().recordings == 1, "loops of 1 to 10 steps are one program"


def test_activations_of_the_users_own_learn_as_well(functions):
    accuracies = load("custom_activation").main()
    assert min(accuracies.values()) > 0.95
    assert accuracies["mish"] > accuracies["silu"] - 0.02


def test_optimizers_of_the_users_own_are_part_of_the_products():
    found = load("custom_optimizer").main()
    losses = {name: loss for name, (loss, _) in found.items()}
    assert losses["own Lion"] == losses["Lion"]
    assert losses["AdaBelief"] < 1.1 * losses["Adam"]
    for _, step in found.values():
        report = str(step.report())
        assert "no Python between them" in report
        assert "matmul+apply_update float32[64, 128]" in report


def test_the_pendulum_finds_its_length_without_python_in_the_step():
    length, loss, step = load("pendulum").main()
    assert abs(length - 1.3) < 0.02
    assert loss < 1e-3
    assert "no Python between them" in str(step.report())


def test_points_find_the_border_of_the_mandelbrot_set():
    area, potential, step = load("escape_time").main()
    assert 1.507 < area < 2.1, "the curve is around the set"
    assert np.mean(np.abs(potential - 1e-3) < 1e-4) > 0.98, "few points have fallen inside, where there is no slope"
    assert "no Python between them" in str(step.report())


def test_mixed_precision_is_as_accurate():
    found = load("mixed_precision").main()
    plain = found["float32"][0]
    for policy in ("mixed_bfloat16", "mixed_float16"):
        accuracy, weights, results = found[policy]
        assert accuracy > plain - 0.02
        assert weights == tf.float32
        assert results == tf.as_dtype(policy.removeprefix("mixed_"))


def test_a_search_of_hyper_parameters_compiles_in_its_first_trial_only(tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="pip install fastgrad[tune]")
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setitem(sys.modules, "tune", tune := load("tune"))  # its processes import it by name
    monkeypatch.setattr(tune, "__name__", "tune")
    for function in (tune.search, tune.objective):
        monkeypatch.setattr(function, "__module__", "tune")
    study = tune.main(["--output", str(tmp_path)])
    first, *others = [trial.user_attrs for trial in study.trials]
    assert len(others) == 15
    assert first["compiled"] > 10
    assert first["compiler"]
    assert others[0]["compiled"] == 0
    assert not others[0]["compiler"]
    assert sum(trial["compiled"] for trial in others) <= 2, "variants of the driver for shorter and longer steps"
    assert len({trial["process"] for trial in others}) == 2
    assert study.best_value > 0.93


def test_two_ranks_train_the_digits_as_one_process_does(tmp_path, capfd):
    demo = load("distributed_demo")
    launcher()  # skips where there is none
    demo.main(["--output", str(tmp_path), "--epochs", "6"])
    printed = capfd.readouterr().out
    found = re.search(r"^largest difference of the losses: (\S+)$", printed, re.MULTILINE)
    assert float(found[1]) < 1e-3
    assert re.search(r"^speed-up: \d+\.\d\d times$", printed, re.MULTILINE)
    assert (tmp_path / "distributed_demo.png").read_bytes().startswith(b"\x89PNG")


def test_distributed_digits_goes_on_from_its_checkpoint(tmp_path, capsys):
    example = load("distributed_digits")
    example.main(["--directory", str(tmp_path), "--epochs", "2"])
    assert "saved after step 44" in capsys.readouterr().out
    example.main(["--directory", str(tmp_path), "--epochs", "3", "--restart"])
    printed = capsys.readouterr().out
    assert "continues after step 44" in printed
    assert re.search(r"^test accuracy: \d+\.\d %$", printed, re.MULTILINE)


def test_a_fit_of_numba_stats_densities_takes_a_gradient(tmp_path, capsys):
    by_differences, by_gradient = load("signal_fit").main(["--output", str(tmp_path)])
    assert by_gradient.valid
    assert by_gradient.fval < by_differences.fval + 0.01
    assert by_gradient.nfcn + by_gradient.ngrad < by_differences.nfcn / 3
    pulls = (np.array(by_gradient.values) - load("signal_fit").TRUTH) / np.array(by_gradient.errors)
    assert np.abs(pulls).max() < 5.0
    assert (tmp_path / "signal_fit.png").read_bytes().startswith(b"\x89PNG")
    assert len(re.findall(r"calls of the likelihood", capsys.readouterr().out)) == 2


def test_the_greeks_of_simulated_paths_are_those_of_the_closed_form(capsys):
    estimates, errors, exact, _ = load("heston_greeks").main(["--paths", "40000", "--batches", "10"])
    assert np.all(np.abs(estimates - exact) < 5.0 * errors + 0.01 * np.abs(exact))
    assert np.all(errors < 0.1 * np.abs(exact))
    assert len(re.findall(r"closed form", capsys.readouterr().out)) == 7


def test_scipy_gets_the_same_with_fewer_calls_from_derivatives(tmp_path, capsys):
    found = load("lennard_jones").main(["--output", str(tmp_path)])
    assert found["gradient"].nfev < found["differences"].nfev / 50
    assert abs(found["gradient"].fun - found["differences"].fun) < 1e-5
    assert np.abs(found["gradient"].jac).max() < 0.01
    fits, error = load("sensor_network").main(["--output", str(tmp_path)])
    np.testing.assert_allclose(fits["jacobian"].x, fits["differences"].x, atol=1e-5)
    assert error < 0.01
    paths, gap = load("brusselator").main(["--output", str(tmp_path)])
    assert paths["jacobian"].success
    assert gap < 1e-6
    written = capsys.readouterr().out
    for name in ("lennard_jones", "sensor_network", "brusselator"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (
        len(re.findall(r"^finite differences: .* in [\d.]+ ms|^finite differences: [\d.]+ ms", written, re.MULTILINE))
        == 3
    )
    assert len(re.findall(r"calls of the", written)) == 6


def test_adam_finds_the_masses_of_a_simulation_in_numba():
    losses, masses = load("nbody_masses").main()
    assert losses[-1] < 1.1e-6 < 1e-3 < losses[0], "the noise alone is 1e-6"
    np.testing.assert_allclose(masses, load("nbody_masses").TRUTH, rtol=0.02)


def test_numpyro_samples_the_same_models():
    for package in ("numpyro", "pymc", "arch"):
        pytest.importorskip(package, reason="pip install fastgrad[bridges]")
    module = load("numpyro_models")
    for name, (means, _) in module.main().items():
        for parameter, true in module.MODELS[name][1].items():
            np.testing.assert_allclose(means[parameter], true, atol=0.1)


def test_pymc_samples_likelihoods_that_are_loops_with_derived_gradients(tmp_path, capsys):
    for package in ("pymc", "nutpie", "arviz", "arch"):
        pytest.importorskip(package, reason="pip install fastgrad[bridges]")
    for module in (load("pymc_hidden_markov"), load("pymc_sir"), load("pymc_garch")):
        means, speeds = module.main(["--output", str(tmp_path)])
        for parameter, true in module.TRUE.items():
            np.testing.assert_allclose(means[parameter], true, atol=0.1)
        assert min(speeds["nutpie"], speeds["Slice"]) > 0.0
        assert (tmp_path / f"{module.__name__.removeprefix('example_')}.png").read_bytes().startswith(b"\x89PNG")
    times = load("pymc_posteriors").time_gradients(
        module.loglik, [np.arange(1000) % 7.0, 0.1, 0.1, 0.8], argnums=(1, 2, 3)
    )
    assert min(times["derived"], times["differences"]) > 0.0
    assert len(re.findall(r"^compiled in", capsys.readouterr().out, re.MULTILINE)) == 3


def test_a_new_head_on_a_frozen_backbone_of_keras_learns_other_digits():
    printed = example_of_keras("keras_transfer_learning")
    pretrained, transferred = (float(text) for text in re.findall(r"test accuracy (\d\.\d+)", printed))
    assert pretrained > 0.9
    assert transferred > 0.8
    assert re.search(r"frozen backbone: 0 of \d{2,}$", printed, re.MULTILINE)


def test_keras_tuner_finds_a_network_for_the_digits():
    printed = example_of_keras("keras_tuner_search", "keras_tuner", "tensorboard")
    assert float(re.search(r"best: (\d\.\d+)", printed)[1]) > 0.93


def example_of_keras(name, *packages):
    """Returns what an example prints in a process of its own: this one may have imported Keras or fastgrad's names for it."""
    for package in ("keras", *packages):
        if importlib.util.find_spec(package) is None:  # an import here would ask Keras for TensorFlow
            pytest.skip(f"{package} is not installed")
    ran = subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

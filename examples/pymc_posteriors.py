"""What the examples with PyMC share: sampling with gradients and without, means beside true values, a picture, times of gradients.

python examples/pymc_posteriors.py runs all three.
"""

import importlib
import time

import numpy as np

DRAWS = {"draws": 1000, "tune": 1000, "chains": 2, "random_seed": 1, "progressbar": False}


def effective_samples(trace, names):
    """The least effective sample size of all parameters."""
    import arviz

    sizes = arviz.ess(trace, var_names=names)
    return min(float(np.min(sizes[name])) for name in names)


def compare(model, true, file):
    """Samples a model with nutpie and with PyMC's Slice sampler; prints means and speeds, draws the posteriors, returns means and speeds."""
    import nutpie
    import pymc as pm

    names = list(true)
    began = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model)
    print(f"compiled in {time.perf_counter() - began:.1f} s")
    traces, speeds = {}, {}
    for name in ("nutpie", "Slice"):
        began = time.perf_counter()
        if name == "nutpie":
            options = {"draws": DRAWS["draws"], "tune": DRAWS["tune"], "chains": DRAWS["chains"], "cores": 1}
            traces[name] = nutpie.sample(compiled, **options, seed=DRAWS["random_seed"], progress_bar=False)
        else:
            with model:
                traces[name] = pm.sample(step=pm.Slice(), cores=1, compute_convergence_checks=False, **DRAWS)
        seconds = time.perf_counter() - began
        seconds = traces[name].posterior.attrs.get("sampling_time", seconds)  # PyMC's, without its compilation
        samples = effective_samples(traces[name], names)
        speeds[name] = samples / seconds
        print(f"{name}: {seconds:.2f} s, {samples:.0f} effective samples, {speeds[name]:.0f} in a second")
    means = {name: traces["nutpie"].posterior[name].mean(("chain", "draw")).values for name in names}
    for name in names:
        print(f"{name}: mean {np.round(means[name], 3)}, true {true[name]}")
    draw(traces["nutpie"], true, file)
    return means, speeds


def time_gradients(f, arguments, argnums):
    """Prints the times of a derived gradient and of central differences of a compiled function; returns them in microseconds."""
    import fastgrad as fg

    def differences():
        for number in argnums:
            for place in np.ndindex(np.shape(arguments[number])):
                for step in (1e-6, -1e-6):
                    moved = np.array(arguments[number], float)
                    moved[place] += step
                    f(*[moved[()] if n == number else given for n, given in enumerate(arguments)])

    both = fg.value_and_grad(f, argnums)
    calls = {"derived": lambda: both(*arguments), "differences": differences, "value": lambda: f(*arguments)}
    times = {}
    for name, call in calls.items():
        call()
        best = np.inf
        for _ in range(20):
            began = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - began)
        times[name] = 1e6 * best
    print(
        f"value {times['value']:.0f} us, with the derived gradient {times['derived']:.0f} us, "
        f"finite differences {times['differences']:.0f} us"
    )
    return times


def draw(trace, true, file):
    from matplotlib.figure import Figure

    columns = [(name, place) for name, value in true.items() for place in np.ndindex(np.shape(value))]
    figure = Figure(figsize=(2.5 * len(columns), 2.5), layout="constrained")
    for axes, (name, place) in zip(figure.subplots(1, len(columns)), columns):
        axes.hist(trace.posterior[name].values[(..., *place)].reshape(-1), bins=40, density=True)
        axes.axvline(np.asarray(true[name])[place], color="black", label="true")
        axes.set(title=f"{name}{list(place) if place else ''}", yticks=[])
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    print(f"drawn: {file}")


if __name__ == "__main__":
    for example in ("pymc_hidden_markov", "pymc_sir", "pymc_garch"):
        importlib.import_module(example).main()

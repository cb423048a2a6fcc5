"""Writes tests/vectors/gp.h: posterior, likelihood and expected improvement of Gaussian processes, by numpy and the textbook formulas.

python tests/make_gp_vectors.py > tests/vectors/gp.h   (needs numpy)
"""
import math

import numpy as np


def matern(a, b, length):
    r = np.sqrt((((a[:, None, :] - b[None, :, :]) / length) ** 2).sum(-1))
    return (1 + math.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-math.sqrt(5) * r)


def posterior(x, y, at, length, noise):
    inverse = np.linalg.inv(matern(x, x, length) + (noise + 1e-10) * np.eye(len(x)))
    ones = np.ones(len(x))
    mean = ones @ inverse @ y / (ones @ inverse @ ones)
    amplitude = (y - mean) @ inverse @ (y - mean) / len(x)
    across = matern(at, x, length)
    variance = amplitude * (1 - (across @ inverse * across).sum(1))
    _, determinant = np.linalg.slogdet(amplitude * np.linalg.inv(inverse))
    likelihood = -0.5 * ((y - mean) @ inverse @ (y - mean) / amplitude + determinant + len(x) * math.log(2 * math.pi))
    return mean + across @ inverse @ (y - mean), np.sqrt(variance), likelihood


def improvement(mean, deviation, best):
    """By numeric integration, to be independent of the closed form."""
    z = np.linspace(-12, 12, 2_000_001)
    value = np.maximum(mean + deviation * z - best, 0) * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return float(((value[1:] + value[:-1]) / 2).sum() * (z[1] - z[0]))


def numbers(values):
    return "{" + ", ".join(repr(float(v)) for v in np.ravel(values)) + "}"


def case(name, n, length, noise, seed):
    random = np.random.default_rng(seed)
    x, at = random.uniform(size=(n, len(length))), random.uniform(size=(4, len(length)))
    y = np.round(0.7 + 0.1 * np.sin(5 * x).sum(1) + 0.02 * random.normal(size=n), 3)
    x, at = np.round(x, 3), np.round(at, 3)
    mean, deviation, likelihood = posterior(x, y, at, np.array(length), noise)
    print(f"static const double {name}_x[] = {numbers(x)};\nstatic const double {name}_y[] = {numbers(y)};")
    print(f"static const double {name}_at[] = {numbers(at)};\nstatic const double {name}_mean[] = {numbers(mean)};")
    print(f"static const double {name}_deviation[] = {numbers(deviation)};\nstatic const double {name}_likelihood = {float(likelihood)!r};")
    return f'  {{{n}, {len(length)}, {{{numbers(length)}, {noise!r}}}, {name}_x, {name}_y, {name}_at, {name}_mean, {name}_deviation, &{name}_likelihood}},'


print("/* Made by tests/make_gp_vectors.py. */\n/* clang-format off */")
rows = [case("one", 7, [0.3], 0.01, 1), case("two", 12, [0.6, 0.15], 1e-4, 2), case("three", 20, [1.2, 0.3, 2.4], 0.1, 3)]
print("static const gp_case gp_cases[] = {\n" + "\n".join(rows) + "\n};")
print("static const double improvements[][4] = {")
for mean, deviation, best in ((0, 1, 0), (0.5, 0.2, 0.7), (1, 0.1, 0.7), (-1, 0.5, 0.7), (0.3, 2, 0.1)):
    print(f"  {{{mean!r}, {deviation!r}, {best!r}, {improvement(mean, deviation, best)!r}}},")
print("};\n/* clang-format on */")

"""Do bias weights help? ASTEROID's 16-dimensional toy: pre-training on points whose bias is known.

The toy of appendix A.5 (DOI 10.48550/arXiv.2306.03109): X ~ N(0, I) with 16 dimensions, a Gaussian
16 × 16 matrix A, accurate points Y = AX, and 2000 cheap ones Y = AX + b with b drawn for each from
{0, 2, 4, 8, 16}. A network with two hidden layers of 128 learns Y from X. Arms:

    accurate only           trained on the accurate points
    cheap, all alike        pre-trained with equal weights, no fine-tuning
    cheap, bias weights     pre-trained with w = exp(−B/γ), no fine-tuning
    alike + fine-tuning     pre-trained with equal weights, fine-tuned on the accurate points
    weights + fine-tuning   all of ASTEROID: S1–S5, and the γ search S6
    oracle + fine-tuning    pre-trained on the cheap points with b = 0 alone, which nobody knows

A fifth of the accurate points validates (it stops training and chooses γ) and counts as spent in all arms.
The paper leaves the loss of the toy open, so both usual ones are run. The toy is made for the rule: a cheap
point is wrong by chance, whatever its x, and a fifth of them is exact. A cheap level of theory is wrong
everywhere and much the same for neighbours, so what is gained here need not be gained there.

    python benchmarks/toy_linear.py --part cells.jsonl    # about 10 minutes on 2 cores
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from cells import options, publish, run_cells
from scipy.stats import spearmanr
from scipy.stats import t as student
from torch import Tensor

from fidsel.training.recipes.asteroid import Asteroid
from fidsel.training.weights.bias import weights_from_bias

GAMMAS = Asteroid.gammas
DIMENSION, WIDTH = 16, 128
BIASES = (0.0, 2.0, 4.0, 8.0, 16.0)
CHEAP, TEST = 2000, 2000
LOSSES = ("l1", "l2")
SIZES = (25, 50, 100, 200, 400)
SEEDS = tuple(range(10))
VALIDATION = 0.2
ARMS = (
    "accurate only", "cheap, all alike", "cheap, bias weights",
    "alike + fine-tuning", "weights + fine-tuning", "oracle + fine-tuning",
)  # fmt: skip
COMPARED = (
    ("alike + fine-tuning", "accurate only"),
    ("weights + fine-tuning", "accurate only"),
    ("weights + fine-tuning", "alike + fine-tuning"),
    ("cheap, bias weights", "cheap, all alike"),
    ("oracle + fine-tuning", "alike + fine-tuning"),
)


@dataclass(frozen=True)
class Cell:
    """One data set on which all arms are trained."""

    loss: str
    size: int
    seed: int


@dataclass(frozen=True)
class Training:
    """One stage: Adam with an exponential decay to a hundredth of the learning rate."""

    steps: int
    batch: int
    learning_rate: float = 1e-3


IDENTIFY, PRETRAIN, FINETUNE = Training(6000, 10), Training(3000, 16), Training(3000, 10)
"""Training on accurate points alone takes as many steps as the other two stages together."""
VALIDATE_EVERY = 50


@dataclass(frozen=True)
class Points:
    """Inputs and outputs, (n, 16) each."""

    x: Tensor
    y: Tensor

    def __getitem__(self, rows: slice) -> "Points":
        return Points(self.x[rows], self.y[rows])


@dataclass(frozen=True)
class Data:
    """What a cell is given: accurate points, cheap ones and the bias of the latter."""

    train: Points
    validation: Points
    test: Points
    cheap: Points
    bias: np.ndarray


Parameters = list[Tensor]
"""Weights (k, in, out) and offsets (k, 1, out) of k networks, layer by layer."""


def draw(cell: Cell) -> Data:
    """Return the data of a cell; cells of one seed share all but the number of accurate points."""
    rng = np.random.default_rng(cell.seed)
    matrix = rng.normal(size=(DIMENSION, DIMENSION))

    def points(n: int, bias: np.ndarray | float = 0.0) -> Points:
        x = rng.normal(size=(n, DIMENSION))
        return Points(*(torch.tensor(array, dtype=torch.float32) for array in (x, x @ matrix.T + bias)))

    test = points(TEST)
    bias = rng.choice(BIASES, CHEAP)
    cheap = points(CHEAP, bias[:, None])
    accurate = points(max(SIZES))
    held = round(VALIDATION * cell.size)
    return Data(accurate[held : cell.size], accurate[:held], test, cheap, bias)


def fresh(members: int, seed: int) -> Parameters:
    """Return k equal untrained networks."""
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for n, m in pairwise((DIMENSION, WIDTH, WIDTH, DIMENSION)):
        for shape in ((n, m), (1, m)):
            uniform = torch.rand(shape, generator=generator) * 2 - 1
            parameters.append((uniform / n**0.5).expand(members, *shape).clone())
    return parameters


def predict(parameters: Parameters, x: Tensor) -> Tensor:
    """Return the outputs of k networks for (n, 16) inputs, (k, n, 16)."""
    w1, b1, w2, b2, w3, b3 = parameters
    return torch.relu(torch.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def mean_absolute_error(parameters: Parameters, points: Points) -> Tensor:
    """Return the error of each network, (k,)."""
    with torch.no_grad():
        return (predict(parameters, points.x) - points.y).abs().mean((1, 2))


def train(
    start: Parameters,
    points: Points,
    training: Training,
    loss: str,
    seed: int,
    *,
    weights: Tensor | None = None,
    validation: Points | None = None,
) -> Parameters:
    """Return k trained networks: the last state of each, or the best one on validation points.

    Parameters
    ----------
    weights : (k, n) importance of each point, mean 1; None = equal.
    """
    parameters = [tensor.clone().requires_grad_() for tensor in start]
    importance = torch.ones(len(start[0]), len(points.x)) if weights is None else weights
    optimiser = torch.optim.Adam(parameters, lr=training.learning_rate)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.01 ** (1 / training.steps))
    best = [tensor.clone() for tensor in start]
    lowest = torch.full((len(start[0]),), torch.inf)
    batches = _batches(len(points.x), training, seed)
    for step, rows in enumerate(batches, 1):
        error = predict(parameters, points.x[rows]) - points.y[rows]
        each = error.abs() if loss == "l1" else error**2
        optimiser.zero_grad(set_to_none=True)
        # A sum over members: their gradients do not mix, and Adam acts on each number by itself.
        (importance[:, rows] * each.mean(2)).mean(1).sum().backward()
        optimiser.step()
        decay.step()
        if validation is not None and step % VALIDATE_EVERY == 0:
            found = mean_absolute_error(parameters, validation)
            better = found < lowest
            lowest = torch.where(better, found, lowest)
            for kept, now in zip(best, parameters, strict=True):
                kept[better] = now.detach()[better]
    return best if validation is not None else [tensor.detach() for tensor in parameters]


def _batches(n: int, training: Training, seed: int) -> Iterator[Tensor]:
    """Yield the rows of each step: whole passes over shuffled points."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.empty(0, dtype=torch.int64)
    for _ in range(training.steps):
        while len(rows) < training.batch:
            rows = torch.cat([rows, torch.randperm(n, generator=generator)])
        yield rows[: training.batch]
        rows = rows[training.batch :]


def run(cell: Cell) -> dict[str, Any]:
    """Train all arms on one data set and return their errors on the test points."""
    torch.set_num_threads(1)
    start, data = process_time(), draw(cell)
    teacher = train(
        fresh(1, cell.seed), data.train, IDENTIFY, cell.loss, cell.seed, validation=data.validation
    )
    with torch.no_grad():
        bias = (predict(teacher, data.cheap.x)[0] - data.cheap.y).abs().mean(1).numpy().astype(np.float64)
    searched = [weights_from_bias(bias, gamma) for gamma in GAMMAS]
    unbiased = (data.bias == 0) / np.mean(data.bias == 0)
    rows = [*(found.weights for found in searched), np.ones(CHEAP), unbiased]
    weights = torch.tensor(np.stack(rows), dtype=torch.float32)
    members = fresh(len(rows), cell.seed)
    before = train(members, data.cheap, PRETRAIN, cell.loss, cell.seed, weights=weights)
    after = train(before, data.train, FINETUNE, cell.loss, cell.seed, validation=data.validation)
    n = len(GAMMAS)
    chosen = {
        name: int(mean_absolute_error(state, data.validation)[:n].argmin())
        for name, state in (("before", before), ("after", after))
    }
    pretrained, finetuned = (mean_absolute_error(state, data.test).tolist() for state in (before, after))
    found = (
        mean_absolute_error(teacher, data.test).item(), pretrained[n], pretrained[chosen["before"]],
        finetuned[n], finetuned[chosen["after"]], finetuned[n + 1],
    )  # fmt: skip
    return asdict(cell) | {
        "test_mae": dict(zip(ARMS, found, strict=True)),
        "gamma": GAMMAS[chosen["after"]],
        "gammas": dict(zip(map(str, GAMMAS), finetuned, strict=False)),
        "effective_sample_size": searched[chosen["after"]].effective,
        "bias_rank_correlation": float(spearmanr(bias, data.bias).statistic),
        "core_seconds": process_time() - start,
    }


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Return mean, standard error and the 95 % interval of the mean (Student's t) over seeds."""
    array = np.array(values)
    mean, error = array.mean(), array.std(ddof=1) / np.sqrt(len(array))
    half = student.ppf(0.975, len(array) - 1) * error
    return {"mean": mean, "se": error, "low": mean - half, "high": mean + half}


def ratio(errors: Mapping[str, Sequence[float]], arm: str, base: str) -> dict[str, Any]:
    """Return the geometric mean of arm / base over seeds, paired, and its 95 % interval."""
    logs = interval(np.log(errors[arm]) - np.log(errors[base]))
    return {"arm": arm, "against": base} | {
        name: float(np.exp(logs[name])) for name in ("mean", "low", "high")
    }


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the errors of every arm and the paired ratios, for each loss and number of points."""
    out = []
    for loss, size in product(LOSSES, SIZES):
        members = [row for row in rows if (row["loss"], row["size"]) == (loss, size)]
        errors = {arm: [row["test_mae"][arm] for row in members] for arm in ARMS}
        out.append({
            "loss": loss, "size": size, "seeds": len(members),
            "test_mae": {arm: interval(values) for arm, values in errors.items()},
            "ratios": [ratio(errors, *pair) for pair in COMPARED],
            "gamma": {str(g): sum(row["gamma"] == g for row in members) for g in GAMMAS},
            "bias_rank_correlation": float(np.mean([row["bias_rank_correlation"] for row in members])),
        })  # fmt: skip
    return out


def show(found: Sequence[dict[str, Any]]) -> None:
    """Print errors, then ratios."""
    print("Test MAE, mean ± s.e. over seeds")
    print(f"{'loss':4} {'points':>6} {''.join(f'{arm:>24}' for arm in ARMS)}")
    for row in found:
        cells = (f"{row['test_mae'][arm]['mean']:.4f} ± {row['test_mae'][arm]['se']:.4f}" for arm in ARMS)
        print(f"{row['loss']:4} {row['size']:6} {''.join(f'{cell:>24}' for cell in cells)}")
    print("\nRatio of errors, geometric mean over seeds (95 % interval); below 1 the first arm is better")
    for arm, base in COMPARED:
        print(f"{arm} / {base}")
        for row in found:
            (r,) = (r for r in row["ratios"] if (r["arm"], r["against"]) == (arm, base))
            print(f"{row['loss']:>6} {row['size']:6}   {r['mean']:.3f} ({r['low']:.3f} to {r['high']:.3f})")


def main() -> None:
    """Run the benchmark and print it."""
    given = options(__doc__).parse_args()
    start = perf_counter()
    rows = run_cells([Cell(*key) for key in product(LOSSES, SIZES, SEEDS)], run, given.part, given.workers)
    found = summary(rows)
    if not given.json:
        show(found)
        return
    stages = {"identify": asdict(IDENTIFY), "pretrain": asdict(PRETRAIN), "finetune": asdict(FINETUNE)}
    publish(
        "toy_linear", unit="of Y, whose standard deviation is 4", device="cpu", torch=torch.__version__,
        wall_seconds=perf_counter() - start, core_seconds=sum(row["core_seconds"] for row in rows),
        seeds=SEEDS, cheap_points=CHEAP, biases=BIASES, test_points=TEST, validation_fraction=VALIDATION,
        gammas=GAMMAS, stages=stages, sizes=found, cells=rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()

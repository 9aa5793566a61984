"""`Tracker`: MLflow runs of a campaign, of its control arm, of its rounds and of their training stages.

What is on disk under `rounds/` is the truth; `sync` sends what the store does not have yet, so that a server
that was away is caught up later, and a store can be made anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fidsel.campaign.records.best import best_round
from fidsel.campaign.records.end import why_ended
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.report import FILE
from fidsel.campaign.records.round import Round, last_arms
from fidsel.exceptions import FidselError
from fidsel.fidelity.budget import SPELLINGS, Budget
from fidsel.tracking.about import CONTROL, campaign_tags, description, formulae, labels_words, title
from fidsel.tracking.entries import control_points, parameters, round_points, stage_points
from fidsel.tracking.models import Best, keep_model
from fidsel.tracking.runs import STATE, Arm, Entry, Stage, Story, send_rounds
from fidsel.tracking.store import Store, one_at_a_time
from fidsel.tracking.view import SPENT_IN, STRATEGY, prepare_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


@dataclass(frozen=True)
class Tracker:
    """Sends the rounds of a campaign folder to MLflow.

    The campaign's run holds every metric of every round, its settings, a description, the last report and, at
    its end, the best model (see `fidsel.tracking.models`); that of its control arm the arm's errors at the
    same spend. A round's run holds its record, picks with reasons, cluster-error plot, report, model and data
    sets; a stage's run its losses and notes.

    Parameters
    ----------
    experiment : name of the MLflow experiment.
    store : where runs are kept.
    budget : says in which unit spend is told.
    config : the expanded configuration.
    changed : settings that are not the usual ones, logged as parameters.
    register : name in MLflow's model registry that the best model becomes a version of, "" = none.
    label : stands in the names of its runs, beside what the configuration tells.
    copy : tells a campaign from the one it is a copy of, in the same experiment.
    """

    folder: CampaignFolder
    experiment: str
    store: Store
    budget: Budget
    config: Mapping[str, Any] = field(default_factory=dict)  # Any: whatever TOML holds
    changed: Mapping[str, Any] = field(default_factory=dict)
    register: str = ""
    label: str = ""
    copy: str = ""

    def sync(self) -> str | None:
        """Send every finished round that the store does not have; return why that failed, or None.

        A failure is returned, not raised: tracking never stops a campaign, and the next call tries
        again. A round that was sent in part is replaced.

        Raises
        ------
        FidselError
            where `rounds/` itself, or the store beside it, cannot be read.
        """
        rounds = self.folder.read_rounds()
        if not rounds:
            return None
        why = why_ended(self.folder, rounds)

        def send() -> None:
            with one_at_a_time(self.store.folder or self.folder.path):
                client = self.store.client()
                experiment = self.store.experiment(client, self.experiment)
                self._send(client, experiment, rounds, why)

        trouble = self.store.tried(send)
        return trouble and f"{trouble}; the rounds are kept and sent next time"

    def _send(
        self, client: "MlflowClient", experiment: "Experiment", rounds: Sequence[Round], why: str
    ) -> None:
        size, unit = self._scale(client, experiment)
        times = self._times(rounds)
        arms = {one.index for one, _ in last_arms(rounds)}
        entries = [
            self._entry(one, size, *when, control=one.index in arms)
            for one, when in zip(rounds, times, strict=True)
        ]
        arm, control = self._arms(rounds)
        story = self._story(rounds, why)
        run = send_rounds(
            client, experiment, arm, entries, story, control=control, ended=bool(why), store=self.store
        )
        if why and (best := self._best(rounds)) is not None:
            keep_model(client, run, best, self.store)
        prepare_view(client, experiment, unit)

    def _scale(self, client: "MlflowClient", experiment: "Experiment") -> tuple[float, str]:
        """Return size and name of the unit of spend: that of the experiment's first campaign."""
        size, unit = self.budget.scale
        known = experiment.tags.get(SPENT_IN)
        if known is None:
            client.set_experiment_tag(experiment.experiment_id, SPENT_IN, unit)
            return size, unit
        if SPELLINGS[known][0] != self.budget.unit:
            raise FidselError(
                f"experiment {self.experiment!r} counts spend in {known}, this campaign in {unit}, which one "
                "axis cannot show: name another one with tracking.experiment"
            )
        return SPELLINGS[known][1], known

    def _arms(self, rounds: Sequence[Round]) -> tuple[Arm, Arm | None]:
        """Return the run of the campaign and that of its control arm, None where it has none."""
        molecule = ", ".join(row.name for row in rounds[0].molecules)
        molecule = molecule or formulae(self.folder.round(0) / "train.extxyz")
        tags = campaign_tags(self.config, molecule, self.folder.path)
        seed = tags.get("seed", "")
        name = f"{rounds[0].campaign}{self.copy and f' {self.copy}'}"
        ours = title(tags.get(STRATEGY, ""), seed, molecule, self.label)
        campaign = Arm(name, ours, tags, parameters(self.changed))
        arms = last_arms(rounds)
        if not arms:
            return campaign, None
        first, arm = arms[0][0].index, arms[-1][1]
        drawn = " · ".join(filter(None, ("random labels", tags.get("model", ""))))
        tags = tags | {"recipe": "standard", "picker": "random", STRATEGY: drawn}
        # the run may have been sent points of another kind of arm before
        tags["basis"] = arm.basis + f", from round {first} on" * any(one.control for one in rounds[:first])
        tags["labels"] = f"{arm.labels} {list(rounds[-1].labels)[-1]}"
        return campaign, Arm(name, title(drawn, seed, molecule, CONTROL, self.label), tags, kind=CONTROL)

    def _entry(self, record: Round, size: float, began: int, ended: int, *, control: bool) -> Entry:
        accurate = list(record.labels)[-1]
        said = {"picks": len(record.picks), "stop": record.stop, "notes": "; ".join(record.notes)}
        stages = tuple(
            Stage(f"{number} {history['stage']}", stage_points(history), parameters(history["notes"]))
            for number, history in enumerate(record.training.get("histories", ()))
        )
        return Entry(
            record.index,
            round_points(record, size),
            parameters(said),
            stages,
            control_points(record, size, accurate) if control else (),
            self.folder.round(record.index),
            accurate,
            began,
            ended,
        )

    def _times(self, rounds: Sequence[Round]) -> list[tuple[int, int]]:
        """Return when each round began and ended, ms since 1970."""
        times: list[tuple[int, int]] = []
        for one in rounds:
            path = self.folder.round(one.index) / "round.json"
            ended = int(1000 * (one.finished or path.stat().st_mtime))
            began = ended - int(1000 * sum(one.seconds.values()))
            times.append((max(began, times[-1][1]) if times else began, ended))
        return times

    def _story(self, rounds: Sequence[Round], why: str) -> Story:
        last = self.folder.round(rounds[-1].index)
        tags = {"labels": labels_words(rounds[-1].labels), STATE: why or "goes on"}
        if rounds[-1].control is not None:
            tags["saved"] = rounds[-1].control.saving.cell
        files = [last / name for name in (FILE, "learning_curve.png", "config.json")]
        best = best_round(rounds)
        data = self.folder.round(best.index) if best is not None and why else None
        return Story(description(rounds, self.budget, self.store.loading, why), tags, files, data)

    def _best(self, rounds: Sequence[Round]) -> Best | None:
        best = best_round(rounds)
        if best is None:
            return None
        errors = f"{best.metrics} on {best.metrics.frames} held-out frames"
        facts = {"level": list(best.labels)[-1], "round": f"{best.index}", "errors": errors}
        facts["labels"] = labels_words(best.labels)
        return Best(self.folder.round(best.index), best.index, facts, self.register)

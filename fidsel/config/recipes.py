"""`[recipe]`: how the mixture of labels is trained on."""

from typing import Annotated, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from fidsel.config.models import ModelSection
from fidsel.config.strict import Strict, kind_or_custom
from fidsel.training.stage import Norm


class StageSection(Strict):
    """One training run of a network; what is not given is as the recipe has it."""

    steps: PositiveInt | None = None
    """Optimiser steps."""
    learning_rate: PositiveFloat | None = None
    """Peak learning rate."""
    warmup: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Fraction of the steps spent rising to the peak."""
    final: Annotated[float, Field(gt=0, le=1)] | None = None
    """Learning rate at the last step as a fraction of the peak."""
    batch: PositiveInt | None = None
    """Frames per step."""
    rho: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight of the energy term in the loss."""
    force_loss: Norm | None = None
    """Loss on forces: norm, l1, l2 or huber."""
    energy_loss: Norm | None = None
    """Loss on energies."""
    ema: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay of the averaged parameters that are kept."""
    clip: PositiveFloat | None = None
    """Largest gradient norm."""
    weight_decay: NonNegativeFloat | None = None
    """AdamW's weight decay."""
    patience: PositiveInt | None = None
    """Validations without improvement before the stage ends."""
    validate_every: PositiveInt | None = None
    """Steps between validations."""
    compile: bool | None = None
    """Translate the step to machine code first: minutes, then about twice as fast on a CPU."""


class StandardSection(Strict):
    """Training on the accurate labels alone."""

    kind: Literal["standard"]
    """Accurate labels alone."""
    stage: StageSection = StageSection()
    """How a network is trained; kernels need none."""


class TeachingSection(Strict):
    """Who measures the bias of cheap labels."""

    members: PositiveInt = 1
    """Networks of a committee; the bias is measured against their mean."""
    folds: NonNegativeInt = 0
    """Parts of the accurate frames, each judged by a committee that did not learn it; 0 = none."""
    subtract_error: bool = False
    """Take the error expected of the committee out of the bias."""

    @model_validator(mode="after")
    def _can_judge(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds must be 0 or at least 2, got 1")
        if self.subtract_error and self.members == 1:
            raise ValueError("subtract_error needs a committee that can disagree: give members, some 4")
        return self


class AsteroidSection(Strict):
    """Pre-training on cheap labels, weighed by their bias if asked, then fine-tuning on accurate ones."""

    kind: Literal["asteroid"]
    """Pre-training on cheap labels, then fine-tuning (ASTEROID)."""
    identify: StageSection = StageSection()
    """S1: the model that measures the bias of cheap labels, where asked for; and the control arm's."""
    pretrain: StageSection = StageSection()
    """S4: on cheap labels."""
    finetune: StageSection = StageSection()
    """S5: on accurate labels."""
    gammas: tuple[PositiveFloat, ...] = (0.1, 0.5, 1.0, 2.0)
    """γ of the bias weights exp(−B/γ); the best on the validation labels is kept."""
    relative_to: Literal["median", "absolute"] = "median"
    """What γ is relative to: the median bias, or its unit, eV/Å."""
    bias_weights: bool = False
    """True weighs cheap frames by their bias, as published; all alike were better in our benchmark."""
    teaching: TeachingSection = TeachingSection()
    """Who measures the bias; one network by default, as published."""
    fine_tune: bool = True
    """False stops after pre-training."""
    energy_labels: Literal["aligned", "teacher", "none"] = "aligned"
    """What stands for the cheap energies."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Part of the cheap labels that validates the pre-training."""

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        teacher = self.energy_labels == "teacher"
        _refuse_unused(self, "gammas", "relative_to", *(() if teacher else ("teaching",)))
        if self.bias_weights and not self.gammas:
            raise ValueError("bias_weights = true needs at least one of gammas, got none")
        return self


class UnlabelledSection(Strict):
    """Score matching on thermal configurations without labels, then fine-tuning on accurate ones."""

    kind: Literal["asteroid-unlabelled"]
    """Pre-training without labels, then fine-tuning."""
    temperature: PositiveFloat
    """K, that the configurations were drawn at; forces scale with it."""
    baseline: StageSection = StageSection()
    """Accurate labels alone: checks the temperature, and is kept where it is better."""
    pretrain: StageSection = StageSection()
    """Score matching on the configurations."""
    finetune: StageSection = StageSection()
    """On accurate labels."""
    fine_tune: bool = True
    """False stops after pre-training."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Part of the configurations that validates the pre-training."""


class CokrigingSection(Strict):
    """A surrogate fitted to cheap labels plus a model of the residual (co-kriging)."""

    kind: Literal["cokriging"]
    """Surrogate plus residual."""
    surrogate: ModelSection | None = None
    """Model of the cheap levels, written as a `[model]` section; by default as the residual's."""
    stage: StageSection = StageSection()
    """How the residual is trained where it is a network."""
    surrogate_stage: StageSection = StageSection()
    """How the surrogate is trained where it is a network."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Part of the cheap labels that validates the surrogate."""
    bias_weights: bool = False
    """Weigh cheap frames by their bias."""
    gamma: PositiveFloat = 1.0
    """γ of those weights, in units of the median bias."""

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        _refuse_unused(self, "gamma")
        return self


class DeltaSection(Strict):
    """Δ-learning: accurate − cheap is learnt, and the cheap level computed for whatever is predicted."""

    kind: Literal["delta"]
    """Cheap level plus a learnt correction."""
    stage: StageSection = StageSection()
    """How the correction is trained where it is a network."""


class JointSection(Strict):
    """One network learns all levels at once, each through a head of its own."""

    kind: Literal["joint"]
    """A shared body with a head for each level."""
    stage: StageSection = StageSection()
    """How it is trained."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the accurate level in the loss."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Part of the cheap labels that is not trained on."""
    fine_tune: bool = False
    """Train the accurate head and the body on the accurate labels alone afterwards."""
    finetune: StageSection = StageSection()
    """How, where `fine_tune` says so."""


SURROGATES = ("asteroid", "cokriging", "joint")
"""Recipes that make a model of the cheap level, whose errors can guide picks."""


def _refuse_unused(section: AsteroidSection | CokrigingSection, *keys: str) -> None:
    """Raise where a setting of the bias weights was changed and they are off."""
    changed = [key for key in keys if getattr(section, key) != type(section).model_fields[key].default]
    if changed and not section.bias_weights:
        raise ValueError(
            f"{' and '.join(changed)}: of use with bias_weights = true alone; give both or neither"
        )


RecipeSection = Annotated[
    Annotated[StandardSection, Tag("standard")]
    | Annotated[AsteroidSection, Tag("asteroid")]
    | Annotated[UnlabelledSection, Tag("asteroid-unlabelled")]
    | Annotated[CokrigingSection, Tag("cokriging")]
    | Annotated[DeltaSection, Tag("delta")]
    | Annotated[JointSection, Tag("joint")],
    Discriminator(kind_or_custom),
]

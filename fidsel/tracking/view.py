"""The view of an experiment that MLflow's page opens with: which runs, which charts, in which order.

MLflow's page reads the state of a view from a tag of the experiment when its address names the tag's key. The
page itself writes such tags where a person shares a view; `state` holds what one of these does.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fidsel.tracking.entries import SAVED, SPENT, headline, worst_cluster

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

KEY = "fidsel"
TAG = f"mlflow.sharedViewState.{KEY}"
NOTE = "mlflow.note.content"
SPENT_IN = "fidsel.spent_in"
ARM, STRATEGY, SEED = "arm", "strategy", "seed"
"""Tags of the runs that are compared: those of campaigns and of their control arms."""
COMPARED = f"tags.{ARM} LIKE '%'"
"""Finds these runs, and none of their rounds and stages."""
MOST = 500
"""Runs that are looked at when a view is prepared."""
COLUMNS = ("labels", "saved", "recipe", "picker", SEED)
SECTION = "fidsel"

WORDS = """**What labels bought.** Each line is a campaign, or its *control arm*: the same model on randomly \
drawn accurate labels, at equal spend. Lower is better, further left is cheaper. Spend is in {unit}.

**Several seeds** of a way to pick and train: *Group by: strategy* draws their mean and band, where they \
have spent the same; `fidsel compare` does it for any spend.

The rounds of a campaign and the stages of their trainings are runs too: clear the search to see them. \
The page of a campaign's run says in words what it reached, and has its best model; the artifacts hold the \
report and the learning curve."""


def address(experiment_id: str) -> str:
    """Return the address of the view on a server of MLflow, from the first slash on."""
    query = f"viewStateShareKey={KEY}&compareRunsMode=CHART&workflowType=machine_learning"
    return f"/#/experiments/{experiment_id}/runs?{query}"


def prepare_view(client: "MlflowClient", experiment: "Experiment", unit: str) -> None:
    """Write the view of an experiment and what it shows, in words; what a person wrote there is kept.

    Parameters
    ----------
    unit : of what was spent.
    """
    runs = client.search_runs([experiment.experiment_id], COMPARED, max_results=MOST)
    text = json.dumps(state(runs, unit), ensure_ascii=False)
    if experiment.tags.get(TAG) != text:
        client.set_experiment_tag(experiment.experiment_id, TAG, text)
    if NOTE not in experiment.tags:
        client.set_experiment_tag(experiment.experiment_id, NOTE, WORDS.format(unit=unit))


def state(runs: Sequence["Run"], unit: str) -> dict[str, Any]:
    """Return the state of the view that shows some runs, the one with the lowest error first."""
    names = sorted({name for run in runs for name in run.data.metrics})
    errors = [name for name in map(headline, (True, False)) if name in names]
    worst = [name for name in map(worst_cluster, (True, False)) if name in names]
    saved = [name for name in (SAVED,) if name in names]
    charts = [_chart([name], SPENT, log=True) for name in (*errors, *worst)]
    charts += [_chart([name], SPENT) for name in saved]
    for group, log in (("labels", True), ("seconds", False)):
        if found := [name for name in names if name.startswith(f"{group}/")]:
            charts.append(_chart(found, log=log))
    shown = [chart | {"uuid": f"fidsel-{number}"} for number, chart in enumerate(charts)]
    columns = [f"metrics.`{name}`" for name in (*errors[:1], SPENT)] + [f"tags.`{name}`" for name in COLUMNS]
    return {
        "searchFilter": COMPARED,
        "orderByKey": f"metrics.`{errors[0]}`" if errors else "attributes.start_time",
        "orderByAsc": True,
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": shown,
        "compareRunSections": [_section(f"spent in {unit}")],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _chart(metrics: Sequence[str], against: str = "", *, log: bool = False) -> dict[str, Any]:
    """Return a chart of metrics against another one, or against the number of the round."""
    return {
        "type": "LINE",
        "metricSectionId": SECTION,
        "metricKey": metrics[0],
        "selectedMetricKeys": list(metrics),
        "xAxisKey": "metric" if against else "step",
        "selectedXAxisMetricKey": against,
        "useGlobalXaxisKey": False,
        "scaleType": "log" if log else "linear",
        "xAxisScaleType": "linear",
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        "displayPoints": True,
        "runsCountToCompare": MOST,
        "deleted": False,
        "isGenerated": False,
    }


def _section(name: str) -> dict[str, Any]:
    fixed = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {"uuid": SECTION, "name": name, "columns": 2, "cardHeight": 360} | fixed

"""Real clients: Octokit and Datadog's own Python client work against the sandbox."""

import os
import subprocess
from pathlib import Path

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ForbiddenException
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v1.api.metrics_api import MetricsApi as MetricsV1
from datadog_api_client.v1.model.distribution_point import DistributionPoint
from datadog_api_client.v1.model.distribution_points_payload import DistributionPointsPayload
from datadog_api_client.v1.model.distribution_points_series import DistributionPointsSeries
from datadog_api_client.v1.model.metric_metadata import MetricMetadata
from datadog_api_client.v2.api.metrics_api import MetricsApi as MetricsV2
from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding
from datadog_api_client.v2.model.metric_intake_type import MetricIntakeType
from datadog_api_client.v2.model.metric_payload import MetricPayload
from datadog_api_client.v2.model.metric_point import MetricPoint
from datadog_api_client.v2.model.metric_series import MetricSeries
from datadog_api_client.v2.model.metrics_data_source import MetricsDataSource
from datadog_api_client.v2.model.metrics_timeseries_query import MetricsTimeseriesQuery
from datadog_api_client.v2.model.query_formula import QueryFormula
from datadog_api_client.v2.model.timeseries_formula_query_request import TimeseriesFormulaQueryRequest
from datadog_api_client.v2.model.timeseries_formula_request import TimeseriesFormulaRequest
from datadog_api_client.v2.model.timeseries_formula_request_attributes import TimeseriesFormulaRequestAttributes
from datadog_api_client.v2.model.timeseries_formula_request_queries import TimeseriesFormulaRequestQueries
from datadog_api_client.v2.model.timeseries_formula_request_type import TimeseriesFormulaRequestType

from stage.sandbox import NOW, Sandbox, second
from stage.verdicts import check, main, verdict

SECOND = second(NOW)


def configuration(settings, key=None):
    """Datadog's client, told where the sandbox is."""
    own = Configuration(host=settings["DATADOG_URL"])
    own.api_key["apiKeyAuth"] = key or settings["DD_API_KEY"]
    own.api_key["appKeyAuth"] = settings.get("DD_APP_KEY", "")
    return own


def datadog(settings):
    """Submits and reads back with Datadog's own client."""
    points = [MetricPoint(timestamp=SECOND + step * 900, value=float(step)) for step in (-1, 0)]
    row = MetricSeries(metric="client.level", type=MetricIntakeType.GAUGE, points=points, tags=["repo:acme/web"])
    with ApiClient(configuration(settings)) as client:
        with verdict("validate says that the key is good"):
            assert AuthenticationApi(client).validate().valid
        for encoding in (MetricContentEncoding.GZIP, MetricContentEncoding.DEFLATE):
            with verdict(f"submit_metrics is accepted, packed with {encoding}"):
                answer = MetricsV2(client).submit_metrics(content_encoding=encoding, body=MetricPayload(series=[row]))
                assert answer.errors == [], answer
        with verdict("submit_distribution_points is accepted"):
            own = DistributionPointsSeries(
                metric="client.hours", points=[DistributionPoint([float(SECOND), [1.0, 3.0]])]
            )
            MetricsV1(client).submit_distribution_points(DistributionPointsPayload(series=[own]))
        with verdict("query_metrics gives the points back"):
            answer = MetricsV1(client).query_metrics(SECOND - 3600, SECOND + 60, "avg:client.level{repo:acme/web}")
            found = [point.value[1] for point in answer.series[0].pointlist]
            assert answer.status == "ok" and found == [-1.0, 0.0], answer
        with verdict("query_timeseries_data gives the points back"):
            query = MetricsTimeseriesQuery(data_source=MetricsDataSource.METRICS, query="avg:client.level{*}", name="a")
            attributes = TimeseriesFormulaRequestAttributes(
                _from=(SECOND - 3600) * 1000,
                to=(SECOND + 60) * 1000,
                interval=900_000,
                queries=TimeseriesFormulaRequestQueries([query]),
                formulas=[QueryFormula(formula="a")],
            )
            request = TimeseriesFormulaRequest(
                attributes=attributes, type=TimeseriesFormulaRequestType.TIMESERIES_REQUEST
            )
            answer = MetricsV2(client).query_timeseries_data(body=TimeseriesFormulaQueryRequest(data=request))
            values = [
                value for series in answer.data.attributes.values.value for value in series.value if value is not None
            ]
            assert values == [-1.0, 0.0], answer
        with verdict("update_metric_metadata and get_metric_metadata agree"):
            wanted = MetricMetadata(description="A level.", unit="hour", type="gauge")
            MetricsV1(client).update_metric_metadata("client.level", wanted)
            found = MetricsV1(client).get_metric_metadata("client.level")
            assert (found.description, found.unit, found.type) == ("A level.", "hour", "gauge"), found
    with ApiClient(configuration(settings, "0" * 32)) as client:
        try:
            MetricsV2(client).submit_metrics(body=MetricPayload(series=[row]))
            check("an unknown key is refused", False, "it is not")
        except ForbiddenException as error:
            check("an unknown key is refused", error.status == 403, error)


def part():
    """Runs both clients against one sandbox."""
    with Sandbox("--at", NOW) as sandbox:
        script = Path(__file__).with_name("octokit.cjs")
        code = subprocess.run(
            ["node", str(script)], env={**os.environ, **sandbox.settings}, check=False, timeout=120
        ).returncode
        check("Octokit's script came to its end", code == 0, code)
        datadog(sandbox.settings)


main(part)

"""Metrics that functions write to their logs, and alarms that judge them as CloudWatch does: of both the emulator knows half."""

import json
import time


def metrics_in(line):
    """Points of one log line in the embedded metric format: (namespace, name, dimensions, unit, value, time in seconds)."""
    if '"_aws"' not in line:
        return
    try:
        told = json.loads(line[line.index("{") :])
        meta = told["_aws"]
        at = meta["Timestamp"] / 1000
        for directive in meta["CloudWatchMetrics"]:
            for names in directive.get("Dimensions", []):
                dimensions = {name: str(told[name]) for name in names}
                for metric in directive["Metrics"]:
                    values = told[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        unit = metric.get("Unit", "None")
                        yield directive["Namespace"], metric["Name"], dimensions, unit, float(value), at
    except (ValueError, KeyError, TypeError):
        # CloudWatch leaves out what is no metric, too.
        return


def count_what_logs_say():
    """Functions count in their logs (embedded metric format); without this no metric and no alarm ever sees it."""
    from ministack.services import cloudwatch, lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def emit_and_count(func, request_id, log_text, *positional, **named):
        emit(func, request_id, log_text, *positional, **named)
        found = False
        for line in (log_text or "").splitlines():
            for namespace, name, dimensions, unit, value, at in metrics_in(line):
                key = (namespace, name, cloudwatch._dims_key(dimensions))
                point = {"Timestamp": at, "Value": value, "Unit": unit, "Dimensions": dimensions}
                cloudwatch._metric_bucket(key).append(point)
                found = True
        if found:
            cloudwatch._evaluate_all_alarms()

    lambda_svc._emit_lambda_logs = emit_and_count
    # It copies every series at every request, and loses what is counted meanwhile.
    cloudwatch._evict_old_metrics = lambda: None


def judge_alarms_by_their_dimensions_and_periods():
    """An alarm looked at every series of its metric's name, so that one function's errors were all functions'; it knew one
    period, and stayed in alarm for ever where nothing more was counted. It was judged when somebody put a metric only."""
    from ministack.services import cloudwatch

    def breaches(alarm, points):
        statistics = cloudwatch._calc_stats(points)
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
        value, threshold = cloudwatch._stat_value(statistics, statistic, points), alarm.get("Threshold", 0)
        return value is not None and {
            "GreaterThanOrEqualToThreshold": value >= threshold,
            "GreaterThanThreshold": value > threshold,
            "LessThanThreshold": value < threshold,
            "LessThanOrEqualToThreshold": value <= threshold,
        }[alarm["ComparisonOperator"]]

    def state_of(alarm, now):
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        points = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], dimensions)) or []
        period, periods = alarm.get("Period", 60), alarm.get("EvaluationPeriods", 1)
        judged = []
        for index in range(periods):
            end = now - index * period
            inside = [point for point in points if end - period < point["Timestamp"] <= end]
            judged.append(breaches(alarm, inside) if inside else None)
        missing = alarm.get("TreatMissingData") or "missing"
        if all(one is None for one in judged) and missing in ("missing", "ignore"):
            return "INSUFFICIENT_DATA" if missing == "missing" else alarm["StateValue"]
        bad = sum(one is True or (one is None and missing == "breaching") for one in judged)
        return "ALARM" if bad >= (alarm.get("DatapointsToAlarm") or periods) else "OK"

    def evaluate(alarm):
        if not alarm.get("Namespace") or not alarm.get("MetricName"):
            return
        # Of a clock that is a little ahead, too.
        old, new = alarm["StateValue"], state_of(alarm, time.time() + 1)
        if old == new:
            return
        reason = f"{alarm['MetricName']}: {alarm.get('EvaluationPeriods', 1)} periods were judged"
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    describe = cloudwatch._describe_alarms

    def judge_and_describe(*positional, **named):
        cloudwatch._evaluate_all_alarms()
        return describe(*positional, **named)

    cloudwatch._evaluate_alarm = evaluate
    cloudwatch._describe_alarms = judge_and_describe


def apply_metrics():
    judge_alarms_by_their_dimensions_and_periods()
    count_what_logs_say()

"""Tasks that wait for a token, as AWS has them: a function that throws fails its task at once, and timeouts by path are kept."""

import threading
import time


def end_waiting_tasks():
    """The emulator passes over what the function of a waiting task throws, so that its state waits for nobody; it knows
    neither timeouts by path nor one for missing heartbeats."""
    from ministack.services import stepfunctions

    def fail(error, cause):
        return stepfunctions._ExecutionError(error, cause)

    execute = stepfunctions._execute_task

    def execute_task(state_def, raw_input, execution, ctx):
        resolved = {}
        for name in ("TimeoutSeconds", "HeartbeatSeconds"):
            path = state_def.get(f"{name}Path")
            if path is None:
                continue
            seconds = stepfunctions._resolve_path(path, raw_input)
            if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 1:
                raise fail("States.Runtime", f"{name}Path {path} leads to {seconds!r}, which is no number of seconds")
            resolved[name] = seconds
        return execute({**state_def, **resolved}, raw_input, execution, ctx)

    heartbeat = stepfunctions._send_task_heartbeat

    def send_task_heartbeat(data):
        info = stepfunctions._task_tokens.get(data.get("taskToken"))
        if info is not None:
            info["heard"] = time.monotonic()
        return heartbeat(data)

    invoke = stepfunctions._invoke_with_callback

    def invoke_with_callback(resource, input_data, token, state_def):
        clean = resource.replace(".waitForTaskToken", "")
        reference = input_data.get("FunctionName", "") if isinstance(input_data, dict) else ""
        if not clean.endswith("states:::lambda:invoke") or not reference:
            return invoke(resource, input_data, token, state_def)
        timeout = state_def.get("TimeoutSeconds", 99999)
        quiet = state_def.get("HeartbeatSeconds", timeout)
        began = time.monotonic()
        event = threading.Event()
        info = {"event": event, "result": None, "error": None, "heartbeat": None, "heard": began}
        stepfunctions._task_tokens[token] = info
        try:
            function = stepfunctions._resolve_lambda_function_ref(reference, optimized=True)
            stepfunctions._call_lambda(function, input_data.get("Payload", {}))
            while not event.is_set():
                now = time.monotonic()
                left, patience = began + timeout - now, info["heard"] + quiet - now
                if left <= 0:
                    raise fail("States.Timeout", "")
                if patience <= 0:
                    raise fail("States.HeartbeatTimeout", "")
                event.wait(timeout=min(left, patience))
        finally:
            stepfunctions._task_tokens.pop(token, None)
        if info["error"]:
            raise fail(info["error"].get("Error", "TaskFailed"), info["error"].get("Cause", ""))
        result = info["result"]
        return stepfunctions.json.loads(result) if isinstance(result, str) else result

    stepfunctions._execute_task = execute_task
    stepfunctions._send_task_heartbeat = send_task_heartbeat
    stepfunctions._invoke_with_callback = invoke_with_callback

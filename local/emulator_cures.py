"""What the emulator does otherwise than AWS, put right one by one; each cure says what would go wrong without it."""

import asyncio.base_events
import copy
import json
import queue
import socket
import threading
import time


def send_small_answers_at_once():
    """Accepted sockets carry protocol 0, so asyncio leaves Nagle's algorithm on and a kept-alive request takes 44 ms."""

    def set_nodelay(sock):
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    asyncio.base_events._set_nodelay = set_nodelay


_END_OF_LOG = "\x1eend-of-invocation"
_thrown = threading.local()


def _replace(text, old, new, times):
    if text.count(old) != times:
        raise RuntimeError(f"the emulator's Lambda worker is not the one this cure was written for: {old!r}")
    return text.replace(old, new)


def report_thrown_errors():
    """AWS hands on the name of what a function threw and keeps its environment warm; the emulator calls everything
    Runtime.HandlerError and kills the process. It also waits 50 ms for log lines of a silent call: here the worker
    marks the end of its log instead."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    script = lambda_runtime._NODEJS_WORKER_SCRIPT
    script = _replace(
        script,
        'status: "error", error: String(err.message || err), trace: err.stack || ""',
        'status: "ok", thrown: _thrown(err)',
        1,
    )
    script = _replace(script, 'status: "error", error: e.message, trace: e.stack', 'status: "ok", thrown: _thrown(e)', 1)
    script = _replace(
        script,
        "const _realStdoutWrite = process.stdout.write.bind(process.stdout);",
        f"""
const _writeAnswer = process.stdout.write.bind(process.stdout);
const _realStdoutWrite = (line) => {{
  fs.writeSync(2, {_END_OF_LOG!r} + "\\n");
  return _writeAnswer(line);
}};
const _thrown = (e) => ({{
  name: String((e && e.name) || "Error"),
  message: String(e && e.message !== undefined ? e.message : e),
  trace: String((e && e.stack) || ""),
}});
""",
        1,
    )
    lambda_runtime._NODEJS_WORKER_SCRIPT = script

    def drain(self, first_line_wait=0.05, idle_confirm=0.005, hard_cap=0.25):
        lines = []
        node = str(self.config.get("Runtime", "")).startswith("nodejs")
        deadline = time.monotonic() + (hard_cap if node else first_line_wait)
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._stderr_queue.get(timeout=left)
            except queue.Empty:
                break
            if line.endswith(_END_OF_LOG):
                if line != _END_OF_LOG:
                    lines.append(line[: -len(_END_OF_LOG)])
                if self._stderr_queue.empty():
                    break
                continue
            lines.append(line)
        return "\n".join(lines)

    lambda_runtime.Worker._drain_stderr_bounded = drain

    spawn = lambda_runtime.Worker._spawn

    def spawn_and_explain(self):
        try:
            spawn(self)
        except RuntimeError as error:
            time.sleep(0.05)
            raise RuntimeError(f"{error} {self._drain_stderr()}".strip()) from error

    lambda_runtime.Worker._spawn = spawn_and_explain

    invoke = lambda_runtime.Worker.invoke

    def invoke_and_notice(self, *positional, **named):
        _thrown.error = None
        result = invoke(self, *positional, **named)
        error = result.pop("thrown", None)
        if error is None:
            return result
        _thrown.error = error
        return {**result, "status": "error", "error": error["message"], "trace": error["trace"]}

    lambda_runtime.Worker.invoke = invoke_and_notice

    execute = lambda_svc._execute_function_warm

    def execute_and_name(func, event, request_id):
        _thrown.error = None
        answer = execute(func, event, request_id)
        error, _thrown.error = _thrown.error, None
        if error and answer.get("error") and isinstance(answer.get("body"), dict):
            answer["body"] = {
                "errorType": error["name"],
                "errorMessage": error["message"],
                "trace": error["trace"].split("\n"),
            }
        return answer

    lambda_svc._execute_function_warm = execute_and_name


def run_nothing_of_the_machine():
    """The emulator runs scripts it finds in /docker-entrypoint-initaws.d and talks to docker: neither is ours."""
    from ministack import app

    app._collect_scripts = lambda *folders: []
    app._docker_socket_present = lambda: False
    app._reaper_docker_client = lambda: None
    app._stop_docker_containers = lambda *arguments: None


def update_domain_names():
    """UpdateDomainName is missing, a domain can be made with a truststore that does not exist, and a change of its
    CloudFormation resource makes it anew, which drops the truststore version that an operation has set meanwhile."""
    from ministack.core.responses import get_account_id
    from ministack.services import apigateway_v1, s3
    from ministack.services.cloudformation import provisioners

    def truststore_fault(mutual):
        uri, version = mutual.get("truststoreUri"), mutual.get("truststoreVersion")
        if not uri:
            return "mutual TLS needs a truststore URI"
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        status, _headers, body = s3._get_object(bucket, key, {}, {"versionId": [version]} if version else {})
        if status != 200 or b"-----BEGIN CERTIFICATE-----" not in bytes(body):
            return f"the truststore {uri} version {version or '(latest)'} cannot be read or holds no certificate"
        return None

    create = apigateway_v1._create_domain_name

    def create_domain_name(data):
        mutual = data.get("mutualTlsAuthentication") or {}
        if mutual and (fault := truststore_fault(mutual)):
            return apigateway_v1._v1_error("BadRequestException", fault, 400)
        return create(data)

    def update_domain_name(name, operations):
        domain = apigateway_v1._domain_names.get(name)
        if not domain:
            return apigateway_v1._v1_error("NotFoundException", "Invalid domain name identifier specified", 404)
        changed = apigateway_v1._apply_patch(copy.deepcopy(domain), operations)
        mutual = changed.get("mutualTlsAuthentication") or {}
        if any(o.get("path", "").startswith("/mutualTlsAuthentication") for o in operations):
            if mutual.get("truststoreUri") and (fault := truststore_fault(mutual)):
                return apigateway_v1._v1_error("BadRequestException", fault, 400)
        apigateway_v1._domain_names[name] = changed
        return apigateway_v1._v1_response(changed)

    handle = apigateway_v1.handle_request

    async def handle_request(method, path, headers, body, query_params):
        parts = [part for part in path.strip("/").split("/") if part]
        if method == "PATCH" and len(parts) == 2 and parts[0] == "domainnames":
            operations = (json.loads(body) if body else {}).get("patchOperations") or []
            return update_domain_name(parts[1], operations)
        return await handle(method, path, headers, body, query_params)

    def update_resource(physical_id, old, new, stack_name):
        if old.get("DomainName") != new.get("DomainName"):
            return update_by_replacing(physical_id, old, new, stack_name)
        before = apigateway_v1._domain_names.get(physical_id)
        mappings = apigateway_v1._base_path_mappings.get(physical_id)
        answer = update_by_replacing(physical_id, old, new, stack_name)
        if old.get("MutualTlsAuthentication") == new.get("MutualTlsAuthentication") and before:
            apigateway_v1._domain_names[physical_id]["mutualTlsAuthentication"] = before["mutualTlsAuthentication"]
        if mappings is not None:
            apigateway_v1._base_path_mappings[physical_id] = mappings
        return answer

    apigateway_v1._create_domain_name = create_domain_name
    apigateway_v1.handle_request = handle_request
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::DomainName"]
    update_by_replacing = handlers["update"]
    handlers["update"] = update_resource


def read_streams_side_by_side():
    """One thread serves all event source mappings in turn: a function that waits keeps every other stream waiting, which
    on AWS are read at the same time."""
    from ministack.services import lambda_svc

    all_mappings = lambda_svc._iter_all_esms
    poll = lambda_svc._poll_dynamodb_streams
    own = threading.local()
    woken = {}

    def mappings_of_this_thread():
        only = getattr(own, "mapping", None)
        return (one for one in all_mappings() if only is None or one[2].get("UUID") == only)

    def read_one(mapping, wake):
        own.mapping = mapping
        while any(True for _ in mappings_of_this_thread()):
            wake.wait(5)
            wake.clear()
            try:
                while poll():
                    pass
            except Exception as error:
                lambda_svc.logger.error("ESM DynamoDB streams poller error: %s", error)
        woken.pop(mapping, None)

    def wake_all():
        for _account, _region, mapping in all_mappings():
            if ":dynamodb:" not in mapping.get("EventSourceArn", ""):
                continue
            name = mapping["UUID"]
            if name not in woken:
                woken[name] = threading.Event()
                threading.Thread(target=read_one, args=(name, woken[name]), daemon=True, name=f"stream-{name}").start()
            woken[name].set()
        return False

    lambda_svc._iter_all_esms = mappings_of_this_thread
    lambda_svc._poll_dynamodb_streams = wake_all


def lock_objects_of_stacks():
    """CloudFormation makes a bucket without its Object Lock, so that everything in it could be taken away."""
    from ministack.services import s3
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create = handlers["create"]

    def create_and_lock(logical_id, props, stack_name):
        physical_id, attributes = create(logical_id, props, stack_name)
        if str(props.get("ObjectLockEnabled", "")).lower() == "true":
            given = props.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention") or {}
            retention = {unit: int(given[unit]) for unit in ("Days", "Years") if unit in given}
            s3._bucket_object_lock[physical_id] = {
                "enabled": True,
                "default_retention": {"Mode": given["Mode"], **retention} if retention else None,
            }
        return physical_id, attributes

    handlers["create"] = create_and_lock


def apply_cures():
    from emulator_callbacks import end_waiting_tasks
    from emulator_metrics import apply_metrics

    send_small_answers_at_once()
    run_nothing_of_the_machine()
    report_thrown_errors()
    update_domain_names()
    read_streams_side_by_side()
    lock_objects_of_stacks()
    end_waiting_tasks()
    apply_metrics()

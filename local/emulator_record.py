"""Records what functions and state machines ask of AWS, as IAM would see it: actions, resources and condition keys.

A function is known by its session token `fn:<name>`, which the `node` in front of the real one sets. Values that IAM
does not look at, secrets among them, are never written.
"""

import contextvars
import json
import os
import re
import threading
import time

_PREFIX = "fn:"
_NAME = re.compile(r"[#A-Za-z_][A-Za-z0-9_.\-\[\]#]*|:[A-Za-z0-9_]+")
_WORDS = {"set", "remove", "add", "delete", "and", "or", "not", "between", "in", "size", "contains", "begins_with"}
_WORDS |= {"attribute_exists", "attribute_not_exists", "attribute_type", "if_not_exists", "list_append"}
_EXPRESSIONS = ("ProjectionExpression", "UpdateExpression", "ConditionExpression", "FilterExpression", "KeyConditionExpression")
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}


def _attributes(request):
    """The top-level attributes that a request names, in expressions, keys and items."""
    names = request.get("ExpressionAttributeNames") or {}
    found = set(request.get("Key") or {}) | set(request.get("Item") or {})
    for part in _EXPRESSIONS:
        for token in _NAME.findall(request.get(part) or ""):
            head = re.split(r"[.\[]", token)[0]
            if not head.startswith(":") and head.lower() not in _WORDS:
                found.add(names.get(head, head))
    return sorted(found)


def _hash_key(table, index):
    from ministack.services import dynamodb

    described = dynamodb._tables.get(table) or {}
    if index:
        indexes = [*described.get("GlobalSecondaryIndexes", []), *described.get("LocalSecondaryIndexes", [])]
        described = next((i for i in indexes if i.get("IndexName") == index), {})
    return next((k["AttributeName"] for k in described.get("KeySchema", []) if k.get("KeyType") == "HASH"), None)


def _plain(value):
    return str(next(iter(value.values()), "")) if isinstance(value, dict) else str(value)


def _leading_keys(table, request):
    """Values of the partition key, as the condition key dynamodb:LeadingKeys carries them."""
    hash_key = _hash_key(table, request.get("IndexName"))
    keys = request.get("Keys") or [request[part] for part in ("Key", "Item") if isinstance(request.get(part), dict)]
    found = [_plain(key[hash_key]) for key in keys if hash_key in key]
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    for left, right in re.findall(r"([#A-Za-z_][\w.\-]*)\s*=\s*(:\w+)", request.get("KeyConditionExpression") or ""):
        if names.get(left, left) == hash_key and right in values:
            found.append(_plain(values[right]))
    return found


def _dynamodb_check(action, table, request, region, account, enclosing=None):
    table = table.rsplit("table/", 1)[-1]
    index = request.get("IndexName")
    resource = f"arn:aws:dynamodb:{region}:{account}:table/{table}" + (f"/index/{index}" if index else "")
    attributes = _attributes(request)
    context = {"dynamodb:LeadingKeys": _leading_keys(table, request), "dynamodb:Attributes": attributes}
    if action in ("Query", "Scan", "GetItem", "BatchGetItem"):
        named = request.get("Select") or ("SPECIFIC_ATTRIBUTES" if request.get("ProjectionExpression") else "ALL_ATTRIBUTES")
        context["dynamodb:Select"] = [named]
    if request.get("ReturnValues"):
        context["dynamodb:ReturnValues"] = [request["ReturnValues"]]
    if enclosing:
        context["dynamodb:EnclosingOperation"] = [enclosing]
    return {"action": f"dynamodb:{action}", "resource": resource, "context": {k: v for k, v in context.items() if v}}


def _dynamodb(action, request, region, account):
    if action in ("BatchGetItem", "BatchWriteItem"):
        checks = []
        for table, wanted in (request.get("RequestItems") or {}).items():
            if action == "BatchGetItem":
                checks.append(_dynamodb_check(action, table, wanted, region, account))
                continue
            for write in wanted:
                part = write.get("PutRequest") or write.get("DeleteRequest") or {}
                checks.append(_dynamodb_check(action, table, part, region, account))
        return checks
    if action in ("TransactWriteItems", "TransactGetItems"):
        return [
            _dynamodb_check(_TRANSACTED[kind], part["TableName"], part, region, account, enclosing=action)
            for item in request.get("TransactItems") or []
            for kind, part in item.items()
        ]
    return [_dynamodb_check(action, request.get("TableName", "*"), request, region, account)]


def _kms(action, request, region, account):
    from ministack.services import kms

    named = request.get("KeyId", "")
    key = kms._resolve_key(named) or {}
    context = {}
    for field in ("SigningAlgorithm", "MessageType", "MacAlgorithm"):
        if field in request:
            context[f"kms:{field}"] = [request[field]]
    if "alias/" in named:
        context["kms:RequestAlias"] = [named[named.index("alias/") :]]
    resource = key.get("Arn") or (named if named.startswith("arn:") else f"arn:aws:kms:{region}:{account}:key/{named}")
    return [{"action": f"kms:{action}", "resource": resource, "context": context}]


def _ssm(action, request, region, account):
    names = request.get("Names") or [request[field] for field in ("Name", "Path") if field in request]
    named = [f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}" for name in names] or ["*"]
    return [{"action": f"ssm:{action}", "resource": resource, "context": {}} for resource in named]


_JSON = {"dynamodb": _dynamodb, "kms": _kms, "ssm": _ssm}


def checks_of(service, method, path, headers, body, query, region, account):
    """The IAM checks that AWS would make for one request."""
    from ministack.core import iam_actions

    if service in _JSON:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        return _JSON[service](action, json.loads(body or b"{}"), region, account)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    if service == "s3" and method == "POST" and "delete" in query:
        # Several objects at once: the first stands here, the others among the additional checks.
        (_, version), *_ = iam_actions._s3_batch_delete_targets(path.split("/")[1], body)
        action = "s3:DeleteObjectVersion" if version else "s3:DeleteObject"
    resource = iam_actions.extract_resource_arn(service, method, path, headers, body, query, region, account)
    checks = [{"action": action or f"{service}:unknown", "resource": resource, "context": {}}]
    if service == "s3":
        for condition, value in iam_actions.s3_service_context(action or "", query, path, headers).items():
            checks[0]["context"][condition] = [str(value)]
        more = iam_actions.s3_additional_checks(method, path, headers, body, query)
        checks += [{"action": extra, "resource": arn, "context": {}} for extra, arn in more]
    if service == "apigateway":
        checks += _domain_trust(method, resource, body)
    return checks


def _domain_trust(method, resource, body):
    """Two more permissions for whoever changes what a domain trusts, on the domain or on all of them: AWS's service
    authorization reference names both kinds of resource and does not say which is asked."""
    if method != "PATCH" or not re.search(r"::/domainnames/[^/]+$", resource):
        return []
    patches = json.loads(body or b"{}").get("patchOperations") or []
    if not any(patch.get("path", "").startswith("/mutualTlsAuthentication") for patch in patches):
        return []
    return [
        {"action": f"apigateway:{action}", "resource": named, "context": {}}
        for action in ("AddCertificateToDomain", "RemoveCertificateFromDomain")
        for named in (resource, resource.rpartition("/")[0])
    ]


def record_to(file):
    """Wraps the place that each signed request passes, and the one through which state machines call."""
    from ministack import app
    from ministack.core.responses import get_account_id
    from ministack.core.router import detect_service, extract_region

    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    writing = threading.Lock()

    def write(who, service, checks):
        line = json.dumps({"time": int(time.time() * 1000), **who, "service": service, "checks": checks}) + "\n"
        with writing:
            os.write(descriptor, line.encode())

    serve = app._handle_special_data_plane_request

    async def record_and_serve(method, path, headers, body, query_params, request_id, **named):
        token = headers.get("x-amz-security-token") or (query_params.get("X-Amz-Security-Token") or [""])[0]
        if token.startswith(_PREFIX):
            who = {"function": token[len(_PREFIX) :]}
            try:
                params = app._routing_params(method, path, headers, body, query_params)
                service = detect_service(method, path, headers, params)
                region = extract_region(headers, query_params)
                write(who, service, checks_of(service, method, path, headers, body, params, region, get_account_id()))
            except Exception as error:  # a request that cannot be read as IAM would must show up, not vanish
                write(who, "unknown", [{"action": f"unreadable:{type(error).__name__}", "resource": path, "context": {}}])
        return await serve(method, path, headers, body, query_params, request_id, **named)

    app._handle_special_data_plane_request = record_and_serve
    _record_state_machines(write)
    _record_deliveries(write)


def _record_deliveries(write):
    """What Lambda itself asks for in a function's name: to read the streams that it serves, to send away what it cannot take."""
    from ministack.services import lambda_svc

    execute = lambda_svc._execute_function
    give_up_batch, give_up_event = lambda_svc._send_ddb_stream_failure_record, lambda_svc._route_async_failure

    def name_of(func):
        return (func.get("config") or func).get("FunctionName", "unknown")

    def execute_function(func, event):
        records = event.get("Records") if isinstance(event, dict) else None
        sources = {r.get("eventSourceARN") for r in records or [] if isinstance(r, dict) and r.get("eventSource") == "aws:dynamodb"}
        for stream in sorted(filter(None, sources)):
            reading = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
            checks = [{"action": f"dynamodb:{action}", "resource": stream, "context": {}} for action in reading]
            write({"function": name_of(func)}, "dynamodb", checks)
        return execute(func, event)

    def record_sending(name, target):
        service = str(target).split(":")[2] if str(target).count(":") > 4 else "unknown"
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}.get(service, "unknown:Send")
        write({"function": name}, service, [{"action": action, "resource": target, "context": {}}])

    def send_failure_record(esm, func_rec, *positional):
        target = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        if target:
            record_sending(name_of(func_rec), target)
        return give_up_batch(esm, func_rec, *positional)

    def route_failure(target_arn, func_name, *positional):
        record_sending(func_name, target_arn)
        return give_up_event(target_arn, func_name, *positional)

    lambda_svc._execute_function = execute_function
    lambda_svc._send_ddb_stream_failure_record = send_failure_record
    lambda_svc._route_async_failure = route_failure


def _record_state_machines(write):
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import stepfunctions

    running = contextvars.ContextVar("running", default="")
    execute, invoke = stepfunctions._execute_task, stepfunctions._invoke_resource

    def execute_task(state_def, raw_input, execution, ctx):
        running.set((execution or {}).get("stateMachineArn", ""))
        return execute(state_def, raw_input, execution, ctx)

    def invoke_resource(resource, input_data):
        given = input_data if isinstance(input_data, dict) else {}
        parts = resource.split(".")[0].split(":")
        name = "unknown" if len(parts) < 3 else parts[2]
        if name == "states" and len(parts) > 6:
            service, action = (parts[6], parts[7]) if parts[5] == "aws-sdk" else (parts[5], parts[6])
            action = action[:1].upper() + action[1:]
        else:
            service, action = name, "Invoke"
        if service == "lambda":
            target = resource if name == "lambda" else str(given.get("FunctionName", "*"))
            checks = [{"action": "lambda:InvokeFunction", "resource": target, "context": {}}]
        elif service in _JSON:
            checks = _JSON[service](action, given, get_region(), get_account_id())
        else:
            checks = [{"action": f"{service}:{action}", "resource": "*", "context": {}}]
        write({"state_machine": running.get()}, service, checks)
        return invoke(resource, input_data)

    stepfunctions._execute_task = execute_task
    stepfunctions._invoke_resource = invoke_resource

/** What API Gateway itself answers: a denial with the gate's reason, and 503 whenever the gate could not decide. */
import { ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway';

const unavailable = {
  statusCode: '503',
  responseHeaders: { 'Retry-After': "'2'" },
  templates: { 'application/json': '{"message": "authentication unavailable"}' },
};

/** Whatever else API Gateway answers, with the status that it has: the message arrives as a JSON string. */
const problem = {
  responseHeaders: { 'Content-Type': "'application/problem+json'" },
  templates: { 'application/json': '{"type": "about:blank", "title": $context.error.messageString}' },
};

/** Added to an API so that a change of one of them makes a new deployment, without which it would stay unseen. */
export function addGatewayResponses(api: RestApi): void {
  // The gate hands the reason over as a JSON string, quotes included: these templates substitute raw text.
  api.addGatewayResponse('AccessDenied', {
    type: ResponseType.ACCESS_DENIED,
    statusCode: '401',
    templates: { 'application/json': '{"message": $context.authorizer.reason}' },
  });
  api.addGatewayResponse('AuthorizerFailure', { type: ResponseType.AUTHORIZER_FAILURE, ...unavailable });
  // A throttled authorizer ends here.
  api.addGatewayResponse('AuthorizerConfigurationError', {
    type: ResponseType.AUTHORIZER_CONFIGURATION_ERROR,
    ...unavailable,
  });
  // The gate never answers without a reason; a 401 that has none would make clients throw their identity away.
  api.addGatewayResponse('Unauthorized', { type: ResponseType.UNAUTHORIZED, ...unavailable });
  api.addGatewayResponse('Default4xx', { type: ResponseType.DEFAULT_4XX, ...problem });
  api.addGatewayResponse('Default5xx', { type: ResponseType.DEFAULT_5XX, ...problem });
}

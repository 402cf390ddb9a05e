/**
 * Every error the product raises on purpose. State machines catch by `name`; the HTTP edge turns each into one
 * problem document; the command line into an exit code. What is not one of these is a defect.
 */

/** `field` names the part of the request that led to it, where one did. */
export abstract class EverleafError extends Error {
  abstract override readonly name: string;
  constructor(
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** The request is wrong and stays wrong. `field` names the part of it to change. HTTP 400, exit code 2. */
export class InvalidInput extends EverleafError {
  override readonly name = 'InvalidInput';
  constructor(
    override readonly field: string,
    message: string,
  ) {
    super(message, field);
  }
}

/** The caller's role does not reach this. HTTP 403. */
export class NotAllowed extends EverleafError {
  override readonly name = 'NotAllowed';
}

/** There is no such thing. HTTP 404. */
export class NotFound extends EverleafError {
  override readonly name = 'NotFound';
}

/** The thing is not in a state that allows this. The message says what to do instead. HTTP 409. */
export class Conflict extends EverleafError {
  override readonly name = 'Conflict';
}

/** A change was sent as something other than JSON. HTTP 415. */
export class UnsupportedMediaType extends EverleafError {
  override readonly name = 'UnsupportedMediaType';
}

/** Something underneath cannot answer now; the same request may be repeated. HTTP 503. */
export class Unavailable extends EverleafError {
  override readonly name = 'Unavailable';
}

/** Another holder has the lease on this thing, or this holder's time is over. HTTP 409. */
export class LeaseHeld extends EverleafError {
  override readonly name = 'LeaseHeld';
}

/** A server does not serve, or not yet, what was deployed to it. Looking again may help. HTTP 502. */
export class NotServed extends EverleafError {
  override readonly name = 'NotServed';
}

/** Every kind with its HTTP status and title. */
export const errorKinds = [
  { name: 'InvalidInput', kind: InvalidInput, status: 400, title: 'Bad Request' },
  { name: 'NotAllowed', kind: NotAllowed, status: 403, title: 'Forbidden' },
  { name: 'NotFound', kind: NotFound, status: 404, title: 'Not Found' },
  { name: 'Conflict', kind: Conflict, status: 409, title: 'Conflict' },
  { name: 'LeaseHeld', kind: LeaseHeld, status: 409, title: 'Conflict' },
  { name: 'UnsupportedMediaType', kind: UnsupportedMediaType, status: 415, title: 'Unsupported Media Type' },
  { name: 'NotServed', kind: NotServed, status: 502, title: 'Bad Gateway' },
  { name: 'Unavailable', kind: Unavailable, status: 503, title: 'Service Unavailable' },
] as const;

/**
 * What a caller is told when a request is refused: RFC 9457 problem details. `code` is stable and meant for programs,
 * `type` is the same code as a URN, `detail` is for people and may change.
 */

/** Every code, its HTTP status and its title. */
export const PROBLEMS = {
  json_invalid: [400, 'The body is not JSON'],
  body_incomplete: [400, 'The body ended early'],
  idempotency_key_invalid: [400, 'An Idempotency-Key header of 16 to 128 visible ASCII characters is needed'],
  webhook_not_authentic: [401, 'The webhook is not authentic'],
  attempt_call_not_authentic: [401, 'The call is not signed by a known attempt'],
  key_not_valid: [401, 'A valid API key is needed'],
  form_not_ours: [403, 'The form was not sent by our own page, or its session has ended'],
  role_not_allowed: [403, 'The role of this API key does not allow it'],
  not_found: [404, 'There is nothing here'],
  attempt_unknown: [404, 'There is no such attempt of this job'],
  engine_unknown: [404, 'There is no such engine'],
  job_unknown: [404, 'There is no such job'],
  inbox_item_unknown: [404, 'There is no such thing in the inbox'],
  shop_event_unknown: [404, 'There is no such event'],
  course_unknown: [404, 'There is no such course'],
  order_unknown: [404, 'There is no such order'],
  method_not_allowed: [405, 'The method is not allowed here'],
  course_not_orderable: [409, 'The course cannot be ordered'],
  event_waits_already: [409, 'The event waits to be sent already'],
  decided_before: [409, 'It was decided before'],
  decision_not_possible: [409, 'This cannot be decided so'],
  amount_changed: [409, 'By now another amount waits there'],
  job_not_cancellable: [409, 'The job is being delivered or has ended, and cannot be cancelled'],
  job_not_dead: [409, 'The job is not in the dead letter'],
  job_still_running: [409, 'The last container of the job has not ended yet'],
  job_not_paid: [409, 'What was paid for the job has been given back'],
  job_not_queued: [409, 'The job has no place in the queue any more'],
  order_not_cancellable: [409, 'The order is paid, in part at least, and cannot be cancelled'],
  attempt_not_current: [409, 'The attempt is not the current one of its job'],
  replay: [409, 'The webhook id was used for another call'],
  body_too_large: [413, 'The body is too large'],
  media_type_unsupported: [415, 'The body must be application/json'],
  form_needed: [415, 'The body must be application/x-www-form-urlencoded'],
  request_invalid: [422, 'Some fields are not acceptable'],
  cursor_invalid: [422, 'The cursor is not one of ours'],
  idempotency_key_reused: [422, 'The Idempotency-Key was used for another request'],
  manifest_invalid: [422, 'The manifest is not acceptable'],
  rate_limited: [429, 'Too many requests'],
  too_many_follows: [429, 'This key follows too many logs already'],
  internal: [500, 'Something went wrong here'],
  too_many_listeners: [503, 'Too many listen already'],
  not_ready: [503, 'Not ready'],
  token_not_ready: [503, 'The token is not made yet'],
  attempt_not_running_yet: [503, 'The attempt is not recorded as running yet'],
} as const satisfies Record<string, readonly [number, string]>;
export type ProblemCode = keyof typeof PROBLEMS;
export type FieldError = { field: string; message: string };

/** A caller's mistake, or our own temporary inability. Thrown anywhere below a route; answered by answer-problems.ts. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[] | undefined;
  /** Sent along, such as Retry-After. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    detail?: string,
    more: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail ?? PROBLEMS[code][1]);
    this.code = code;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }
}

export const statusOf = (code: ProblemCode): number => PROBLEMS[code][0];

/** The body of `application/problem+json`. */
export const problemBody = (problem: Problem): Record<string, unknown> => ({
  type: `urn:lading:problem:${problem.code}`,
  title: PROBLEMS[problem.code][1],
  status: statusOf(problem.code),
  code: problem.code,
  detail: problem.message,
  ...(problem.errors && { errors: problem.errors }),
});

const FIELD_ERRORS_MAX = 20;

/** zod's issues, as many as a reader can use. */
export const fieldErrors = (
  issues: readonly { path: readonly PropertyKey[]; message: string }[],
): readonly FieldError[] =>
  issues.slice(0, FIELD_ERRORS_MAX).map((issue) => ({
    field: issue.path.map(String).join('.'),
    message: issue.message,
  }));

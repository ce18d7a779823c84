/**
 * Whether a policy set may ever decide: everything that Cedar can say about it before the first request. `checkPolicySet`
 * is asked when a block that carries a set is *prepared*; its answer is a pure function of the document and of what the ruleset asks.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { codeOf, WeftError } from '../codec/error.ts';
import { byteLength, digestPolicySet } from './document.ts';
import { createPolicyEngine } from './engine.ts';
import { type CedarInstance, failureOf, openInstance } from './instance.ts';
import { POLICY_LIMITS } from './limits.ts';
import { measureSchema } from './schemaSize.ts';
import type { PolicySetDocument, PolicySetVerdict, SampleQuestion } from './types.ts';

export type { PolicySetVerdict };

/** What a worker thread is given, and what it answers. */
export type CheckJob = {
  readonly document: PolicySetDocument;
  readonly questions: readonly SampleQuestion[];
  /** Of whoever waits on the spot: where the answer goes, and what wakes him. */
  readonly waiting?: { readonly port: MessagePort; readonly flag: Int32Array };
};
export type CheckAnswer = { readonly verdict: PolicySetVerdict } | { readonly failed: string };

/**
 * Checks in a worker thread that is thrown away: the node goes on while Cedar works, and the host's stack is of one
 * size whoever asks. No time limit decides; `POLICY_LIMITS` bound the work.
 *
 * `questions`: what the ruleset asks. A set whose schema does not fit one of them is refused, and one that denies what must be
 * allowed.
 *
 * Codes of a refusal: those of `checkDocument`, POLICY_SCHEMA_INVALID, POLICY_SCHEMA_TOO_LARGE, POLICY_TEXT_INVALID,
 * POLICY_NOT_ONE_STATIC, POLICY_ID_MISMATCH, POLICY_SET_UNSOUND, POLICY_SET_COSTLY, POLICY_SET_TRAPPED, POLICY_SCHEMA_UNFIT,
 * POLICY_LOCKS_OUT.
 * Only the code is the same text for ever; the message may quote Cedar and never enters state or log.
 * @throws POLICY_HOST_FAILED (rejection): this machine could not answer; that is no answer about the set
 */
export function checkPolicySet(
  document: PolicySetDocument,
  questions: readonly SampleQuestion[] = [],
): Promise<PolicySetVerdict> {
  return new Promise((resolve, reject) => {
    const worker = startWorker({ document, questions });
    let answered = false;
    worker.once('message', (answer: CheckAnswer) => {
      answered = true;
      if ('verdict' in answer) resolve(answer.verdict);
      else reject(hostFailed(answer.failed));
    });
    worker.once('error', (error) => reject(hostFailed(String(error))));
    worker.once('exit', (code) => {
      if (!answered) reject(hostFailed(`the worker ended with ${code} and without an answer`));
    });
  });
}

/** So long a thread is waited for that may have died: above all that `POLICY_LIMITS` let it do. It decides about no set. */
const waitMs = 120_000;

/**
 * The same for whoever cannot wait otherwise: holds up the calling thread, and all that runs on it, until the worker has answered.
 * @throws POLICY_HOST_FAILED
 */
export function checkPolicySetNow(
  document: PolicySetDocument,
  questions: readonly SampleQuestion[] = [],
): PolicySetVerdict {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const worker = startWorker({ document, questions, waiting: { port: port2, flag } });
  // Its end is nobody's matter any more; without a listener an error of the thread would be one of the process.
  worker.once('error', () => undefined);
  try {
    Atomics.wait(flag, 0, 0, waitMs);
    const answer = receiveMessageOnPort(port1)?.message as CheckAnswer | undefined;
    if (answer === undefined) throw hostFailed('the worker gave no answer');
    if ('verdict' in answer) return answer.verdict;
    throw hostFailed(answer.failed);
  } finally {
    port1.close();
    void worker.terminate();
  }
}

function startWorker(job: CheckJob): Worker {
  const file = import.meta.url.endsWith('.ts') ? './checkWorker.ts' : './checkWorker.js';
  return new Worker(new URL(file, import.meta.url), {
    workerData: job,
    transferList: job.waiting === undefined ? [] : [job.waiting.port],
    execArgv: [],
    resourceLimits: { stackSizeMb: 4 },
  });
}

/**
 * The same check on the calling thread, in an instance of its own.
 * @throws POLICY_HOST_FAILED
 */
export function checkPolicySetHere(
  document: PolicySetDocument,
  questions: readonly SampleQuestion[] = [],
): PolicySetVerdict {
  try {
    const digest = digestPolicySet(document);
    const instance = open();
    try {
      askCedar(document, instance);
    } catch (error) {
      if (error instanceof WeftError) throw error;
      if (failureOf(error, instance) === 'host') throw hostFailed(String(error));
      throw new WeftError('POLICY_SET_TRAPPED', 'Cedar breaks on this set; simplify it');
    }
    if (questions.length > 0) askQuestions(document, questions);
    return { ok: true, digest };
  } catch (error) {
    if (
      !(error instanceof WeftError) ||
      error.code === 'POLICY_HOST_FAILED' ||
      error.code === 'POLICY_ENGINE_MISMATCH'
    ) {
      throw error;
    }
    return { ok: false, code: codeOf(error), message: error.message };
  }
}

/** As a node would ask them, once the set is in force. @throws POLICY_SCHEMA_UNFIT, POLICY_LOCKS_OUT, and as the engine does */
function askQuestions(document: PolicySetDocument, questions: readonly SampleQuestion[]): void {
  const engine = createPolicyEngine(document, { cacheEntriesMax: 0 });
  for (const { request, mustAllow } of questions) {
    const { decision, reasons, errors } = engine.decide(request);
    const { action, resource } = request;
    // No policy erred, so it was the request: the schema lacks the action, or has it about something else.
    if (errors && reasons.length === 0) {
      const context = Object.keys(request.context).sort().join(', ');
      refuse(
        'POLICY_SCHEMA_UNFIT',
        `the schema does not fit what the ledger asks: action "${action}" with principal Account, resource ${resource.type}, context {${context}}; take the declaration from genesis/policy/default.cedarschema of this version`,
      );
    }
    if (mustAllow && decision !== 'allow') {
      const by = reasons.length === 0 ? 'no policy permits it' : `denied by ${reasons.join(', ')}`;
      refuse(
        'POLICY_LOCKS_OUT',
        `a member of the council could not do ${action}, so nobody could ever change this set: ${by}`,
      );
    }
  }
}

function open(): CedarInstance {
  try {
    return openInstance();
  } catch (error) {
    throw error instanceof WeftError ? error : hostFailed(String(error));
  }
}

function askCedar(document: PolicySetDocument, { calls }: CedarInstance): void {
  const { schema, policies } = document;
  // Names are resolved here but declared types are not written out yet: the step that is exponential comes after.
  const resolved = calls.schemaToJsonWithResolvedTypes(schema);
  if (resolved.type !== 'success') refuse('POLICY_SCHEMA_INVALID', `the schema: ${first(resolved.errors)}`);
  const { environments } = measureSchema(resolved.json);
  const bytes = policies.reduce((sum, policy) => sum + byteLength(policy.text), 0);
  if (bytes * environments > POLICY_LIMITS.validationWorkMax) {
    refuse(
      'POLICY_SET_COSTLY',
      `${bytes} bytes of policies times ${environments} environments is too much to validate`,
    );
  }
  const prepared = calls.preparseSchema('check', schema);
  if (prepared.type !== 'success') refuse('POLICY_SCHEMA_INVALID', `the schema: ${first(prepared.errors)}`);
  for (const { id, text } of policies) {
    const parts = calls.policySetTextToParts(text);
    if (parts.type !== 'success') refuse('POLICY_TEXT_INVALID', `policy ${id}: ${first(parts.errors)}`);
    if (parts.policies.length !== 1 || parts.policy_templates.length !== 0) {
      refuse('POLICY_NOT_ONE_STATIC', `policy ${id} is not exactly one policy without slots`);
    }
    const json = calls.policyToJson(text);
    if (json.type !== 'success') refuse('POLICY_TEXT_INVALID', `policy ${id}: ${first(json.errors)}`);
    const named = json.json.annotations?.['id'];
    if (named !== undefined && named !== id) {
      refuse('POLICY_ID_MISMATCH', `policy ${id} calls itself ${named}: @id must say the id that records will show`);
    }
  }
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const answer = calls.validate({
    schema,
    policies: { staticPolicies },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type !== 'success') refuse('POLICY_TEXT_INVALID', first(answer.errors));
  // `validate` reports in the order of a hash map: name the smallest, so that the message is the same everywhere too.
  const errors = answer.validationErrors.map(({ policyId, error }) => `policy ${policyId}: ${error.message}`).sort();
  if (errors[0] !== undefined) refuse('POLICY_SET_UNSOUND', errors[0]);
  // Last, what every engine does with it first: a set that passes here is never one that a node then cannot load.
  const loaded = calls.preparsePolicySet('check', { staticPolicies });
  if (loaded.type !== 'success') refuse('POLICY_TEXT_INVALID', first(loaded.errors));
}

function first(errors: readonly { readonly message: string }[]): string {
  return errors[0]?.message ?? 'refused without a reason';
}

function refuse(code: string, message: string): never {
  throw new WeftError(code, message.slice(0, 1000));
}

function hostFailed(cause: string): WeftError {
  return new WeftError(
    'POLICY_HOST_FAILED',
    `this machine could not check a policy set (${cause.slice(0, 200)}): give the process more memory and restart it`,
  );
}

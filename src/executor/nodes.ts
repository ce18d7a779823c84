import { connect, type TlsOptions } from '../client/index.ts';
import { WeftError } from '../codec/error.ts';

/** Which token is wanted: a grant by its intent, or a record by its transaction or its place in the log. */
export type Wanted = { readonly intent: string } | { readonly tx: string } | { readonly index: number };

/** One node, as an executor uses it. Whatever it says is a hint until a token or a status proves it. */
export type LedgerNode = {
  readonly name: string;
  token(wanted: Wanted, timeoutMs: number): Promise<string>;
  /** A `weft-status/v1` document. */
  status(grant: string): Promise<string>;
  /** Resolves when the node says that it is in a finalized block and was not refused. @throws WeftError the refusal's code */
  submit(envelope: string, timeoutMs: number): Promise<void>;
  /** A `weft-walk/v1` document, from the validators of this epoch to the present ones. */
  walk(epoch: number): Promise<string>;
  close(): void;
};

/** @throws WeftError RPC_URL_INVALID */
export function rpcNode(url: string, tls: TlsOptions = {}): LedgerNode {
  const client = connect({ rpc: url, tls });
  return {
    name: url,
    token: (wanted, timeoutMs) => client.fetchToken(wanted, { timeoutMs }),
    status: (grant) => client.fetchStatus(grant),
    walk: (epoch) => client.fetchWalk(epoch),
    submit: async (envelope, timeoutMs) => {
      await client.submitAndWait(envelope, { timeoutMs });
    },
    close: () => client.close(),
  };
}

/** Codes of what is verified here. A node that says one of them tells what it thinks, and has proven nothing. */
const verdicts = /^(STATUS|TOKEN|CONSUMED|TRUST|WALK|EXECUTOR)_/;

/** The same node, whose refusals cannot be taken for what this executor found out itself. */
export function asHearsay(node: LedgerNode): LedgerNode {
  const hear = <T>(said: Promise<T>): Promise<T> =>
    said.catch((error: unknown) => {
      if (!(error instanceof WeftError) || !verdicts.test(error.code)) throw error;
      throw new WeftError(
        'RPC_ANSWER_INVALID',
        `${node.name} refused with ${error.code} and no proof: ${error.message}`,
      );
    });
  return {
    name: node.name,
    token: (wanted, timeoutMs) => hear(node.token(wanted, timeoutMs)),
    status: (grant) => hear(node.status(grant)),
    walk: (epoch) => hear(node.walk(epoch)),
    submit: (envelope, timeoutMs) => hear(node.submit(envelope, timeoutMs)),
    close: () => node.close(),
  };
}

/** So long a node may think before the next is asked as well. */
const patienceMs = 300;
/** Who was silent for so long is asked last for a while: a thousand questions must not each wait for the same dead node. */
const lastForMs = 10_000;
const silentUntilMs = new WeakMap<LedgerNode, number>();

/** Those that answered last time first, else as they stand. */
function inOrder(nodes: readonly LedgerNode[]): readonly LedgerNode[] {
  const now = performance.now();
  const isLast = (node: LedgerNode): boolean => (silentUntilMs.get(node) ?? 0) > now;
  return [...nodes.filter((node) => !isLast(node)), ...nodes.filter(isLast)];
}

/**
 * Asks one node after the other until one gives what holds: `ask` verifies before it returns. One that does not answer holds nobody up for
 * long: the next is asked beside it. `final`: a refusal that was proven, for which no other node is asked.
 * @throws WeftError the most telling refusal
 */
export function firstThatHolds<T>(
  nodes: readonly LedgerNode[],
  ask: (node: LedgerNode) => Promise<T>,
  final: (error: unknown) => boolean = () => false,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const failures: unknown[] = [];
  const order = inOrder(nodes);
  let [asked, isOver] = [0, false];
  let timer: NodeJS.Timeout | undefined;
  const end = (tell: () => void): void => {
    isOver = true;
    clearTimeout(timer);
    tell();
  };
  const next = (): void => {
    clearTimeout(timer);
    const node = order[asked];
    if (isOver) return;
    if (node === undefined) {
      if (failures.length === order.length) end(() => reject(mostTelling(failures)));
      return;
    }
    asked += 1;
    timer = setTimeout(() => {
      silentUntilMs.set(node, performance.now() + lastForMs);
      next();
    }, patienceMs);
    ask(node).then(
      (answer) => end(() => resolve(answer)),
      (error: unknown) => {
        if (final(error)) return end(() => reject(error));
        failures.push(error);
        next();
      },
    );
  };
  next();
  return promise;
}

/**
 * Asks all nodes at once. A refusal that is `final` counts whatever the others say; without one the answer that `compare` puts last, of
 * those that came until a while after the first that holds: a node that is quick with what is old hides nothing that another one shows.
 * @throws WeftError the most telling refusal
 */
export function bestThatHolds<T>(
  nodes: readonly LedgerNode[],
  ask: (node: LedgerNode) => Promise<T>,
  final: (error: unknown) => boolean,
  compare: (a: T, b: T) => number,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const failures: unknown[] = [];
  const found: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearTimeout(timer);
    const best = found.sort(compare).at(-1);
    if (best === undefined) reject(mostTelling(failures));
    else resolve(best);
  };
  const told = (): void => {
    if (failures.length + found.length === nodes.length) end();
  };
  for (const node of nodes)
    ask(node).then(
      (answer) => {
        found.push(answer);
        timer ??= setTimeout(end, patienceMs);
        told();
      },
      (error: unknown) => {
        if (final(error)) {
          clearTimeout(timer);
          return reject(error);
        }
        failures.push(error);
        told();
      },
    );
  if (nodes.length === 0) end();
  return promise;
}

/**
 * Asks all nodes at once; the first answer that holds counts, and a node that keeps something to itself delays nobody.
 * @throws AggregateError of what each node refused, once all have (`mostTelling`)
 */
export function anyThatHolds<T>(nodes: readonly LedgerNode[], ask: (node: LedgerNode) => Promise<T>): Promise<T> {
  return Promise.any(nodes.map(ask));
}

/** Says nothing about the ledger: the node, or the way to it. */
export function isSilent(error: unknown): boolean {
  return !(error instanceof WeftError) || /^(RPC|NODE)_|^(CATCHING_UP|MEMPOOL_FULL|TX_FATE_UNKNOWN)$/.test(error.code);
}

/** Of several refusals the one to show: what a node gave and what did not hold, before what nobody answered. */
export function mostTelling(failures: readonly unknown[]): unknown {
  return (
    failures.find((each) => !isSilent(each)) ??
    failures[0] ??
    new WeftError('RPC_UNREACHABLE', 'there is no node to ask')
  );
}

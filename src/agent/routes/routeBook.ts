import { WeftError } from '../../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../../codec/utf8.ts';
import type { Files } from '../../ledger/files.ts';
import { readWholeFile, writeWholeFile } from '../../ledger/wholeFile.ts';
import { parsePrefix } from '../bpf/address.ts';

/** `route.open`, resolved (schemas/actions). */
export type RouteEffect = {
  readonly host: string;
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'any';
};

/** A route that this host opened: what a restart needs to know of it. */
export type Route = {
  /** Intent id. */
  readonly grant: string;
  /** Text of the grant's token; its intent id until it was fetched. */
  readonly token: string;
  readonly effect: RouteEffect;
  /** Index of the grant's leaf in the log; 0 until it is known. */
  readonly index: number;
  /** Of the grant, milliseconds UTC. */
  readonly expires: number;
  /** Until when the kernel was told to let it through, milliseconds UTC. */
  readonly leasedUntil: number;
};

/** A grant that must not open a route here (again). */
export type ClosedRoute = {
  readonly grant: string;
  /** It is over by then, milliseconds UTC: no need to know of it any longer. */
  readonly until: number;
};

/** A `route.close` whose use is counted, about to be done: written before it is, because a process may be killed half way. */
export type ClosingRoute = {
  /** Intent id of the `route.close`. */
  readonly close: string;
  /** The grant that it takes back. */
  readonly grant: string;
  /** That is over by then, milliseconds UTC. */
  readonly until: number;
};

const format = 'weft/routes/v1';
/** A gate has room for more; a host that needs more than this needs wider routes. */
export const routesMax = 4096;
/** Grants that are remembered as closed; of more, those that are over first are forgotten. */
const closedMax = 4096;
/** Closes under way at a time; each has cost a use on the ledger. */
const closingMax = 256;

/**
 * The routes that are open on this host, in one file. A route is in it before the kernel hears of it, and leaves it after the
 * kernel has forgotten it: what the kernel holds and the book does not know is removed at the next start. What was closed before its grant
 * was over stays in it until then: a grant of several uses would open it again after a restart. A close is in it before it is begun: who is
 * killed half way finishes it in the next life.
 */
export class RouteBook {
  readonly #files: Files;
  readonly #path: string;
  readonly #routes: Map<string, Route>;
  readonly #closed: Map<string, ClosedRoute>;
  /** By the intent id of the close. */
  readonly #closing: Map<string, ClosingRoute>;
  #isWritten = true;
  #writes: Promise<void> = Promise.resolve();

  private constructor(files: Files, path: string, { routes, closed, closing }: Contents) {
    this.#files = files;
    this.#path = path;
    this.#routes = new Map(routes.map((route) => [route.grant, route]));
    this.#closed = new Map(closed.map((each) => [each.grant, each]));
    this.#closing = new Map(closing.map((each) => [each.close, each]));
  }

  /** @throws WeftError AGENT_STATE_DAMAGED, DISK_* */
  static async open(files: Files, path: string): Promise<RouteBook> {
    const bytes = await readWholeFile(files, path);
    return new RouteBook(files, path, bytes === undefined ? nothing : decode(bytes, path));
  }

  all(): readonly Route[] {
    return [...this.#routes.values()];
  }

  get(grant: string): Route | undefined {
    return this.#routes.get(grant);
  }

  get size(): number {
    return this.#routes.size;
  }

  /** Durable when it resolves. @throws WeftError AGENT_ROUTES_FULL */
  async put(route: Route): Promise<void> {
    if (!this.#routes.has(route.grant) && this.#routes.size >= routesMax)
      throw new WeftError('AGENT_ROUTES_FULL', `${routesMax} routes are open: open wider ones, or close some`);
    this.#routes.set(route.grant, route);
    await this.#write();
  }

  /** A lease that was renewed. Need not be durable: after a crash the kernel still knows it, or it has ended. */
  lease(grant: string, leasedUntil: number): void {
    const route = this.#routes.get(grant);
    if (route === undefined) return;
    this.#routes.set(grant, { ...route, leasedUntil });
    this.#isWritten = false;
  }

  async remove(grants: readonly string[]): Promise<void> {
    const gone = grants.filter((grant) => this.#routes.delete(grant));
    if (gone.length > 0) await this.#write();
  }

  isClosed(grant: string): boolean {
    return this.#closed.has(grant);
  }

  /** Closes that were about to be done. */
  closing(): readonly ClosingRoute[] {
    return [...this.#closing.values()];
  }

  /** This close is about to be done. Durable when it resolves. @throws WeftError AGENT_ROUTES_FULL */
  async begin(closing: ClosingRoute): Promise<void> {
    if (!this.#closing.has(closing.close) && this.#closing.size >= closingMax)
      throw new WeftError('AGENT_ROUTES_FULL', `${closingMax} routes are being closed: ask again in a moment`);
    this.#closing.set(closing.close, closing);
    await this.#write();
  }

  /** It was done, or will not be. Need not be durable: whether it was begun is known elsewhere. */
  settle(close: string): void {
    if (this.#closing.delete(close)) this.#isWritten = false;
  }

  /** Takes them out, and remembers that they must not come back. `now`: milliseconds UTC. Durable when it resolves. */
  async close(grants: readonly ClosedRoute[], now: number): Promise<void> {
    for (const { grant, until } of this.#closed.values()) if (until <= now) this.#closed.delete(grant);
    for (const each of grants) {
      this.#routes.delete(each.grant);
      this.#closed.set(each.grant, each);
    }
    const tooMany = this.#closed.size - closedMax;
    if (tooMany > 0) {
      const byEnd = [...this.#closed.values()].sort((a, b) => a.until - b.until);
      for (const { grant } of byEnd.slice(0, tooMany)) this.#closed.delete(grant);
    }
    await this.#write();
  }

  /** Leases included; nothing is written when nothing has changed. */
  flush(): Promise<void> {
    return this.#isWritten ? this.#writes : this.#write();
  }

  #write(): Promise<void> {
    // What was written meanwhile is the newest by then, whoever asked for it.
    const done = this.#writes.then(async () => {
      this.#isWritten = true;
      try {
        await writeWholeFile(
          this.#files,
          this.#path,
          encode({ routes: this.all(), closed: [...this.#closed.values()], closing: this.closing() }),
        );
      } catch (error) {
        this.#isWritten = false;
        throw error;
      }
    });
    this.#writes = done.catch(() => undefined);
    return done;
  }
}

type Contents = {
  readonly routes: readonly Route[];
  readonly closed: readonly ClosedRoute[];
  readonly closing: readonly ClosingRoute[];
};
const nothing: Contents = { routes: [], closed: [], closing: [] };

function encode({ routes, closed, closing }: Contents): Uint8Array {
  // What there mostly is none of is left out.
  return encodeUtf8(`${JSON.stringify({ format, routes, closed, ...(closing.length === 0 ? {} : { closing }) })}\n`);
}

/** The agent's own file, whole or not at all (`writeWholeFile`): another form of it means another hand. */
function decode(bytes: Uint8Array, path: string): Contents {
  try {
    const { format: found, routes, closed, closing = [] } = JSON.parse(decodeUtf8(bytes)) as Record<string, unknown>;
    if (found !== format || !isList(routes, routesMax) || !isList(closed, closedMax) || !isList(closing, closingMax))
      throw new Error(`it is no ${format}`);
    return { routes: routes.map(readRoute), closed: closed.map(readClosed), closing: closing.map(readClosing) };
  } catch (error) {
    throw new WeftError(
      'AGENT_STATE_DAMAGED',
      `${path} cannot be read (${error instanceof Error ? error.message : error}): move it away; routes that are open close when their leases end`,
      { path },
    );
  }
}

function isList(value: unknown, max: number): value is unknown[] {
  return Array.isArray(value) && value.length <= max;
}

function readClosed(value: unknown): ClosedRoute {
  const { grant, until } = (value ?? {}) as Partial<ClosedRoute>;
  if (!isId(grant) || !isTime(until)) throw new Error('a closed route without grant or end');
  return { grant, until };
}

function readClosing(value: unknown): ClosingRoute {
  const { close, grant, until } = (value ?? {}) as Partial<ClosingRoute>;
  if (!isId(close) || !isId(grant) || !isTime(until)) throw new Error('a close without its grant or end');
  return { close, grant, until };
}

function readRoute(value: unknown): Route {
  const { grant, token, effect, index, expires, leasedUntil } = (value ?? {}) as Partial<Route>;
  if (!isId(grant) || typeof token !== 'string') throw new Error('a route without grant or token');
  if (!isTime(index) || !isTime(expires) || !isTime(leasedUntil)) throw new Error('no number');
  return { grant, token, effect: readEffect(effect), index, expires, leasedUntil };
}

/** What goes into the kernel before any proof is asked for has to be an effect. */
function readEffect(value: unknown): RouteEffect {
  const { host, source, destination, port, protocol } = (value ?? {}) as Partial<RouteEffect>;
  if (typeof host !== 'string' || typeof source !== 'string' || typeof destination !== 'string')
    throw new Error('a route without effect');
  if (parsePrefix(source).family !== parsePrefix(destination).family) throw new Error('addresses of two families');
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('no port');
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'any') throw new Error('no protocol');
  return { host, source, destination, port, protocol };
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

import { WeftError } from '../../codec/error.ts';
import { decodeUtf8, encodeUtf8 } from '../../codec/utf8.ts';
import type { Files } from '../../ledger/files.ts';
import { readWholeFile, writeWholeFile } from '../../ledger/wholeFile.ts';

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

const format = 'weft/routes/v1';
/** A gate has room for more; a host that needs more than this needs wider routes. */
export const routesMax = 4096;

/**
 * The routes that are open on this host, in one file. A route is in it before the kernel hears of it, and leaves it after the
 * kernel has forgotten it: what the kernel holds and the book does not know is removed at the next start.
 */
export class RouteBook {
  readonly #files: Files;
  readonly #path: string;
  readonly #routes: Map<string, Route>;
  #writes: Promise<void> = Promise.resolve();

  private constructor(files: Files, path: string, routes: readonly Route[]) {
    this.#files = files;
    this.#path = path;
    this.#routes = new Map(routes.map((route) => [route.grant, route]));
  }

  /** @throws WeftError AGENT_STATE_DAMAGED, DISK_* */
  static async open(files: Files, path: string): Promise<RouteBook> {
    const bytes = await readWholeFile(files, path);
    return new RouteBook(files, path, bytes === undefined ? [] : decode(bytes, path));
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
    if (route !== undefined) this.#routes.set(grant, { ...route, leasedUntil });
  }

  async remove(grants: readonly string[]): Promise<void> {
    const gone = grants.filter((grant) => this.#routes.delete(grant));
    if (gone.length > 0) await this.#write();
  }

  /** Leases included. */
  flush(): Promise<void> {
    return this.#write();
  }

  #write(): Promise<void> {
    // What was written meanwhile is the newest by then, whoever asked for it.
    const done = this.#writes.then(() => writeWholeFile(this.#files, this.#path, encode(this.all())));
    this.#writes = done.catch(() => undefined);
    return done;
  }
}

function encode(routes: readonly Route[]): Uint8Array {
  return encodeUtf8(`${JSON.stringify({ format, routes })}\n`);
}

/** The agent's own file, whole or not at all (`writeWholeFile`): another form of it means another hand. */
function decode(bytes: Uint8Array, path: string): Route[] {
  try {
    const { format: found, routes } = JSON.parse(decodeUtf8(bytes)) as { format?: unknown; routes?: unknown };
    if (found !== format || !Array.isArray(routes) || routes.length > routesMax) throw new Error(`it is no ${format}`);
    return routes.map(readRoute);
  } catch (error) {
    throw new WeftError(
      'AGENT_STATE_DAMAGED',
      `${path} cannot be read (${error instanceof Error ? error.message : error}): move it away; routes that are open close when their leases end`,
      { path },
    );
  }
}

function readRoute(value: unknown): Route {
  const { grant, token, effect, index, expires, leasedUntil } = (value ?? {}) as Partial<Route>;
  if (typeof grant !== 'string' || typeof token !== 'string') throw new Error('a route without grant or token');
  if (typeof effect !== 'object' || effect === null) throw new Error('a route without effect');
  for (const number of [index, expires, leasedUntil]) if (!Number.isSafeInteger(number)) throw new Error('no number');
  return { grant, token, effect, index, expires, leasedUntil } as Route;
}

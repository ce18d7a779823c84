import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/**
 * TCP relays between processes: what goes from one to another can be late, slow, held or cut, each direction by itself. Bytes are
 * never lost, changed or reordered, as TCP never does that: a network that drops packets is one that is late, or one that is cut.
 */

export type Link = {
  /** Milliseconds that every byte is under way. */
  readonly delayMs: number;
  /** On average so often a stall of `stallMs` begins, behind which all that comes later waits; 0 is never. */
  readonly stallEveryMs: number;
  readonly stallMs: number;
  /** 0 is unlimited. */
  readonly bytesPerSecond: number;
  /**
   * `held`: nothing arrives, nothing is answered (a black hole); what was on its way arrives after it, as TCP repeats it.
   * `reset`: connections are reset, and new ones at once.
   */
  readonly state: 'open' | 'held' | 'reset';
};

const openLink: Link = { delayMs: 0, stallEveryMs: 0, stallMs: 1000, bytesPerSecond: 0, state: 'open' };

/** What one direction of one connection holds at most; above it the sender feels the back-pressure. */
const heldBytesMax = 4 * 1024 * 1024;

/** Every ordered pair of `names`; who dials does not matter to a link. */
export class Relays {
  readonly #links = new Map<string, Link>();
  readonly #servers: Server[] = [];
  readonly #pipes = new Map<string, Set<Pipe>>();
  readonly #random: () => number;

  /** `random` in [0, 1): where stalls fall. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** A port of 127.0.0.1 at which `from` reaches what listens on `port` for `to`. */
  async add(from: string, to: string, port: number): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(from, to, near, port));
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a relay without a port');
    return address.port;
  }

  link(from: string, to: string): Link {
    return this.#links.get(key(from, to)) ?? openLink;
  }

  /** Changes one direction from now on. */
  set(from: string, to: string, change: Partial<Link>): void {
    const link = { ...this.link(from, to), ...change };
    this.#links.set(key(from, to), link);
    for (const pipe of this.#pipes.get(key(from, to)) ?? []) {
      if (link.state === 'reset') pipe.reset();
      else pipe.turn();
    }
  }

  setBoth(a: string, b: string, change: Partial<Link>): void {
    this.set(a, b, change);
    this.set(b, a, change);
  }

  /** Cuts all links between different groups; inside each they stay as they are. */
  partition(groups: readonly (readonly string[])[], state: 'held' | 'reset'): void {
    for (const [i, group] of groups.entries()) {
      for (const other of groups.slice(i + 1)) {
        for (const a of group) for (const b of other) this.setBoth(a, b, { state });
      }
    }
  }

  /** Every link as it was at the beginning. */
  heal(): void {
    const touched = [...this.#links.keys()];
    this.#links.clear();
    for (const each of touched) for (const pipe of this.#pipes.get(each) ?? []) pipe.turn();
  }

  async close(): Promise<void> {
    for (const pipes of this.#pipes.values()) for (const pipe of pipes) pipe.reset();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #accept(from: string, to: string, near: Socket, port: number): void {
    // A connection that is reset later ends with an error, and that is what was wanted.
    near.on('error', () => {});
    if (this.link(from, to).state === 'reset' || this.link(to, from).state === 'reset') {
      near.resetAndDestroy();
      return;
    }
    const far = dial({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    far.on('error', () => near.resetAndDestroy());
    near.on('error', () => far.destroy());
    this.#pipe(from, to, near, far);
    this.#pipe(to, from, far, near);
  }

  #pipe(from: string, to: string, source: Socket, sink: Socket): void {
    const pipes = this.#pipes.get(key(from, to)) ?? new Set();
    this.#pipes.set(key(from, to), pipes);
    const pipe = new Pipe(source, sink, () => this.link(from, to), this.#random);
    pipes.add(pipe);
    const over = (): void => {
      pipe.stop();
      pipes.delete(pipe);
    };
    sink.once('close', () => {
      over();
      source.destroy();
    });
  }
}

/** One direction of one connection. */
class Pipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #link: () => Link;
  readonly #random: () => number;
  /** `undefined` is the end. */
  readonly #waiting: { readonly bytes: Buffer | undefined; readonly dueMs: number }[] = [];
  #held = 0;
  #lastDueMs = 0;
  #nextStallMs = Number.NaN;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(source: Socket, sink: Socket, link: () => Link, random: () => number) {
    this.#source = source;
    this.#sink = sink;
    this.#link = link;
    this.#random = random;
    source.on('data', (bytes: Buffer) => this.#take(bytes));
    source.on('end', () => this.#take(undefined));
    sink.on('drain', () => this.turn());
  }

  #take(bytes: Buffer | undefined): void {
    this.#waiting.push({ bytes, dueMs: this.#due(bytes?.length ?? 0) });
    this.#held += bytes?.length ?? 0;
    if (this.#held > heldBytesMax) this.#source.pause();
    this.turn();
  }

  #due(length: number): number {
    const { delayMs, stallEveryMs, stallMs, bytesPerSecond } = this.#link();
    const nowMs = performance.now();
    let dueMs = Math.max(nowMs + delayMs, this.#lastDueMs);
    if (bytesPerSecond > 0) dueMs += (1000 * length) / bytesPerSecond;
    if (stallEveryMs === 0) this.#nextStallMs = Number.NaN;
    else if (Number.isNaN(this.#nextStallMs)) this.#nextStallMs = nowMs + this.#pause(stallEveryMs);
    else if (nowMs >= this.#nextStallMs) {
      dueMs = Math.max(dueMs, nowMs + delayMs + stallMs);
      this.#nextStallMs = nowMs + stallMs + this.#pause(stallEveryMs);
    }
    this.#lastDueMs = dueMs;
    return dueMs;
  }

  #pause(meanMs: number): number {
    return -meanMs * Math.log(1 - this.#random());
  }

  /** Passes on what is due. */
  turn(): void {
    clearTimeout(this.#timer);
    if (this.#link().state !== 'open') return;
    const nowMs = performance.now();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#sink.writableNeedDrain) return;
      if (next.dueMs > nowMs) {
        this.#wait(next.dueMs - nowMs);
        return;
      }
      this.#waiting.shift();
      if (next.bytes === undefined) this.#sink.end();
      else {
        this.#held -= next.bytes.length;
        this.#sink.write(next.bytes);
      }
    }
    if (this.#held <= heldBytesMax && this.#source.isPaused()) this.#source.resume();
  }

  /** Timers count whole milliseconds, and are late by up to one: the last part is waited for in turns of the event loop. */
  #wait(ms: number): void {
    if (ms >= 1.5) this.#timer = setTimeout(() => this.turn(), Math.floor(ms - 0.5));
    else this.#immediate ??= setImmediate(this.#soon);
  }

  readonly #soon = (): void => {
    this.#immediate = undefined;
    this.turn();
  };

  reset(): void {
    this.stop();
    this.#source.resetAndDestroy();
    this.#sink.resetAndDestroy();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#waiting.length = 0;
  }
}

function key(from: string, to: string): string {
  return `${from} ${to}`;
}

import { fromHex } from '../codec/hex.ts';
import { equalBytes } from '../codec/utf8.ts';
import { formatCheckpoint, type Sign, signCheckpoint, type Verify } from '../log/checkpoint.ts';
import { cosign, publishCheckpoint, verifyCosignature } from '../log/cosignature.ts';
import type { NoteSignature } from '../log/note.ts';
import type { Vkey } from '../log/vkey.ts';

/**
 * Checkpoints (2-formats, "Cosigning"): signs those of finalized blocks that this node executed itself, collects the others'
 * cosignatures, publishes as soon as q are there. Which heights is decided by the chain alone, so that quorums form.
 */

/** What is signed: the log as it stood after a finalized block. */
export type CosignedBlock = {
  readonly height: number;
  /** Milliseconds UTC, from the header. */
  readonly time: number;
  readonly logSize: number;
  /** Hex. */
  readonly logRoot: string;
  readonly closing: boolean;
};

export type Cosignature = {
  readonly size: number;
  /** Hex. */
  readonly root: string;
  readonly line: NoteSignature;
};

export type CosignerOptions = {
  readonly origin: string;
  readonly logKey: Vkey;
  readonly signLog: Sign;
  /** Absent for observers: they collect, and publish what a validator has published (`adopt`). */
  readonly own?: { readonly key: Vkey; readonly sign: Sign };
  /** All cosigners of the epoch in policy order. */
  readonly policy: readonly Vkey[];
  readonly quorum: number;
  readonly cosignEveryBlocks: number;
  readonly recosignMs: number;
};

export type CosignerModules = {
  readonly verify: Verify;
  /**
   * Makes (size, root) durable before anything is signed; resolves to false when a smaller size or another root of the same
   * size would be signed (then nothing is).
   */
  readonly remember: (size: number, root: string) => Promise<boolean>;
  readonly send: (cosignature: Cosignature) => void;
  /** The cosigner at this place of the policy has the block of this height as final. */
  readonly shown: (index: number, height: number) => void;
  /** There is a newer checkpoint: `published` says which. */
  readonly published: () => void;
  /** What to sign could not be made durable: nothing was signed. */
  readonly failed: (error: unknown) => void;
  /** Two cosignatures of one size with different roots by one key (W12). */
  readonly conflict: (key: Vkey, a: Cosignature, b: Cosignature) => void;
  /** What a cosignature states, and what others' are compared with. */
  readonly wallMs: () => number;
  /** What decides when to sign again: a clock that is set must neither silence this node nor make it sign without end. */
  readonly monotonicMs: () => number;
  /** Runs something later; what it returns calls that off. */
  readonly later: (ms: number, run: () => void) => () => void;
  /** Blocks that an honest validator has finalized and this node has not. */
  readonly behind: () => number;
  /** Since when the validator at this place of the policy is silent, by its own lane alone: milliseconds, own place 0. */
  readonly silentMs: (index: number) => number;
};

/**
 * Where each block may be cosigned, only the first of so many milliseconds of block time is: one costs every validator a sync, a signature,
 * a message to each other one and n - 1 verifications, as much as a vote, and a checkpoint speaks for all blocks before it. A token
 * waits for the next one, so this stays below what anybody would notice.
 */
const paceMs = 40;
/** No block for so long: nothing comes that would cover the last one, so it is cosigned after all. */
const pauseMs = 25;

/** Pings come twice a second: whoever is not heard for so long is not there. Longer where it is re-signed more seldom. */
const presentMsMin = 2000;

/** Sizes executed here for which cosignatures are kept, newest first; a node that is further behind gets newer ones anyway. */
const sizesMax = 64;
/**
 * Sizes not executed here that one cosigner may have signed, newest received first. Counted by key, so that who signs a
 * future that never comes displaces nobody's signatures but his own.
 */
const aheadMax = 16;
const straysMax = 256;
/** A cosignature from further in the future is dropped before it is counted, so that one liar cannot spoil a token. */
const futureMsMax = 2000;

/**
 * Blocks that may wait to be signed, apart from closing ones: while this node catches up nobody needs the cosignatures of
 * what is long covered by newer checkpoints, and each would cost a sync.
 */
const waitingMax = 4;

/** `root`: of the block executed here; undefined while that has not happened. `height`: of the first block after which the log has this size. */
type Collected = { root: string | undefined; height: number; readonly lines: Map<string, Cosignature> };

export class Cosigner {
  readonly #options: CosignerOptions;
  readonly #modules: CosignerModules;
  readonly #bySize = new Map<number, Collected>();
  /** Sizes with a root, ascending. */
  readonly #executed: number[] = [];
  /** Verified cosignatures of a root that is not ours: half of a proof, should their signer also sign ours (W12). */
  readonly #strays = new Map<string, Cosignature>();
  #newest: CosignedBlock | undefined;
  /** The time of the last block that was chosen for cosigning. */
  #chosenTime = 0;
  /** Monotonic time of the own newest cosignature. */
  #signedAtMs = Number.NEGATIVE_INFINITY;
  #publishedSize = 0;
  #published: string | undefined;
  /** What is published, not yet written out: under load most are replaced before anybody asks. */
  #unwritten: Collected | undefined;
  /** Size of the last block that was chosen. */
  #chosenSize = 0;
  #pause: (() => void) | undefined;
  #dropped = 0;
  /** To be signed, ascending. */
  readonly #waiting: CosignedBlock[] = [];
  /** Signing waits for the disk; one after the other keeps sizes ascending. */
  #signing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: CosignerOptions, modules: CosignerModules) {
    this.#options = options;
    this.#modules = modules;
  }

  get published(): string | undefined {
    const collected = this.#unwritten;
    this.#unwritten = undefined;
    if (collected !== undefined) this.#published = this.#note(this.#publishedSize, collected) ?? this.#published;
    return this.#published;
  }

  get publishedSize(): number {
    return this.#publishedSize;
  }

  /** Cosignatures dropped without blame: not verifying, not ours to count, from the future. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes up the checkpoint that was published before a restart. It was checked when it was made. */
  restore(note: string, size: number): void {
    this.#unwritten = undefined;
    this.#published = note;
    this.#publishedSize = size;
  }

  /** What a validator has published and an observer has verified. */
  adopt(note: string, size: number): void {
    if (this.#stopped || size < this.#publishedSize) return;
    this.restore(note, size);
    this.#modules.published();
  }

  /** After each commit, in height order. */
  committed(block: CosignedBlock): void {
    if (this.#stopped || block.height < 1) return;
    const follows = this.#follows(block);
    const chosen = this.#isChosen(block);
    this.#newest = block;
    this.#execute(block);
    this.#pause?.();
    this.#pause = undefined;
    if (chosen) this.#choose(block);
    else if (follows && block.logSize > this.#chosenSize)
      this.#pause = this.#modules.later(pauseMs, () => this.#choose(block));
    this.#publish(block.logSize);
  }

  /** Whether this block, if it is the next one to be committed, is signed at once. */
  cosigns(block: CosignedBlock): boolean {
    return this.#options.own !== undefined && !this.#stopped && this.#isChosen(block) && this.#isCurrent(block);
  }

  #follows(block: CosignedBlock): boolean {
    return this.#options.cosignEveryBlocks === 1 && sameStretch(this.#newest, block);
  }

  #isChosen(block: CosignedBlock): boolean {
    const { cosignEveryBlocks, recosignMs } = this.#options;
    return (
      (block.height % cosignEveryBlocks === 0 && !this.#follows(block)) ||
      block.closing ||
      block.time >= this.#chosenTime + recosignMs
    );
  }

  #choose(block: CosignedBlock): void {
    this.#chosenTime = block.time;
    this.#chosenSize = block.logSize;
    if (!this.#stopped && this.#isCurrent(block)) this.#sign(block);
  }

  /** Called every now and then: freshness must depend neither on blocks nor on their rate. */
  tick(): void {
    if (this.#stopped || this.#newest === undefined) return;
    const due = this.#modules.monotonicMs() - this.#signedAtMs >= this.#options.recosignMs;
    if (due && this.#isCurrent(this.#newest)) this.#sign(this.#newest);
  }

  /** All cosignatures of this size that agree with what was executed here. */
  linesOf(size: number): readonly Cosignature[] {
    const collected = this.#bySize.get(size);
    return collected?.root === undefined ? [] : [...collected.lines.values()];
  }

  /** The own newest cosignature, for a peer that has just connected. */
  ownNewest(): Cosignature | undefined {
    const name = this.#options.own?.key.name;
    if (name === undefined || this.#newest === undefined) return undefined;
    return this.#bySize.get(this.#newest.logSize)?.lines.get(name);
  }

  /** A cosignature from a lane or from gossip. What does not verify is dropped without blame: foreign tools refuse it too. */
  receive(cosignature: Cosignature): 'new' | 'dropped' {
    if (this.#stopped) return 'dropped';
    const { size, root, line } = cosignature;
    const key = this.#options.policy.find(({ name, keyId }) => name === line.name && keyId === line.keyId);
    const known = key === undefined ? undefined : this.#bySize.get(size)?.lines.get(key.name);
    if (key === undefined || size <= this.#oldestSize()) return this.#drop();
    if (known !== undefined && equalBytes(known.line.blob, line.blob)) return 'dropped';
    const text = formatCheckpoint({ origin: this.#options.origin, size, root: fromHex(root, 32) });
    const timeS = verifyCosignature(text, line, key, this.#modules.verify);
    if (timeS === undefined || timeS * 1000 > this.#modules.wallMs() + futureMsMax) return this.#drop();
    const collected = this.#collected(size);
    const expected = collected.root ?? known?.root;
    const other = known ?? this.#strays.get(`${key.name} ${size}`);
    if (other !== undefined && other.root !== root) this.#modules.conflict(key, other, cosignature);
    if (expected !== undefined && expected !== root) {
      this.#stray(key.name, cosignature);
      return this.#drop();
    }
    if (known !== undefined && timeOf(known.line) >= timeS) return 'dropped';
    collected.lines.set(key.name, cosignature);
    if (collected.root === undefined) this.#boundAhead(key.name);
    else this.#shows(key.name, collected.height);
    this.#publish(size);
    return 'new';
  }

  /** Resolves when everything that waits is signed. */
  async settle(): Promise<void> {
    while (this.#signing !== undefined) await this.#signing;
  }

  /** Nothing is signed, counted or published any more. Resolves when what is being signed is: what waits is not waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.();
    this.#waiting.length = 0;
    await this.settle();
  }

  /**
   * Whether the present time may be put under this size. It says that nothing newer was final, or f liars and one honest node that
   * catches up (or is cut off with them) would make an old checkpoint look fresh, and what was revoked since valid. So it takes a
   * block of these moments, or the newest one and a quorum that is there to say so: heard by lane, or by a fresh cosignature of at
   * least this size. What a peer says of others counts for nothing here.
   */
  #isCurrent(block: CosignedBlock): boolean {
    const { policy, quorum, recosignMs, own } = this.#options;
    const { wallMs, behind, silentMs } = this.#modules;
    const presentMs = Math.max(presentMsMin, 2 * recosignMs);
    if (policy.length === 1 || block.time >= wallMs() - presentMs) return true;
    if (block !== this.#newest || behind() > 0) return false;
    const present = policy.filter(
      ({ name }, index) =>
        name === own?.key.name || silentMs(index) <= presentMs || this.#signedSince(name, block, wallMs() - presentMs),
    );
    return present.length >= quorum;
  }

  #signedSince(name: string, block: CosignedBlock, sinceMs: number): boolean {
    return [...this.#bySize].some(([size, { lines }]) => {
      const line = size >= block.logSize ? lines.get(name)?.line : undefined;
      return line !== undefined && timeOf(line) * 1000 >= sinceMs;
    });
  }

  #sign(block: CosignedBlock): void {
    const own = this.#options.own;
    this.#signedAtMs = this.#modules.monotonicMs();
    if (own === undefined) return;
    this.#waiting.push(block);
    const open = this.#waiting.filter(({ closing }) => !closing);
    const [oldest] = open;
    if (oldest !== undefined && open.length > waitingMax) this.#waiting.splice(this.#waiting.indexOf(oldest), 1);
    this.#signing ??= this.#signWaiting(own);
  }

  async #signWaiting(own: { readonly key: Vkey; readonly sign: Sign }): Promise<void> {
    for (let block = this.#waiting.shift(); block !== undefined; block = this.#waiting.shift()) {
      try {
        await this.#signNow(block, own);
      } catch (error) {
        this.#modules.failed(error);
      }
    }
    this.#signing = undefined;
  }

  async #signNow(block: CosignedBlock, own: { readonly key: Vkey; readonly sign: Sign }): Promise<void> {
    if (!(await this.#modules.remember(block.logSize, block.logRoot)) || this.#stopped) return;
    // The disk may have taken its time.
    if (!this.#isCurrent(block)) return;
    const text = this.#text(block.logSize, block.logRoot);
    const line = cosign(text, Math.floor(this.#modules.wallMs() / 1000), own.key, own.sign);
    const cosignature: Cosignature = { size: block.logSize, root: block.logRoot, line };
    this.#collected(block.logSize).lines.set(own.key.name, cosignature);
    this.#modules.send(cosignature);
    this.#publish(block.logSize);
  }

  /** Publishes `size` when it is at least as new as what is published, executed here, and q cosigned it. */
  #publish(size: number): void {
    // A log line that no trust file lists is worse than none.
    if (this.#options.own === undefined) return;
    const collected = this.#bySize.get(size);
    if (collected?.root === undefined || size < this.#publishedSize || collected.lines.size < this.#options.quorum)
      return;
    this.#unwritten = collected;
    this.#publishedSize = size;
    this.#modules.published();
  }

  #note(size: number, { root, lines }: Collected): string | undefined {
    if (root === undefined) return undefined;
    const text = this.#text(size, root);
    return publishCheckpoint({
      text,
      log: signCheckpoint(text, this.#options.logKey, this.#options.signLog),
      cosignatures: [...lines.values()].map(({ line }) => line),
      policy: this.#options.policy,
      quorum: this.#options.quorum,
    });
  }

  #text(size: number, root: string): string {
    return formatCheckpoint({ origin: this.#options.origin, size, root: fromHex(root, 32) });
  }

  #collected(size: number): Collected {
    let collected = this.#bySize.get(size);
    if (collected === undefined) {
      collected = { root: undefined, height: 0, lines: new Map() };
      this.#bySize.set(size, collected);
    }
    return collected;
  }

  /** The root of `size` is known from now on. The oldest executed size makes room, and what no block can end at any more goes. */
  #execute({ height, logSize: size, logRoot: root }: CosignedBlock): void {
    const collected = this.#collected(size);
    if (collected.root === undefined) collected.height = height;
    collected.root = root;
    for (const [name, cosignature] of collected.lines) {
      if (cosignature.root === root) {
        this.#shows(name, collected.height);
        continue;
      }
      collected.lines.delete(name);
      this.#stray(name, cosignature);
    }
    if (this.#executed.at(-1) !== size) this.#executed.push(size);
    if (this.#executed.length > sizesMax) this.#executed.shift();
    const oldest = this.#oldestSize();
    for (const [other, { root: known }] of this.#bySize) {
      if (other <= oldest || (known === undefined && other < size)) this.#bySize.delete(other);
    }
  }

  #shows(name: string, height: number): void {
    const index = this.#options.policy.findIndex((key) => key.name === name);
    if (index >= 0) this.#modules.shown(index, height);
  }

  #boundAhead(name: string): void {
    const ahead = [...this.#bySize].filter(([, { root, lines }]) => root === undefined && lines.has(name));
    for (const [size, { lines }] of ahead.slice(0, -aheadMax)) {
      lines.delete(name);
      if (lines.size === 0) this.#bySize.delete(size);
    }
  }

  #stray(name: string, cosignature: Cosignature): void {
    this.#strays.set(`${name} ${cosignature.size}`, cosignature);
    if (this.#strays.size > straysMax) this.#strays.delete(this.#strays.keys().next().value ?? '');
  }

  /** Nothing up to this size is looked at any more. */
  #oldestSize(): number {
    return this.#executed.length < sizesMax ? 0 : (this.#executed[0] ?? 0) - 1;
  }

  #drop(): 'dropped' {
    this.#dropped += 1;
    return 'dropped';
  }
}

/** Both times lie in one stretch of `paceMs`: by the headers alone, so that all validators sign the same sizes. */
function sameStretch(parent: CosignedBlock | undefined, { height, time }: CosignedBlock): boolean {
  if (parent === undefined || parent.height + 1 !== height) return false;
  return Math.floor(parent.time / paceMs) === Math.floor(time / paceMs);
}

function timeOf(line: NoteSignature): number {
  return Number(new DataView(line.blob.buffer, line.blob.byteOffset, 8).getBigUint64(0));
}

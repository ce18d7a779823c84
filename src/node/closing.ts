import { WeftError } from '../codec/error.ts';
import { fromHex } from '../codec/hex.ts';
import { decodeUtf8, equalBytes } from '../codec/utf8.ts';
import { ed25519Signer } from '../crypto/ed25519.ts';
import type { ValidatorKeys } from '../crypto/validatorKeys.ts';
import { closingCheckpoint, keepClosingCheckpoint } from '../ledger/closingNote.ts';
import type { Header } from '../ledger/header.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Epoch, Validator } from '../ledger/validatorSet.ts';
import { formatCheckpoint, signCheckpoint, type Verify } from '../log/checkpoint.ts';
import { cosign, publishCheckpoint, verifyCosignature } from '../log/cosignature.ts';
import { decodeSentCosignature, encodeSentCosignature } from '../log/sentCosignature.ts';
import type { Vkey } from '../log/vkey.ts';
import { readPublished } from './checkpointFollower.ts';
import type { Cosignature } from './cosigner.ts';
import type { Log } from './log.ts';
import { cosignerKeyOf, logKeyOf } from './queries.ts';

/**
 * Closing checkpoints (2-formats, "Cosigning"): the checkpoint of the block that ends an epoch, cosigned by a quorum of the
 * validators that leave with it. Over it trust is walked from one set to the next, so every node keeps it for ever, as the note
 * `closing/<epoch>`, and passes it on. Until it holds q cosignatures each of the outgoing validators signs it once, before it
 * signs anything larger, keeps that line as `closing-own/<epoch>`, and sends it again every `recosignMs`; who holds no log key of
 * that epoch fetches the whole from a peer. Only then may the keys of a retired validator be erased.
 */
export type ClosingModules = {
  readonly ledger: Pick<
    Ledger,
    'genesis' | 'epoch' | 'epochOf' | 'closingBlock' | 'finalized' | 'note' | 'putNote' | 'rememberCheckpoint'
  >;
  /** This node as a validator of that epoch, with the keys it had; undefined when it was none. */
  readonly ownIn: (epoch: Epoch) => { readonly validator: Validator; readonly keys: ValidatorKeys } | undefined;
  readonly verify: Verify;
  readonly send: (cosignature: Cosignature) => void;
  readonly askable: () => readonly string[];
  readonly fetch: (peer: string, epoch: number) => Promise<Uint8Array | undefined>;
  /** Two cosignatures of one size with different roots by one key (W12). */
  readonly conflict: (epoch: number, a: Cosignature, b: Cosignature) => void;
  readonly failed: (error: unknown) => void;
  readonly log: Log;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
};

/** An epoch whose closing checkpoint is not here yet. */
type Missing = {
  readonly epoch: Epoch;
  readonly size: number;
  readonly root: string;
  /** Milliseconds UTC, of the closing block. */
  readonly time: number;
  readonly text: string;
  readonly policy: readonly Vkey[];
  readonly lines: Map<string, Cosignature>;
  own: Cosignature | undefined;
  sentMs: number;
  askAtMs: number;
  asked: number;
};

/** As the cosigner: one liar's clock must not spoil the time of a checkpoint. */
const futureMsMax = 2000;
const askAgainMaxMs = 30_000;
/** Questions under way at a time: a node that slept through many epochs fetches one after the other. */
const askingMax = 4;
/** Of epochs before these it only asks: their cosigners have long stopped sending. */
const collectingMax = 16;
/** Of so many epochs it is known when they ended. */
const endedMax = 16;

export class Closing {
  readonly #modules: ClosingModules;
  readonly #missing = new Map<number, Missing>();
  #asking = 0;
  /** When the newest epochs ended: milliseconds UTC, of their closing blocks. */
  readonly #ended = new Map<number, number>();
  /** The end of the queue of own signatures and of what is stored. */
  #writes: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(modules: ClosingModules) {
    this.#modules = modules;
  }

  /** Takes up the closing checkpoints that an earlier life of this node lacked. Resolves when own lines are made. */
  start(): Promise<void> {
    const newest = this.#modules.ledger.epoch.epoch - 1;
    for (let epoch = newest; epoch > 0; epoch -= 1) {
      if (epoch <= newest - endedMax && this.note(epoch) !== undefined) continue;
      const header = this.#closingHeader(epoch);
      // A ledger that began with a snapshot does not hold its first epochs.
      if (header === undefined) break;
      this.closed(header);
    }
    return this.settled();
  }

  /** This block closes its epoch, and is final. `lines`: what has been collected for it. */
  closed(header: Header, lines: readonly Cosignature[] = []): void {
    const epoch = this.#modules.ledger.epochOf(header.epoch);
    this.#ended.set(header.epoch, header.time);
    if (this.#ended.size > endedMax) this.#ended.delete(Math.min(...this.#ended.keys()));
    if (this.#stopped || epoch === undefined || this.#missing.has(epoch.epoch) || this.note(epoch.epoch) !== undefined)
      return;
    const { chain, origin } = this.#modules.ledger.genesis;
    // Others collect the lines and hold the whole, while they can be asked; who makes a line waits for those of the others.
    const waitMs = this.#modules.ownIn(epoch) === undefined ? 0 : epoch.consensus.recosignMs;
    const missing: Missing = {
      epoch,
      size: header.logSize,
      root: header.logRoot,
      time: header.time,
      text: formatCheckpoint({ origin, size: header.logSize, root: fromHex(header.logRoot, 32) }),
      policy: epoch.validators.map((validator) => cosignerKeyOf(chain, validator)),
      lines: new Map(),
      own: undefined,
      sentMs: Number.NEGATIVE_INFINITY,
      askAtMs: this.#modules.monotonicMs() + waitMs,
      asked: 0,
    };
    this.#missing.set(epoch.epoch, missing);
    for (const line of lines) if (line.root === missing.root) missing.lines.set(line.line.name, line);
    this.#write(() => this.#sign(missing));
  }

  /** Everything is signed and stored that was to be: what comes after it may be signed. */
  async settled(): Promise<void> {
    await this.#writes;
  }

  /** Every now and then. */
  tick(): void {
    const now = this.#modules.monotonicMs();
    for (const missing of this.#missing.values()) {
      const { recosignMs } = missing.epoch.consensus;
      if (missing.own !== undefined && now - missing.sentMs >= recosignMs) {
        missing.sentMs = now;
        this.#modules.send(missing.own);
      }
      if (now < missing.askAtMs || this.#asking >= askingMax) continue;
      missing.asked += 1;
      missing.askAtMs = now + Math.min(askAgainMaxMs, recosignMs * 2 ** Math.min(8, missing.asked - 1));
      void this.#ask(missing);
    }
  }

  /** A cosignature of whatever size: 'new' when it is a line of a closing checkpoint that is wanted here. */
  receive(cosignature: Cosignature): 'new' | 'dropped' {
    const { size, root, line } = cosignature;
    const missing = this.#newestMissing().find((each) => each.size === size);
    const key = missing?.policy.find(({ name, keyId }) => name === line.name && keyId === line.keyId);
    if (this.#stopped || missing === undefined || key === undefined) return 'dropped';
    const known = missing.lines.get(key.name);
    if (known !== undefined && known.root === root) return 'dropped';
    const { origin } = this.#modules.ledger.genesis;
    const text = formatCheckpoint({ origin, size, root: fromHex(root, 32) });
    const timeS = verifyCosignature(text, line, key, this.#modules.verify);
    if (timeS === undefined || timeS * 1000 > this.#modules.wallMs() + futureMsMax) return 'dropped';
    if (root !== missing.root) {
      if (known !== undefined) this.#modules.conflict(missing.epoch.epoch, known, cosignature);
      return 'dropped';
    }
    missing.lines.set(key.name, cosignature);
    this.#publish(missing);
    return 'new';
  }

  /** The closing checkpoint of an epoch: one log line and q cosigner lines of its validators. */
  note(epoch: number): string | undefined {
    return closingCheckpoint(this.#modules.ledger, epoch);
  }

  /**
   * Epochs whose validators still matter, newest first: the closing checkpoint is not here, or the epoch ended less than `graceMs`
   * ago (somebody else may lack it). At most 32.
   */
  retiring(graceMs: number): number[] {
    const now = this.#modules.wallMs();
    const ended = [...this.#ended].filter(([, time]) => now - time < graceMs).map(([epoch]) => epoch);
    const missing = this.#newestMissing().map(({ epoch }) => epoch.epoch);
    return [...new Set([...missing, ...ended])].sort((a, b) => b - a);
  }

  /** Epochs that are over and whose closing checkpoint is not here yet. */
  get missing(): readonly number[] {
    return [...this.#missing.keys()];
  }

  /** A start takes them up newest first. */
  #newestMissing(): Missing[] {
    return [...this.#missing.values()].sort((a, b) => a.epoch.epoch - b.epoch.epoch).slice(-collectingMax);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#missing.clear();
    await this.#writes;
  }

  /** Signed once: a cosignature states that nothing larger was seen, and soon something larger will have been. */
  async #sign(missing: Missing): Promise<void> {
    const { ledger, ownIn, wallMs } = this.#modules;
    const own = ownIn(missing.epoch);
    if (own === undefined || this.#stopped) return;
    const { chain } = ledger.genesis;
    const name = ownNoteName(missing.epoch.epoch);
    const kept = ledger.note(name);
    if (kept !== undefined) missing.own = decodeSentCosignature(kept);
    else if (await ledger.rememberCheckpoint(missing.size, missing.root)) {
      const signer = ed25519Signer(own.keys.cosigner.seed);
      const key = cosignerKeyOf(chain, own.validator);
      // Whoever catches up signs it as well: with the time at which it was the newest, so that it never looks fresh later.
      const timeS = Math.floor(Math.min(wallMs(), missing.time) / 1000);
      const line = cosign(missing.text, timeS, key, (message) => signer.sign(message));
      const signed = { size: missing.size, root: missing.root, line };
      await ledger.putNote(name, encodeSentCosignature(signed));
      missing.own = signed;
    }
    if (missing.own === undefined) return;
    missing.lines.set(missing.own.line.name, missing.own);
    this.#publish(missing);
  }

  /** Only a validator of that epoch has a log key under which foreign tools take the note. */
  #publish(missing: Missing): void {
    const { ledger, ownIn } = this.#modules;
    const own = ownIn(missing.epoch);
    if (own === undefined || missing.lines.size < missing.epoch.quorum) return;
    const signer = ed25519Signer(own.keys.log.seed);
    const logKey = logKeyOf(ledger.genesis.origin, signer.publicKey);
    const note = publishCheckpoint({
      text: missing.text,
      log: signCheckpoint(missing.text, logKey, (message) => signer.sign(message)),
      cosignatures: [...missing.lines.values()].map(({ line }) => line),
      policy: missing.policy,
      quorum: missing.epoch.quorum,
    });
    if (note !== undefined) this.#write(() => this.#keep(missing, note));
  }

  async #keep(missing: Missing, note: string): Promise<void> {
    const { ledger, log, ownIn } = this.#modules;
    const { epoch } = missing.epoch;
    if (this.#missing.get(epoch) !== missing) return;
    await keepClosingCheckpoint(ledger, epoch, note);
    this.#missing.delete(epoch);
    log.info({ epoch, size: missing.size }, 'the closing checkpoint of this epoch is here');
    const own = ownIn(missing.epoch);
    const still = ledger.epoch.validators.some(
      ({ cosigner }) => own !== undefined && equalBytes(cosigner, own.validator.cosigner),
    );
    if (own !== undefined && !still)
      log.info({ epoch }, 'the vote, log and cosigner keys that this node had in this epoch may be erased now');
  }

  async #ask(missing: Missing): Promise<void> {
    const { ledger, askable, fetch, log } = this.#modules;
    const peers = askable();
    const peer = peers[missing.asked % Math.max(1, peers.length)];
    if (peer === undefined) return;
    this.#asking += 1;
    try {
      const answer = await fetch(peer, missing.epoch.epoch);
      if (answer === undefined) return;
      const { chain, origin } = ledger.genesis;
      const { note, size, root } = readPublished(decodeUtf8(answer), { chain, origin }, missing.epoch);
      if (size !== missing.size || root !== missing.root)
        throw new WeftError('CHECKPOINT_INVALID', `It is of size ${size}, the epoch ended at ${missing.size}.`);
      this.#write(() => this.#keep(missing, note));
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      log.debug({ peer, epoch: missing.epoch.epoch, code: error.code }, 'no closing checkpoint from this peer');
    } finally {
      this.#asking -= 1;
    }
  }

  #write(work: () => Promise<void>): void {
    this.#writes = this.#writes.then(work).catch((error: unknown) => {
      if (!this.#stopped) this.#modules.failed(error);
    });
  }

  /** Held for ever, also where the blocks around it were pruned or never were. */
  #closingHeader(epoch: number): Header | undefined {
    return this.#modules.ledger.closingBlock(epoch)?.header;
  }
}

function ownNoteName(epoch: number): string {
  return `closing-own/${epoch}`;
}

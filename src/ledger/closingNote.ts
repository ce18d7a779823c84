import { decodeUtf8, encodeUtf8 } from '../codec/utf8.ts';

/**
 * Where a node keeps what stays for ever: the checkpoint of the block that closed an epoch, a signed note of one log line and q
 * cosigner lines of that epoch's validators.
 */
type Notes = {
  note(name: string): Uint8Array | undefined;
  putNote(name: string, value: Uint8Array): Promise<void>;
};

/** Undefined where it is not here. */
export function closingCheckpoint(notes: Pick<Notes, 'note'>, epoch: number): string | undefined {
  if (!Number.isSafeInteger(epoch) || epoch < 1) return undefined;
  const stored = notes.note(nameOf(epoch));
  return stored === undefined ? undefined : decodeUtf8(stored);
}

/** Durable when resolved. The caller has verified it. */
export function keepClosingCheckpoint(notes: Pick<Notes, 'putNote'>, epoch: number, checkpoint: string): Promise<void> {
  return notes.putNote(nameOf(epoch), encodeUtf8(checkpoint));
}

function nameOf(epoch: number): string {
  return `closing/${epoch}`;
}

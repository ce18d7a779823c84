import type { WeftError } from '../codec/error.ts';
import { type Verify, verifyLogSignature } from '../log/checkpoint.ts';
import { checkpointTime, verifyCosignature } from '../log/cosignature.ts';
import type { Note } from '../log/note.ts';
import type { Trust } from './trust.ts';

/** Who stands behind a checkpoint, and since when. */
export type Quorum = {
  /** Milliseconds UTC at which at least one honest validator had signed. */
  readonly time: number;
  /** Names of the validators that cosigned, in policy order. */
  readonly cosigners: readonly string[];
};

/** What is wrong with a note: not the lines that it should have, or a line that does not hold. */
export type NoteFault = 'SIGNATURES' | 'SIGNATURE_INVALID';

/**
 * The one form in which checkpoints stand in tokens, statuses and walks: one log line, then exactly q lines of distinct cosigners in
 * policy order, and every one of them holds. Throws what `refuse` makes of a fault.
 */
export function verifyQuorum(
  note: Note,
  trust: Trust,
  verify: Verify,
  refuse: (fault: NoteFault, why: string) => WeftError,
): Quorum {
  const [logLine, ...lines] = note.signatures;
  if (logLine === undefined || lines.length !== trust.quorum) {
    throw refuse('SIGNATURES', `${lines.length} cosigner lines instead of exactly ${trust.quorum}`);
  }
  const logKeys = trust.logs.filter(({ name, keyId }) => name === logLine.name && keyId === logLine.keyId);
  if (logKeys.length === 0) throw refuse('SIGNATURES', 'its first line is by no log key of the trust file');
  // Positions only grow, so no cosigner counts twice; trust files hold no public key twice.
  let position = -1;
  const signers = lines.map((line) => {
    const at = trust.cosigners.findIndex(({ key }) => key.name === line.name && key.keyId === line.keyId);
    if (at < 0) throw refuse('SIGNATURES', 'a line is by no cosigner of the trust file');
    if (at <= position) throw refuse('SIGNATURES', 'cosigner lines are not in the order of the trust file');
    position = at;
    return { line, cosigner: trust.cosigners[at] };
  });
  if (!logKeys.some((key) => verifyLogSignature(note.text, logLine, key, verify))) {
    throw refuse('SIGNATURE_INVALID', 'the log signature does not hold');
  }
  const times: number[] = [];
  const cosigners: string[] = [];
  for (const { line, cosigner } of signers) {
    const timeS = cosigner === undefined ? undefined : verifyCosignature(note.text, line, cosigner.key, verify);
    if (cosigner === undefined || timeS === undefined) {
      throw refuse('SIGNATURE_INVALID', `the cosignature of ${line.name} does not hold`);
    }
    times.push(timeS);
    cosigners.push(cosigner.name);
  }
  return { time: checkpointTime(times, trust.cosigners.length), cosigners };
}

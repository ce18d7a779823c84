import { WeftError } from '../codec/error.ts';
import type { Hash } from './hasher.ts';
import { algCosigner, algLog, formatVkey, parseVkey, type Vkey } from './vkey.ts';

/** C2SP tlog-policy: which logs, which witnesses, and how many of the latter make a checkpoint trusted. */
export type TlogPolicy = {
  readonly logs: readonly { readonly key: Vkey; readonly url?: string }[];
  readonly witnesses: readonly { readonly name: string; readonly key: Vkey; readonly url: string }[];
  readonly groups: readonly {
    readonly name: string;
    readonly threshold: number;
    readonly members: readonly string[];
  }[];
  /** A witness, a group, or `none`. */
  readonly quorum: string;
  /** Comment lines without `#` and the space after it; meaning is the writer's. */
  readonly comments: readonly string[];
};

const lengthMax = 128 * 1024;
const linesMax = 1024;
/** Of each kind of line; C2SP asks for at least 32. */
const kindMax = 128;
const keywords = new Set(['log', 'witness', 'group', 'any', 'all', 'none', 'quorum']);

/** Witness names, which are validator names: 1-32 of `a-z0-9-`, no keyword. */
function isWitnessName(name: string): boolean {
  return /^[a-z0-9-]{1,32}$/.test(name) && !keywords.has(name);
}

/** Printable ASCII, no space, no `#` (some readers take it for a comment), http or https. */
function isWitnessUrl(url: string): boolean {
  return url.length <= 512 && /^https?:\/\/[!"$-~]+$/.test(url);
}

/** Comments first, then logs, witnesses, groups, quorum. Throws TLOG_POLICY_INVALID for what could not be read back. */
export function formatTlogPolicy(hash: Hash, policy: TlogPolicy): string {
  const lines = [
    ...policy.comments.map((comment) => `# ${comment}`),
    ...policy.logs.map(({ key, url }) => `log ${formatVkey(key)}${url === undefined ? '' : ` ${url}`}`),
    ...policy.witnesses.map(({ name, key, url }) => `witness ${name} ${formatVkey(key)} ${url}`),
    ...policy.groups.map(({ name, threshold, members }) => `group ${name} ${threshold} ${members.join(' ')}`),
    `quorum ${policy.quorum}`,
  ];
  const text = `${lines.join('\n')}\n`;
  parseTlogPolicy(hash, text);
  return text;
}

/**
 * Strict where C2SP leaves room: our names rule, ASCII outside comments, every witness has a URL. Groups may hold
 * groups. Throws TLOG_POLICY_INVALID with the line.
 */
export function parseTlogPolicy(hash: Hash, text: string): TlogPolicy {
  if (text.length > lengthMax) throw invalid(0, `it is longer than ${lengthMax} characters`);
  if (!text.endsWith('\n')) throw invalid(0, 'the last line does not end in a newline');
  const lines = text.slice(0, -1).split('\n', linesMax + 1);
  if (lines.length > linesMax) throw invalid(0, `it has more than ${linesMax} lines`);
  const reader = new PolicyReader(hash);
  for (const [position, line] of lines.entries()) reader.line(position + 1, line);
  return reader.finish(lines.length);
}

/** Whether the witnesses named in `cosigned` fulfil the policy's quorum. */
export function quorumReached(policy: TlogPolicy, cosigned: ReadonlySet<string>): boolean {
  const reached = new Set(cosigned);
  reached.add('none');
  // Groups name only what precedes them, so one pass in order decides all.
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => reached.has(member)).length >= threshold) reached.add(name);
  }
  return reached.has(policy.quorum);
}

type Mutable<T> = T extends readonly (infer E)[] ? E[] : never;

class PolicyReader {
  readonly #hash: Hash;
  readonly #logs: Mutable<TlogPolicy['logs']> = [];
  readonly #witnesses: Mutable<TlogPolicy['witnesses']> = [];
  readonly #groups: Mutable<TlogPolicy['groups']> = [];
  readonly #comments: string[] = [];
  readonly #names = new Set<string>();
  readonly #keys = new Set<string>();
  #quorum: string | undefined;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  line(number: number, line: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: tab is the one control character a line may hold
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line) || !line.isWellFormed())
      throw invalid(number, 'a character is not allowed');
    const trimmed = line.replace(/^[ \t]+|[ \t]+$/g, '');
    if (trimmed === '') return;
    if (trimmed.startsWith('#')) {
      this.#comments.push(trimmed.replace(/^# ?/, ''));
      return;
    }
    if (!/^[\t -~]*$/.test(trimmed)) throw invalid(number, 'only comments may hold other characters than ASCII');
    const [keyword, ...fields] = trimmed.split(/[ \t]+/);
    if (keyword === 'log') this.#log(number, fields);
    else if (keyword === 'witness') this.#witness(number, fields);
    else if (keyword === 'group') this.#group(number, fields);
    else if (keyword === 'quorum') this.#setQuorum(number, fields);
    else throw invalid(number, 'it begins with none of log, witness, group, quorum, #');
  }

  finish(lines: number): TlogPolicy {
    if (this.#quorum === undefined) throw invalid(lines, 'no line names the quorum');
    return {
      logs: this.#logs,
      witnesses: this.#witnesses,
      groups: this.#groups,
      quorum: this.#quorum,
      comments: this.#comments,
    };
  }

  #log(number: number, [vkey, url, ...more]: readonly string[]): void {
    if (vkey === undefined || more.length > 0) throw invalid(number, 'it should read: log <vkey> [<url>]');
    if (url !== undefined && !isWitnessUrl(url)) throw invalid(number, 'the URL is not http or https in plain ASCII');
    if (this.#logs.length >= kindMax) throw invalid(number, `there are more than ${kindMax} logs`);
    const key = this.#key(number, vkey, algLog);
    this.#logs.push(url === undefined ? { key } : { key, url });
  }

  #witness(number: number, [name, vkey, url, ...more]: readonly string[]): void {
    if (name === undefined || vkey === undefined || url === undefined || more.length > 0) {
      throw invalid(number, 'it should read: witness <name> <vkey> <url>');
    }
    if (!isWitnessName(name)) throw invalid(number, 'a witness name is 1-32 of a-z 0-9 - and no keyword');
    if (!isWitnessUrl(url)) throw invalid(number, 'the URL is not http or https in plain ASCII');
    if (this.#witnesses.length >= kindMax) throw invalid(number, `there are more than ${kindMax} witnesses`);
    this.#define(number, name);
    this.#witnesses.push({ name, key: this.#key(number, vkey, algCosigner), url });
  }

  #group(number: number, [name, count, ...members]: readonly string[]): void {
    if (name === undefined || count === undefined || members.length === 0) {
      throw invalid(number, 'it should read: group <name> <k|any|all> <member>...');
    }
    if (!/^[A-Za-z0-9-]{1,32}$/.test(name) || keywords.has(name)) {
      throw invalid(number, 'a group name is 1-32 of A-Z a-z 0-9 - and no keyword');
    }
    if (members.length > kindMax || this.#groups.length >= kindMax)
      throw invalid(number, `more than ${kindMax} of them`);
    if (new Set(members).size !== members.length) throw invalid(number, 'a member is listed twice');
    const known = [...this.#groups.flatMap((group) => group.members)];
    for (const member of members) {
      if (!this.#names.has(member)) throw invalid(number, 'a member is not defined on a line before');
      if (known.includes(member)) throw invalid(number, 'a member belongs to another group already');
    }
    const threshold =
      count === 'any' ? 1 : count === 'all' ? members.length : /^[1-9][0-9]{0,2}$/.test(count) ? Number(count) : 0;
    if (threshold < 1 || threshold > members.length)
      throw invalid(number, 'the threshold is not between 1 and the number of members');
    this.#define(number, name);
    this.#groups.push({ name, threshold, members });
  }

  #setQuorum(number: number, [name, ...more]: readonly string[]): void {
    if (name === undefined || more.length > 0) throw invalid(number, 'it should read: quorum <name>');
    if (this.#quorum !== undefined) throw invalid(number, 'the quorum is named twice');
    if (name !== 'none' && !this.#names.has(name)) throw invalid(number, 'the quorum is not defined on a line before');
    this.#quorum = name;
  }

  #define(number: number, name: string): void {
    if (this.#names.has(name)) throw invalid(number, 'the name is taken');
    this.#names.add(name);
  }

  /** No public key twice, under whatever name: distinct cosigners means distinct keys. */
  #key(number: number, text: string, alg: Vkey['alg']): Vkey {
    let key: Vkey;
    try {
      key = parseVkey(this.#hash, text);
    } catch (error) {
      throw invalid(number, error instanceof WeftError ? error.message : 'the verifier key does not parse');
    }
    if (key.alg !== alg) throw invalid(number, alg === algLog ? 'a log key has type 1' : 'a witness key has type 4');
    const known = key.publicKey.join();
    if (this.#keys.has(known)) throw invalid(number, 'the public key is listed already');
    this.#keys.add(known);
    return key;
  }
}

function invalid(line: number, why: string): WeftError {
  const where = line === 0 ? '' : ` line ${line}:`;
  return new WeftError('TLOG_POLICY_INVALID', `Not a usable tlog-policy:${where} ${why}.`, { line });
}

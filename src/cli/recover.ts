import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { JsonObject } from '../../contracts/types.ts';
import {
  buildTransaction,
  durationMs,
  ed25519TransactionSigner,
  type SignedTransaction,
  sign,
  type WeftClient,
} from '../client/index.ts';
import { fromBase64Url, toBase64Url } from '../codec/base64.ts';
import { WeftError } from '../codec/error.ts';
import { equalBytes } from '../codec/utf8.ts';
import { readKeyFile } from '../crypto/keyfile.ts';
import { type ValidatorKeys, validatorKeysFrom } from '../crypto/validatorKeys.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { Validator } from '../ledger/validatorSet.ts';
import { loadConfig } from '../node/config.ts';
import type { Finding, HomeState } from '../node/homeState.ts';
import type { Step } from '../node/recovery.ts';
import { configOfHome, passphraseOf } from './home.ts';
import { good, note, print, printFields, printJson } from './output.ts';
import { withClient } from './withClient.ts';

type Options = {
  home?: string;
  validator?: string;
  config?: string;
  rebuildStore?: boolean;
  confirm?: boolean;
  rpc?: string;
  expiresIn: string;
  dryRun?: boolean;
  json?: boolean;
};

type Proposal = { readonly id: string; readonly envelope?: string; readonly state: 'printed' | 'submitted' | 'open' };

/** How long the council has. */
const proposalMs = 7 * 24 * 60 * 60 * 1000;

export function recoverCommand(program: Command): void {
  program
    .command('recover')
    .description(
      'Looks at a stopped node, says what is wrong with it and does what brings it back: a new vote key for a lost or damaged journal (with the proposal that has it readmitted), a store fetched anew for a damaged one.',
    )
    .option('--home <dir>', 'home folder')
    .option('--validator <name>', 'which one, when the home has several')
    .option('--config <file>', 'configuration file, instead of --home')
    .option('--rebuild-store', 'fetch the store anew, even if nothing seems wrong with it')
    .option('--confirm', 'go on where only a person can say that it is right (it says what, when it needs it)')
    .option('--rpc <url>', 'a node of the network that runs: the proposal is submitted there')
    .option('--expires-in <duration>', 'how long the signed proposal may be submitted', '5m')
    .option('--dry-run', 'say what it would do, and do nothing')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample: weft recover --home net --validator v1 --rpc http://127.0.0.1:7621\n' +
        'Exit: 0 nothing is wrong, or done; 1 it cannot, or needs --confirm; 2 usage.',
    )
    .action(recoverHome);
}

async function recoverHome(options: Options): Promise<void> {
  const path = configOfHome(options);
  const [{ loadGenesis }, { findingsOf, readHome }, recovery] = await Promise.all([
    import('../ledger/genesis.ts'),
    import('../node/homeState.ts'),
    import('../node/recovery.ts'),
  ]);
  const config = loadConfig(path, process.env);
  const genesis = loadGenesis(new Uint8Array(readFileSync(config.genesis)));
  const state = await readHome(config, genesis);
  const findings = findingsOf(state);
  if (options.json !== true) say(state, findings);
  const { rebuildStore = false, confirm = false } = options;
  const steps = recovery.planOf(state, { rebuildStore, confirm });
  const readmits = recovery.needsReadmission(state, steps);
  if (options.json !== true) {
    for (const { name, says } of steps) print(`will     ${name}: ${says}`);
    if (readmits)
      print('will     propose: asks governance to list the new vote key, signed by the account of this validator');
  }
  if (options.dryRun === true) return finish(options, state, findings, steps, [], undefined);
  const needsPassphrase = steps.some(({ name }) => name === 'new-key') || readmits;
  const passphrase = needsPassphrase ? await passphraseOf(config.keys, `Passphrase of ${config.keys}: `) : null;
  const done: string[] = [];
  await recovery.recover(state, steps, { configPath: path, passphrase, wallMs: Date.now }, ({ name }) => {
    done.push(name);
    if (options.json !== true) print(`${good('done')}     ${name}`);
  });
  const entry = readmits ? await recovery.readmissionEntry(loadConfig(path, process.env), genesis) : undefined;
  const proposal =
    entry === undefined
      ? undefined
      : await propose(options, genesis, entry, await ownKeys(path, config.keys, passphrase), recovery.readmissionBody);
  finish(options, state, findings, steps, done, proposal);
}

function say({ config, genesis, store, journal }: HomeState, findings: readonly Finding[]): void {
  printFields([
    ['node', `${config.name} of ${genesis.chain}`],
    ['store', store.state === 'whole' ? `whole, height ${store.height}, epoch ${store.epoch.epoch}` : store.state],
    [
      'journal',
      journal.state === 'complete'
        ? `complete, epoch ${journal.epoch}, on block ${journal.floorHeight}`
        : journal.state,
    ],
  ]);
  for (const { code, says } of findings) print(`found    ${code}: ${says}`);
  if (findings.length === 0) print(`${good('found')}    nothing that is wrong`);
}

function finish(
  options: Options,
  state: HomeState,
  findings: readonly Finding[],
  steps: readonly Step[],
  done: readonly string[],
  proposal: Proposal | undefined,
): void {
  const { name } = state.config;
  if (options.json === true) {
    printJson({
      name,
      chain: state.genesis.chain,
      findings,
      steps: steps.map((each) => each.name),
      done,
      proposal: proposal ?? null,
    });
    return;
  }
  if (proposal?.state === 'printed') {
    print(proposal.envelope);
    note('Submit the line above before it expires: weft tx submit --rpc URL -   (or run this again with --rpc URL)');
  } else if (proposal !== undefined) {
    print(`proposal ${proposal.id} ${proposal.state === 'open' ? 'is open already' : 'is submitted'}`);
  }
  if (proposal !== undefined)
    note(
      `Next: start the node; it follows without a vote. When the council has approved ${proposal.id} (weft governance approve), it votes with its new key.`,
    );
  else if (done.length > 0) note('Next: start the node.');
}

type OwnKeys = { readonly present: ValidatorKeys; readonly next: ValidatorKeys };

async function ownKeys(configPath: string, keys: string, passphrase: string | null): Promise<OwnKeys> {
  const { nextKeys } = loadConfig(configPath, process.env);
  const present = validatorKeysFrom(await readKeyFile(keys, passphrase));
  return {
    present,
    next: nextKeys === undefined ? present : validatorKeysFrom(await readKeyFile(nextKeys, passphrase)),
  };
}

async function propose(
  options: Options,
  genesis: Genesis,
  own: Validator,
  keys: OwnKeys,
  bodyOf: (entry: Validator, expires: number) => Record<string, unknown>,
): Promise<Proposal> {
  const signed = (entry: Validator): SignedTransaction => {
    const body = bodyOf(entry, Date.now() + proposalMs) as JsonObject;
    const { chain } = genesis;
    const expiresInMs = durationMs(options.expiresIn);
    const { account } = entry;
    return sign(buildTransaction({ chain, account, type: 'governance.propose', body, expiresInMs }), [
      ed25519TransactionSigner(keys.present.account.seed),
    ]);
  };
  if (options.rpc === undefined) {
    const transaction = signed(withOwnKeys(own, keys));
    return { id: transaction.id, envelope: transaction.text, state: 'printed' };
  }
  return withClient(options.rpc, async (client): Promise<Proposal> => {
    const entry = withOwnKeys(await listedNow(client, own), keys);
    const open = await openProposal(client, entry);
    if (open !== undefined) return { id: open, state: 'open' };
    const transaction = signed(entry);
    await client.submitAndWait(transaction);
    return { id: transaction.id, state: 'submitted' };
  });
}

/**
 * The entry as it is to be, every key of it from the files on this machine: a node that is asked may lie, and would have this
 * account ask for keys of another one's under its name.
 * @throws WeftError KEYS_DIFFER
 */
function withOwnKeys(listed: Validator, { present, next }: OwnKeys): Validator {
  const differ = (['peer', 'log', 'cosigner'] as const).filter(
    (role) => ![present, next].some((keys) => equalBytes(listed[role], keys[role].publicKey)),
  );
  if (differ.length > 0) {
    const each = differ.map(
      (role) => `${role}: listed ${toBase64Url(listed[role])}, here ${toBase64Url(present[role].publicKey)}`,
    );
    throw new WeftError(
      'KEYS_DIFFER',
      `other keys are listed for ${listed.name} than the key file holds (${each.join('; ')}). Ask another node with --rpc. If they all say so, the file that was listed last is elsewhere: point keys of the configuration at it`,
    );
  }
  return {
    ...listed,
    peer: next.peer.publicKey,
    vote: next.vote.publicKey,
    log: next.log.publicKey,
    cosigner: next.cosigner.publicKey,
  };
}

type Listed = { name: string; peer: string; vote: string; log: string; cosigner: string; account: string; url: string };

/** What the ledger lists by now: the store here may be older, or gone. */
async function listedNow(client: WeftClient, own: Validator): Promise<Validator> {
  const { value } = await client.state('governance/validators/current');
  const { validators } = (value ?? {}) as { validators?: readonly Listed[] };
  const found = validators?.find(({ name }) => name === own.name);
  if (found === undefined)
    throw new WeftError(
      'NODE_UNKNOWN',
      `the ledger lists no validator '${own.name}' any more; join anew: weft init --join URL --chain ID, then weft governance propose validators --add`,
    );
  const key = (text: string): Uint8Array => fromBase64Url(text, 32);
  return {
    ...found,
    peer: key(found.peer),
    vote: key(found.vote),
    log: key(found.log),
    cosigner: key(found.cosigner),
  };
}

/** A proposal that lists this vote key already: a run before this one submitted it. */
async function openProposal(client: WeftClient, entry: Validator): Promise<string | undefined> {
  const agenda = (await client.state('governance/agenda/current')).value as { proposals?: readonly string[] } | null;
  for (const id of agenda?.proposals ?? []) {
    const { value } = await client.state(`governance/proposal/${id}`);
    const { change } = (value ?? {}) as { change?: { set?: readonly { name: string; vote?: string }[] } };
    const same = change?.set?.find(({ name, vote }) => name === entry.name && vote !== undefined);
    if (same?.vote !== undefined && Buffer.from(fromBase64Url(same.vote, 32)).equals(entry.vote)) return id;
  }
  return undefined;
}

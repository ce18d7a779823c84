import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Genesis } from '../../schemas/types/genesis.ts';
import { canonicalJson } from '../codec/canonical.ts';
import { WeftError } from '../codec/error.ts';
import { encodeUtf8 } from '../codec/utf8.ts';
import { consensusDefaults } from '../ledger/consensusDefaults.ts';
import { loadGenesis } from '../ledger/genesis.ts';
import { readDefaultPolicySet } from '../policy/defaultSet.ts';
import { POLICY_ENGINE_ID } from '../policy/engineId.ts';
import type { PolicySetDocument } from '../policy/types.ts';
import { type GenesisAccount, readValidatorRecord, type ValidatorRecord } from './nodeRecord.ts';
import { note, print, printFields, printJson, usage } from './output.ts';

export type GenesisParts = {
  readonly network: string;
  readonly records: readonly ValidatorRecord[];
  /** Besides those of the validators. */
  readonly accounts?: readonly GenesisAccount[];
  /** Peers that follow and do not vote. */
  readonly observers?: Genesis['observers'];
  /** Default: the validators' accounts, a majority of them. */
  readonly council?: Genesis['council'];
  readonly consensus?: Partial<Genesis['consensus']>;
  /** Default: the default set (`genesis/policy/`). */
  readonly policy?: PolicySetDocument;
  /** Milliseconds UTC. Default now. */
  readonly time?: number;
};

/** The genesis document and the chain id that it makes. @throws WeftError GENESIS_INVALID */
export function makeGenesis(parts: GenesisParts): { readonly bytes: Uint8Array; readonly chain: string } {
  const byName = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
    [...list].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const validators = byName(parts.records.map(({ validator }) => validator));
  const members = validators.map(({ account }) => account).sort();
  const { schema, policies } = parts.policy ?? readDefaultPolicySet();
  const document: Genesis = {
    format: 'weft/genesis/v1',
    name: parts.network,
    time: parts.time ?? Date.now(),
    ruleset: 1,
    consensus: { ...consensusDefaults, ...parts.consensus },
    validators,
    observers: byName([...(parts.observers ?? [])]),
    accounts: byName([...parts.records.map(({ account }) => account), ...(parts.accounts ?? [])]),
    council: parts.council ?? { threshold: Math.floor(members.length / 2) + 1, members },
    policy: { engine: { ...POLICY_ENGINE_ID }, schema, policies: policies.map(({ id, text }) => ({ id, text })) },
  };
  const bytes = encodeUtf8(canonicalJson(document));
  return { bytes, chain: loadGenesis(bytes).chain };
}

export function genesisCommand(program: Command): void {
  program
    .command('genesis')
    .description(
      'Makes the genesis document of the public records (weft init) of all validators. Whoever makes it from the same records and time gets the same bytes.',
    )
    .argument('<record...>', 'files with the public record of each validator')
    .requiredOption('--out <file>', 'where to write the genesis document')
    .option(
      '--time <ms>',
      'time of the genesis, milliseconds UTC (default: now); agree on it to get equal files',
      Number,
    )
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: weft genesis v1.json v2.json v3.json v4.json --out genesis.json')
    .action((files: string[], options: { out: string; time?: number; json?: boolean }) => {
      if (options.time !== undefined && !Number.isSafeInteger(options.time))
        throw usage('--time takes milliseconds UTC');
      const records = files.map(readValidatorRecord);
      const network = records[0]?.network ?? '';
      const other = records.find((each) => each.network !== network);
      if (other !== undefined) {
        throw new WeftError(
          'GENESIS_INVALID',
          `the record of ${other.validator.name} is for network ${other.network}, the first for ${network}`,
        );
      }
      const { bytes, chain } = makeGenesis({
        network,
        records,
        ...(options.time === undefined ? {} : { time: options.time }),
      });
      writeFileSync(options.out, bytes, { flag: 'wx' });
      const peers = records.map(({ validator, address }) => ({ name: validator.name, address }));
      if (options.json) return printJson({ genesis: options.out, chain, validators: records.length, peers });
      printFields([
        ['genesis', options.out],
        ['chain', chain],
        ['validators', records.map(({ validator }) => validator.name).join(' ')],
      ]);
      print('\nput under peer: in every config.yaml');
      print('  peers:');
      for (const { name, address } of peers) print(`    - { name: ${name}, address: ${address} }`);
      note('\nGive the file to every operator; all must see the same chain id. Then each: weft start --home DIR');
    });
}

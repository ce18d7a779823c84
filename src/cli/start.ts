import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { loadConfig } from '../node/config.ts';
import type { RpcServer } from '../rpc/server.ts';
import { configOfHome, passphraseOf } from './home.ts';
import { exitCodes, good, note, printFields, printJson, reportFailure, usage } from './output.ts';
import { stopSignal } from './stopSignal.ts';

type Options = {
  home?: string;
  validator?: string;
  config?: string;
  set: string[];
  snapshot?: string | true;
  json?: boolean;
};

export function startCommand(program: Command): void {
  program
    .command('start')
    .description('Runs a node until it is told to stop (SIGINT, SIGTERM).')
    .option('--home <dir>', 'home folder; the configuration is <home>/<validator>/config.yaml')
    .option('--validator <name>', 'which one, when the home has several')
    .option('--config <file>', 'configuration file, instead of --home')
    .option(
      '--set <key=value>',
      'a setting over file and environment, for example rpc.port=7611 (repeatable)',
      (each: string, all: string[]) => [...all, each],
      [],
    )
    .option(
      '--snapshot [source]',
      'begin from a snapshot: a file, a URL, or without one from what peers offer; every byte is verified from genesis on',
    )
    .option('--json', 'print one line of JSON once it is ready')
    .addHelpText('after', '\nExample: weft start --home net --validator v1 --set log.level=debug')
    .action(start);
}

async function start(options: Options): Promise<void> {
  const path = configOfHome(options);
  const flags: Record<string, string> = {};
  for (const each of options.set) {
    const at = each.indexOf('=');
    if (at <= 0) throw usage('--set takes key=value');
    flags[each.slice(0, at)] = each.slice(at + 1);
  }
  const config = loadConfig(path, process.env, flags);
  const passphrase = await passphraseOf(config.keys, `Passphrase of ${config.keys}: `);
  const [{ startNode }, { createRpcServer }] = await Promise.all([
    import('../node/start.ts'),
    import('../rpc/server.ts'),
  ]);
  const fatal = (error: unknown): void => {
    const code = reportFailure(error, options.json === true);
    setTimeout(() => process.exit(code), 50);
  };
  const { snapshot } = options;
  const node = await startNode(config, {
    passphrase,
    version: packageJson.version,
    fatal,
    ...(snapshot === undefined ? {} : { snapshot }),
  });
  // A defect of ours: the log must say it, whoever started us; going on with a broken promise would be worse than stopping.
  process.on('uncaughtException', (error) => {
    node.log.error({ error: error.stack ?? String(error) }, 'stopped by a defect of Weft; please report it');
    fatal(error);
  });
  let server: RpcServer | undefined;
  try {
    if (config.rpc.enabled) server = await createRpcServer({ api: node.api, config: config.rpc, logger: node.log });
  } catch (error) {
    await node.close();
    throw error;
  }
  const { chain, origin } = node.api.status();
  if (options.json)
    printJson({ ready: true, name: config.name, chain, origin, rpc: server?.url ?? null, peer: config.peer.listen });
  else {
    printFields([
      ['node', good(`${config.name} (${config.role}) runs`)],
      ['chain', chain],
      ['peers', config.peer.listen.join(' ')],
      ['rpc', server?.url ?? 'off'],
      ['data', config.data],
    ]);
    note('Stop it with Ctrl-C. Its state: weft query status --rpc URL');
  }
  await stopSignal();
  await server?.close();
  await node.close();
  process.exit(exitCodes.holds);
}

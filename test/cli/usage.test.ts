import { Command } from 'commander';
import t from 'tap';
import { groups } from '../../src/cli/run.ts';
import { weft } from './run.ts';

const commands = [
  'dev',
  'init',
  'genesis',
  'testnet',
  'start',
  'keys new',
  'keys show',
  'keys rotate',
  'keys public',
  'keys next',
  'governance list',
  'governance show',
  'governance propose validators',
  'governance propose observers',
  'governance propose parameters',
  'governance propose ruleset',
  'governance propose council',
  'governance approve',
  'governance withdraw',
  'governance evidence',
  'identity invite',
  'identity show',
  'identity suspend',
  'identity resume',
  'intent propose',
  'intent approve',
  'intent consume',
  'intent report',
  'intent cancel',
  'intent show',
  'intent list',
  'intent actions',
  'tx build',
  'tx sign',
  'tx submit',
  'tx wait',
  'query status',
  'query block',
  'query entry',
  'query state',
  'query tx',
  'query records',
  'query blocks',
  'query alerts',
  'query checkpoint',
  'policy show',
  'policy simulate',
  'policy diff',
  'agent probe',
  'agent release',
  'token get',
  'token verify',
  'token status',
  'token explain',
  'trust show',
  'trust update',
  'trust walk',
  'prove key',
  'prove account',
  'prove policy',
  'prove model',
  'prove state',
  'query proof',
  'export',
  'audit',
  'verify log',
  'verify key',
  'verify account',
  'verify policy',
  'verify model',
  'verify state',
  'compare',
];

t.test('every command has help with an example and --json', async (t) => {
  for (const command of commands) {
    const [name, ...rest] = command.split(' ');
    const group = groups.find((each) => each.name === name);
    t.ok(group, `${name} is a command`);
    let out = '';
    const program = new Command('weft').exitOverride().configureOutput({
      writeOut: (text) => {
        out += text;
      },
    });
    (await group!.load())(program);
    await t.rejects(program.parseAsync([name!, ...rest, '--help'], { from: 'user' }), {
      code: 'commander.helpDisplayed',
    });
    t.match(out, /Example: weft /, `${command} has an example`);
    t.match(out, '--json', `${command} has --json`);
  }
});

t.test('weft --help lists all, and nothing else is needed to see it', async (t) => {
  const { code, out } = await weft(['--help']);
  t.equal(code, 0);
  const token = await weft(['token', 'verify', '--help']);
  t.equal(token.code, 0, 'help is no failure');
  for (const command of commands) t.match(out, new RegExp(`^  ${command.split(' ')[0]}\\s`, 'm'));
  const version = await weft(['--version']);
  t.match(version.out, /^\d+\.\d+\.\d+\n$/);
});

t.test('wrong usage is exit code 2 and says so on standard error', async (t) => {
  const wrong = [
    [],
    ['bogus'],
    ['tx'],
    ['tx', 'sign'],
    ['tx', 'sign', '--account', 'a', '--type', 't', '--body', '{}'],
    ['tx', 'sign', '--home', 'x', '--account', 'a', '--type', 't', '--body', '{'],
    [
      'tx',
      'build',
      '--chain',
      'weft-test-000000000000',
      '--account',
      'a',
      '--type',
      'identity.suspend',
      '--body',
      '[]',
    ],
    ['tx', 'build', '--chain', 'c', '--account', 'a', '--type', 't', '--body', '{}', '--expires-in', 'soon'],
    ['token', 'get', '--rpc', 'http://127.0.0.1:1'],
    ['token', 'verify', 'x'],
    ['query', 'block', 'x', '--rpc', 'http://127.0.0.1:1'],
    ['start'],
    ['keys', 'new'],
  ];
  for (let at = 0; at < wrong.length; at += 4) {
    await Promise.all(
      wrong.slice(at, at + 4).map(async (args) => {
        const { code, out, err } = await weft(args);
        t.equal(code, 2, args.join(' '));
        t.ok(err.length > 0 || args.length === 0);
        if (args.length > 0) t.equal(out, '', 'standard output stays clean');
      }),
    );
  }
});

t.test('what is refused is exit code 1 with its code, as JSON too', async (t) => {
  const refused = await weft(['query', 'status', '--rpc', 'http://127.0.0.1:1']);
  t.equal(refused.code, 1);
  t.match(refused.err, '[RPC_UNREACHABLE]');
  const json = await weft(['query', 'status', '--rpc', 'http://127.0.0.1:1', '--json']);
  t.equal(json.code, 1);
  t.equal(JSON.parse(json.err).error.code, 'RPC_UNREACHABLE');
  const url = await weft(['trust', '--rpc', 'nonsense']);
  t.equal(url.code, 1);
  t.match(url.err, '[RPC_URL_INVALID]');
});

// A process that runs one grant and stops dead at one step, for whoever kills it there (test/e2e/executor.test.ts).
//   node victim.ts <step or "act"> <folder> <intent> <effect as JSON> <seed as hex> <trust file> <rpc> <file that the act appends to>
import { appendFileSync } from 'node:fs';
import { ed25519TransactionSigner } from '../../src/client/index.ts';
import { openExecutor } from '../../src/executor/create.ts';

const [step = '', stateDir = '', intent = '', effect = '', seed = '', trust = '', rpc = '', file = ''] =
  process.argv.slice(2);

async function stopAt(name: string): Promise<void> {
  if (name !== step) return;
  process.stdout.write('here\n');
  // Something to wait for, or the process would end by itself.
  await new Promise((resolve) => setTimeout(resolve, 600_000));
}

const executor = await openExecutor(
  {
    account: 'actuator-web-1',
    signers: [ed25519TransactionSigner(new Uint8Array(Buffer.from(seed, 'hex')))],
    trust,
    rpc: [rpc],
    stateDir,
  },
  { step: stopAt },
);
await executor.run(intent, JSON.parse(effect), async () => {
  appendFileSync(file, 'done\n');
  await stopAt('act');
  return { outcome: 'done' };
});
process.stdout.write('ended\n');

/**
 * `weft/executor`: for routers, sidecars and actuators. Nothing is done without a commit of the ledger.
 *
 *     const executor = await createExecutor({
 *       account: 'actuator-web-3', signers: [ed25519TransactionSigner(seed)],
 *       trust: '/etc/weft/trust.txt', rpc: ['http://10.0.0.1:7611', 'http://10.0.0.2:7611'],
 *       stateDir: '/var/lib/actuator',
 *     });
 *     await executor.resume();
 *     const effect = { host: 'web-3', service: 'nginx' };
 *     const report = await executor.run(intent, effect, async ({ effect, signal }) => {
 *       await restart(effect, signal);
 *       return { outcome: 'done' };
 *     });
 */
export { WeftError } from '../codec/error.ts';
export { createExecutor, type ExecutorOptions } from './create.ts';
export type { Executor, OpenAttempt, RunOptions, RunReport } from './executor.ts';
export type { Act, Outcome, Permission } from './permission.ts';

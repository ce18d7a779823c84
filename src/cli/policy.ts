import type { Command } from 'commander';
import { policyCheckCommand } from './policyCheck.ts';
import { policyDiffCommand } from './policyDiff.ts';
import { policyShowCommand } from './policyShow.ts';
import { policySimulateCommand } from './policySimulate.ts';

/** One file per command; this one only names them. */
export function policyCommand(program: Command): void {
  const policy = program
    .command('policy')
    .description(
      'What the ledger allows: the set in force, and sets that are to be. Changing it: weft governance propose policy.',
    );
  policyShowCommand(policy);
  policyCheckCommand(policy);
  policySimulateCommand(policy);
  policyDiffCommand(policy);
}

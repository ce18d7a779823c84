// Packets on the ledger: committed before they travel, acknowledged by their targets, reported when something does not
// fit. Packets are many, so they live in the log only: no transaction here changes state. See README.md.
import type { PacketsMismatchBody } from '../../schemas/types/tx/packets.mismatch.ts';
import { serviceUid } from '../authorisation.ts';
import { type Contract, recordHead, rule } from '../contract.ts';
import { acknowledge } from './acknowledge.ts';
import { commit } from './commit.ts';

const mismatch = rule<PacketsMismatchBody>('packets.mismatch', {
  question: ({ kind }) => ({ resource: serviceUid('packets'), context: { kind } }),
  apply({ id, kind, expected, observed, evidence }, context) {
    const record = {
      ...recordHead('packets.mismatched', context),
      by: context.tx.account,
      id,
      kind,
      expected,
      observed,
      evidence,
    };
    return { records: [record], changes: new Map() };
  },
});

export const packets: Contract = { name: 'packets', rules: [commit, acknowledge, mismatch] };

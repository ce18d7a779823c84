// Generated from the schemas beside this folder by `npm run types`. Change those, not this.
import schema0 from '../account-record.schema.json' with { type: 'json' };
import schema1 from '../common.schema.json' with { type: 'json' };
import schema2 from '../config.schema.json' with { type: 'json' };
import schema3 from '../genesis-template.schema.json' with { type: 'json' };
import schema4 from '../genesis.schema.json' with { type: 'json' };
import schema5 from '../instance-record.schema.json' with { type: 'json' };
import schema6 from '../model-record.schema.json' with { type: 'json' };
import schema7 from '../nld-packet.schema.json' with { type: 'json' };
import schema8 from '../record/block.schema.json' with { type: 'json' };
import schema9 from '../record/epoch.schema.json' with { type: 'json' };
import schema10 from '../record/genesis.schema.json' with { type: 'json' };
import schema11 from '../record/governance.approved.schema.json' with { type: 'json' };
import schema12 from '../record/governance.effective.schema.json' with { type: 'json' };
import schema13 from '../record/governance.evidence.schema.json' with { type: 'json' };
import schema14 from '../record/governance.lapsed.schema.json' with { type: 'json' };
import schema15 from '../record/governance.proposed.schema.json' with { type: 'json' };
import schema16 from '../record/governance.ready.schema.json' with { type: 'json' };
import schema17 from '../record/governance.uploaded.schema.json' with { type: 'json' };
import schema18 from '../record/governance.withdrawn.schema.json' with { type: 'json' };
import schema19 from '../record/identity.assigned.schema.json' with { type: 'json' };
import schema20 from '../record/identity.redeemed.schema.json' with { type: 'json' };
import schema21 from '../record/identity.registered.schema.json' with { type: 'json' };
import schema22 from '../record/identity.resumed.schema.json' with { type: 'json' };
import schema23 from '../record/identity.revoked.schema.json' with { type: 'json' };
import schema24 from '../record/identity.rotated.schema.json' with { type: 'json' };
import schema25 from '../record/identity.suspended.schema.json' with { type: 'json' };
import schema26 from '../record/identity.ticketed.schema.json' with { type: 'json' };
import schema27 from '../record/models.attested.schema.json' with { type: 'json' };
import schema28 from '../record/models.authorised.schema.json' with { type: 'json' };
import schema29 from '../record/models.registered.schema.json' with { type: 'json' };
import schema30 from '../record/models.related.schema.json' with { type: 'json' };
import schema31 from '../record/models.revoked.schema.json' with { type: 'json' };
import schema32 from '../record/packets.acknowledged.schema.json' with { type: 'json' };
import schema33 from '../record/packets.committed.schema.json' with { type: 'json' };
import schema34 from '../record/packets.mismatched.schema.json' with { type: 'json' };
import schema35 from '../record/routing.published.schema.json' with { type: 'json' };
import schema36 from '../record/routing.restored.schema.json' with { type: 'json' };
import schema37 from '../record/routing.switched.schema.json' with { type: 'json' };
import schema38 from '../record/tx.refused.schema.json' with { type: 'json' };
import schema39 from '../record/tx.schema.json' with { type: 'json' };
import schema40 from '../routing-table.schema.json' with { type: 'json' };
import schema41 from '../rpc.schema.json' with { type: 'json' };
import schema42 from '../state-proof.schema.json' with { type: 'json' };
import schema43 from '../transaction.schema.json' with { type: 'json' };
import schema44 from '../tx/governance.approve.schema.json' with { type: 'json' };
import schema45 from '../tx/governance.evidence.schema.json' with { type: 'json' };
import schema46 from '../tx/governance.propose.schema.json' with { type: 'json' };
import schema47 from '../tx/governance.ready.schema.json' with { type: 'json' };
import schema48 from '../tx/governance.text.schema.json' with { type: 'json' };
import schema49 from '../tx/governance.withdraw.schema.json' with { type: 'json' };
import schema50 from '../tx/identity.redeem.schema.json' with { type: 'json' };
import schema51 from '../tx/identity.register.schema.json' with { type: 'json' };
import schema52 from '../tx/identity.resume.schema.json' with { type: 'json' };
import schema53 from '../tx/identity.revoke.schema.json' with { type: 'json' };
import schema54 from '../tx/identity.roles.schema.json' with { type: 'json' };
import schema55 from '../tx/identity.rotate.schema.json' with { type: 'json' };
import schema56 from '../tx/identity.suspend.schema.json' with { type: 'json' };
import schema57 from '../tx/identity.ticket.schema.json' with { type: 'json' };
import schema58 from '../tx/models.attest.schema.json' with { type: 'json' };
import schema59 from '../tx/models.authorise.schema.json' with { type: 'json' };
import schema60 from '../tx/models.lineage.schema.json' with { type: 'json' };
import schema61 from '../tx/models.register.schema.json' with { type: 'json' };
import schema62 from '../tx/models.revoke.schema.json' with { type: 'json' };
import schema63 from '../tx/packets.acknowledge.schema.json' with { type: 'json' };
import schema64 from '../tx/packets.commit.schema.json' with { type: 'json' };
import schema65 from '../tx/packets.mismatch.schema.json' with { type: 'json' };
import schema66 from '../tx/routing.instance.schema.json' with { type: 'json' };
import schema67 from '../tx/routing.publish.schema.json' with { type: 'json' };
import schema68 from '../tx/routing.rollback.schema.json' with { type: 'json' };

/** Name → schema document. */
export const schemaDocuments: ReadonlyMap<string, object> = new Map<string, object>([
  ['account-record', schema0],
  ['common', schema1],
  ['config', schema2],
  ['genesis-template', schema3],
  ['genesis', schema4],
  ['instance-record', schema5],
  ['model-record', schema6],
  ['nld-packet', schema7],
  ['record/block', schema8],
  ['record/epoch', schema9],
  ['record/genesis', schema10],
  ['record/governance.approved', schema11],
  ['record/governance.effective', schema12],
  ['record/governance.evidence', schema13],
  ['record/governance.lapsed', schema14],
  ['record/governance.proposed', schema15],
  ['record/governance.ready', schema16],
  ['record/governance.uploaded', schema17],
  ['record/governance.withdrawn', schema18],
  ['record/identity.assigned', schema19],
  ['record/identity.redeemed', schema20],
  ['record/identity.registered', schema21],
  ['record/identity.resumed', schema22],
  ['record/identity.revoked', schema23],
  ['record/identity.rotated', schema24],
  ['record/identity.suspended', schema25],
  ['record/identity.ticketed', schema26],
  ['record/models.attested', schema27],
  ['record/models.authorised', schema28],
  ['record/models.registered', schema29],
  ['record/models.related', schema30],
  ['record/models.revoked', schema31],
  ['record/packets.acknowledged', schema32],
  ['record/packets.committed', schema33],
  ['record/packets.mismatched', schema34],
  ['record/routing.published', schema35],
  ['record/routing.restored', schema36],
  ['record/routing.switched', schema37],
  ['record/tx.refused', schema38],
  ['record/tx', schema39],
  ['routing-table', schema40],
  ['rpc', schema41],
  ['state-proof', schema42],
  ['transaction', schema43],
  ['tx/governance.approve', schema44],
  ['tx/governance.evidence', schema45],
  ['tx/governance.propose', schema46],
  ['tx/governance.ready', schema47],
  ['tx/governance.text', schema48],
  ['tx/governance.withdraw', schema49],
  ['tx/identity.redeem', schema50],
  ['tx/identity.register', schema51],
  ['tx/identity.resume', schema52],
  ['tx/identity.revoke', schema53],
  ['tx/identity.roles', schema54],
  ['tx/identity.rotate', schema55],
  ['tx/identity.suspend', schema56],
  ['tx/identity.ticket', schema57],
  ['tx/models.attest', schema58],
  ['tx/models.authorise', schema59],
  ['tx/models.lineage', schema60],
  ['tx/models.register', schema61],
  ['tx/models.revoke', schema62],
  ['tx/packets.acknowledge', schema63],
  ['tx/packets.commit', schema64],
  ['tx/packets.mismatch', schema65],
  ['tx/routing.instance', schema66],
  ['tx/routing.publish', schema67],
  ['tx/routing.rollback', schema68],
]);

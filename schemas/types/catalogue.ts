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
import schema9 from '../record/genesis.schema.json' with { type: 'json' };
import schema10 from '../record/identity.assigned.schema.json' with { type: 'json' };
import schema11 from '../record/identity.redeemed.schema.json' with { type: 'json' };
import schema12 from '../record/identity.registered.schema.json' with { type: 'json' };
import schema13 from '../record/identity.resumed.schema.json' with { type: 'json' };
import schema14 from '../record/identity.revoked.schema.json' with { type: 'json' };
import schema15 from '../record/identity.rotated.schema.json' with { type: 'json' };
import schema16 from '../record/identity.suspended.schema.json' with { type: 'json' };
import schema17 from '../record/identity.ticketed.schema.json' with { type: 'json' };
import schema18 from '../record/models.attested.schema.json' with { type: 'json' };
import schema19 from '../record/models.authorised.schema.json' with { type: 'json' };
import schema20 from '../record/models.registered.schema.json' with { type: 'json' };
import schema21 from '../record/models.related.schema.json' with { type: 'json' };
import schema22 from '../record/models.revoked.schema.json' with { type: 'json' };
import schema23 from '../record/packets.acknowledged.schema.json' with { type: 'json' };
import schema24 from '../record/packets.committed.schema.json' with { type: 'json' };
import schema25 from '../record/packets.mismatched.schema.json' with { type: 'json' };
import schema26 from '../record/routing.published.schema.json' with { type: 'json' };
import schema27 from '../record/routing.restored.schema.json' with { type: 'json' };
import schema28 from '../record/routing.switched.schema.json' with { type: 'json' };
import schema29 from '../record/tx.refused.schema.json' with { type: 'json' };
import schema30 from '../record/tx.schema.json' with { type: 'json' };
import schema31 from '../routing-table.schema.json' with { type: 'json' };
import schema32 from '../rpc.schema.json' with { type: 'json' };
import schema33 from '../state-proof.schema.json' with { type: 'json' };
import schema34 from '../transaction.schema.json' with { type: 'json' };
import schema35 from '../tx/identity.redeem.schema.json' with { type: 'json' };
import schema36 from '../tx/identity.register.schema.json' with { type: 'json' };
import schema37 from '../tx/identity.resume.schema.json' with { type: 'json' };
import schema38 from '../tx/identity.revoke.schema.json' with { type: 'json' };
import schema39 from '../tx/identity.roles.schema.json' with { type: 'json' };
import schema40 from '../tx/identity.rotate.schema.json' with { type: 'json' };
import schema41 from '../tx/identity.suspend.schema.json' with { type: 'json' };
import schema42 from '../tx/identity.ticket.schema.json' with { type: 'json' };
import schema43 from '../tx/models.attest.schema.json' with { type: 'json' };
import schema44 from '../tx/models.authorise.schema.json' with { type: 'json' };
import schema45 from '../tx/models.lineage.schema.json' with { type: 'json' };
import schema46 from '../tx/models.register.schema.json' with { type: 'json' };
import schema47 from '../tx/models.revoke.schema.json' with { type: 'json' };
import schema48 from '../tx/packets.acknowledge.schema.json' with { type: 'json' };
import schema49 from '../tx/packets.commit.schema.json' with { type: 'json' };
import schema50 from '../tx/packets.mismatch.schema.json' with { type: 'json' };
import schema51 from '../tx/routing.instance.schema.json' with { type: 'json' };
import schema52 from '../tx/routing.publish.schema.json' with { type: 'json' };
import schema53 from '../tx/routing.rollback.schema.json' with { type: 'json' };

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
  ['record/genesis', schema9],
  ['record/identity.assigned', schema10],
  ['record/identity.redeemed', schema11],
  ['record/identity.registered', schema12],
  ['record/identity.resumed', schema13],
  ['record/identity.revoked', schema14],
  ['record/identity.rotated', schema15],
  ['record/identity.suspended', schema16],
  ['record/identity.ticketed', schema17],
  ['record/models.attested', schema18],
  ['record/models.authorised', schema19],
  ['record/models.registered', schema20],
  ['record/models.related', schema21],
  ['record/models.revoked', schema22],
  ['record/packets.acknowledged', schema23],
  ['record/packets.committed', schema24],
  ['record/packets.mismatched', schema25],
  ['record/routing.published', schema26],
  ['record/routing.restored', schema27],
  ['record/routing.switched', schema28],
  ['record/tx.refused', schema29],
  ['record/tx', schema30],
  ['routing-table', schema31],
  ['rpc', schema32],
  ['state-proof', schema33],
  ['transaction', schema34],
  ['tx/identity.redeem', schema35],
  ['tx/identity.register', schema36],
  ['tx/identity.resume', schema37],
  ['tx/identity.revoke', schema38],
  ['tx/identity.roles', schema39],
  ['tx/identity.rotate', schema40],
  ['tx/identity.suspend', schema41],
  ['tx/identity.ticket', schema42],
  ['tx/models.attest', schema43],
  ['tx/models.authorise', schema44],
  ['tx/models.lineage', schema45],
  ['tx/models.register', schema46],
  ['tx/models.revoke', schema47],
  ['tx/packets.acknowledge', schema48],
  ['tx/packets.commit', schema49],
  ['tx/packets.mismatch', schema50],
  ['tx/routing.instance', schema51],
  ['tx/routing.publish', schema52],
  ['tx/routing.rollback', schema53],
]);

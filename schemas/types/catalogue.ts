// Generated from the schemas beside this folder by `npm run types`. Change those, not this.
import schema0 from '../account-record.schema.json' with { type: 'json' };
import schema1 from '../actions/cache.clear.schema.json' with { type: 'json' };
import schema2 from '../actions/config.restore.schema.json' with { type: 'json' };
import schema3 from '../actions/model.deploy.schema.json' with { type: 'json' };
import schema4 from '../actions/model.retire.schema.json' with { type: 'json' };
import schema5 from '../actions/policy.emergency-block.schema.json' with { type: 'json' };
import schema6 from '../actions/process.renice.schema.json' with { type: 'json' };
import schema7 from '../actions/route.close.schema.json' with { type: 'json' };
import schema8 from '../actions/route.open.schema.json' with { type: 'json' };
import schema9 from '../actions/service.isolate.schema.json' with { type: 'json' };
import schema10 from '../actions/service.restart.schema.json' with { type: 'json' };
import schema11 from '../actions/sysctl.set.schema.json' with { type: 'json' };
import schema12 from '../alert-record.schema.json' with { type: 'json' };
import schema13 from '../common.schema.json' with { type: 'json' };
import schema14 from '../config.schema.json' with { type: 'json' };
import schema15 from '../genesis-template.schema.json' with { type: 'json' };
import schema16 from '../genesis.schema.json' with { type: 'json' };
import schema17 from '../instance-record.schema.json' with { type: 'json' };
import schema18 from '../intent-record.schema.json' with { type: 'json' };
import schema19 from '../model-record.schema.json' with { type: 'json' };
import schema20 from '../nld-packet.schema.json' with { type: 'json' };
import schema21 from '../record/alerts.raised.schema.json' with { type: 'json' };
import schema22 from '../record/alerts.resolved.schema.json' with { type: 'json' };
import schema23 from '../record/block.schema.json' with { type: 'json' };
import schema24 from '../record/epoch.schema.json' with { type: 'json' };
import schema25 from '../record/genesis.schema.json' with { type: 'json' };
import schema26 from '../record/governance.approved.schema.json' with { type: 'json' };
import schema27 from '../record/governance.effective.schema.json' with { type: 'json' };
import schema28 from '../record/governance.evidence.schema.json' with { type: 'json' };
import schema29 from '../record/governance.lapsed.schema.json' with { type: 'json' };
import schema30 from '../record/governance.proposed.schema.json' with { type: 'json' };
import schema31 from '../record/governance.ready.schema.json' with { type: 'json' };
import schema32 from '../record/governance.uploaded.schema.json' with { type: 'json' };
import schema33 from '../record/governance.withdrawn.schema.json' with { type: 'json' };
import schema34 from '../record/identity.assigned.schema.json' with { type: 'json' };
import schema35 from '../record/identity.redeemed.schema.json' with { type: 'json' };
import schema36 from '../record/identity.registered.schema.json' with { type: 'json' };
import schema37 from '../record/identity.resumed.schema.json' with { type: 'json' };
import schema38 from '../record/identity.revoked.schema.json' with { type: 'json' };
import schema39 from '../record/identity.rotated.schema.json' with { type: 'json' };
import schema40 from '../record/identity.suspended.schema.json' with { type: 'json' };
import schema41 from '../record/identity.ticketed.schema.json' with { type: 'json' };
import schema42 from '../record/intents.approved.schema.json' with { type: 'json' };
import schema43 from '../record/intents.cancelled.schema.json' with { type: 'json' };
import schema44 from '../record/intents.consumed.schema.json' with { type: 'json' };
import schema45 from '../record/intents.denied.schema.json' with { type: 'json' };
import schema46 from '../record/intents.granted.schema.json' with { type: 'json' };
import schema47 from '../record/intents.lapsed.schema.json' with { type: 'json' };
import schema48 from '../record/intents.pending.schema.json' with { type: 'json' };
import schema49 from '../record/intents.reported.schema.json' with { type: 'json' };
import schema50 from '../record/models.attested.schema.json' with { type: 'json' };
import schema51 from '../record/models.authorised.schema.json' with { type: 'json' };
import schema52 from '../record/models.registered.schema.json' with { type: 'json' };
import schema53 from '../record/models.related.schema.json' with { type: 'json' };
import schema54 from '../record/models.revoked.schema.json' with { type: 'json' };
import schema55 from '../record/packets.acknowledged.schema.json' with { type: 'json' };
import schema56 from '../record/packets.committed.schema.json' with { type: 'json' };
import schema57 from '../record/packets.mismatched.schema.json' with { type: 'json' };
import schema58 from '../record/routing.published.schema.json' with { type: 'json' };
import schema59 from '../record/routing.restored.schema.json' with { type: 'json' };
import schema60 from '../record/routing.switched.schema.json' with { type: 'json' };
import schema61 from '../record/tx.refused.schema.json' with { type: 'json' };
import schema62 from '../record/tx.schema.json' with { type: 'json' };
import schema63 from '../routing-table.schema.json' with { type: 'json' };
import schema64 from '../rpc.schema.json' with { type: 'json' };
import schema65 from '../state-proof.schema.json' with { type: 'json' };
import schema66 from '../transaction.schema.json' with { type: 'json' };
import schema67 from '../tx/alerts.raise.schema.json' with { type: 'json' };
import schema68 from '../tx/alerts.resolve.schema.json' with { type: 'json' };
import schema69 from '../tx/governance.approve.schema.json' with { type: 'json' };
import schema70 from '../tx/governance.evidence.schema.json' with { type: 'json' };
import schema71 from '../tx/governance.propose.schema.json' with { type: 'json' };
import schema72 from '../tx/governance.ready.schema.json' with { type: 'json' };
import schema73 from '../tx/governance.text.schema.json' with { type: 'json' };
import schema74 from '../tx/governance.withdraw.schema.json' with { type: 'json' };
import schema75 from '../tx/identity.redeem.schema.json' with { type: 'json' };
import schema76 from '../tx/identity.register.schema.json' with { type: 'json' };
import schema77 from '../tx/identity.resume.schema.json' with { type: 'json' };
import schema78 from '../tx/identity.revoke.schema.json' with { type: 'json' };
import schema79 from '../tx/identity.roles.schema.json' with { type: 'json' };
import schema80 from '../tx/identity.rotate.schema.json' with { type: 'json' };
import schema81 from '../tx/identity.suspend.schema.json' with { type: 'json' };
import schema82 from '../tx/identity.ticket.schema.json' with { type: 'json' };
import schema83 from '../tx/intents.approve.schema.json' with { type: 'json' };
import schema84 from '../tx/intents.cancel.schema.json' with { type: 'json' };
import schema85 from '../tx/intents.consume.schema.json' with { type: 'json' };
import schema86 from '../tx/intents.propose.schema.json' with { type: 'json' };
import schema87 from '../tx/intents.report.schema.json' with { type: 'json' };
import schema88 from '../tx/models.attest.schema.json' with { type: 'json' };
import schema89 from '../tx/models.authorise.schema.json' with { type: 'json' };
import schema90 from '../tx/models.lineage.schema.json' with { type: 'json' };
import schema91 from '../tx/models.register.schema.json' with { type: 'json' };
import schema92 from '../tx/models.revoke.schema.json' with { type: 'json' };
import schema93 from '../tx/packets.acknowledge.schema.json' with { type: 'json' };
import schema94 from '../tx/packets.commit.schema.json' with { type: 'json' };
import schema95 from '../tx/packets.mismatch.schema.json' with { type: 'json' };
import schema96 from '../tx/routing.instance.schema.json' with { type: 'json' };
import schema97 from '../tx/routing.publish.schema.json' with { type: 'json' };
import schema98 from '../tx/routing.rollback.schema.json' with { type: 'json' };

/** Name → schema document. */
export const schemaDocuments: ReadonlyMap<string, object> = new Map<string, object>([
  ['account-record', schema0],
  ['actions/cache.clear', schema1],
  ['actions/config.restore', schema2],
  ['actions/model.deploy', schema3],
  ['actions/model.retire', schema4],
  ['actions/policy.emergency-block', schema5],
  ['actions/process.renice', schema6],
  ['actions/route.close', schema7],
  ['actions/route.open', schema8],
  ['actions/service.isolate', schema9],
  ['actions/service.restart', schema10],
  ['actions/sysctl.set', schema11],
  ['alert-record', schema12],
  ['common', schema13],
  ['config', schema14],
  ['genesis-template', schema15],
  ['genesis', schema16],
  ['instance-record', schema17],
  ['intent-record', schema18],
  ['model-record', schema19],
  ['nld-packet', schema20],
  ['record/alerts.raised', schema21],
  ['record/alerts.resolved', schema22],
  ['record/block', schema23],
  ['record/epoch', schema24],
  ['record/genesis', schema25],
  ['record/governance.approved', schema26],
  ['record/governance.effective', schema27],
  ['record/governance.evidence', schema28],
  ['record/governance.lapsed', schema29],
  ['record/governance.proposed', schema30],
  ['record/governance.ready', schema31],
  ['record/governance.uploaded', schema32],
  ['record/governance.withdrawn', schema33],
  ['record/identity.assigned', schema34],
  ['record/identity.redeemed', schema35],
  ['record/identity.registered', schema36],
  ['record/identity.resumed', schema37],
  ['record/identity.revoked', schema38],
  ['record/identity.rotated', schema39],
  ['record/identity.suspended', schema40],
  ['record/identity.ticketed', schema41],
  ['record/intents.approved', schema42],
  ['record/intents.cancelled', schema43],
  ['record/intents.consumed', schema44],
  ['record/intents.denied', schema45],
  ['record/intents.granted', schema46],
  ['record/intents.lapsed', schema47],
  ['record/intents.pending', schema48],
  ['record/intents.reported', schema49],
  ['record/models.attested', schema50],
  ['record/models.authorised', schema51],
  ['record/models.registered', schema52],
  ['record/models.related', schema53],
  ['record/models.revoked', schema54],
  ['record/packets.acknowledged', schema55],
  ['record/packets.committed', schema56],
  ['record/packets.mismatched', schema57],
  ['record/routing.published', schema58],
  ['record/routing.restored', schema59],
  ['record/routing.switched', schema60],
  ['record/tx.refused', schema61],
  ['record/tx', schema62],
  ['routing-table', schema63],
  ['rpc', schema64],
  ['state-proof', schema65],
  ['transaction', schema66],
  ['tx/alerts.raise', schema67],
  ['tx/alerts.resolve', schema68],
  ['tx/governance.approve', schema69],
  ['tx/governance.evidence', schema70],
  ['tx/governance.propose', schema71],
  ['tx/governance.ready', schema72],
  ['tx/governance.text', schema73],
  ['tx/governance.withdraw', schema74],
  ['tx/identity.redeem', schema75],
  ['tx/identity.register', schema76],
  ['tx/identity.resume', schema77],
  ['tx/identity.revoke', schema78],
  ['tx/identity.roles', schema79],
  ['tx/identity.rotate', schema80],
  ['tx/identity.suspend', schema81],
  ['tx/identity.ticket', schema82],
  ['tx/intents.approve', schema83],
  ['tx/intents.cancel', schema84],
  ['tx/intents.consume', schema85],
  ['tx/intents.propose', schema86],
  ['tx/intents.report', schema87],
  ['tx/models.attest', schema88],
  ['tx/models.authorise', schema89],
  ['tx/models.lineage', schema90],
  ['tx/models.register', schema91],
  ['tx/models.revoke', schema92],
  ['tx/packets.acknowledge', schema93],
  ['tx/packets.commit', schema94],
  ['tx/packets.mismatch', schema95],
  ['tx/routing.instance', schema96],
  ['tx/routing.publish', schema97],
  ['tx/routing.rollback', schema98],
]);

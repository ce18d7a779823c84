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
import schema12 from '../agent-config.schema.json' with { type: 'json' };
import schema13 from '../alert-record.schema.json' with { type: 'json' };
import schema14 from '../common.schema.json' with { type: 'json' };
import schema15 from '../config.schema.json' with { type: 'json' };
import schema16 from '../dangerous-intent.schema.json' with { type: 'json' };
import schema17 from '../genesis-template.schema.json' with { type: 'json' };
import schema18 from '../genesis.schema.json' with { type: 'json' };
import schema19 from '../instance-record.schema.json' with { type: 'json' };
import schema20 from '../intent-record.schema.json' with { type: 'json' };
import schema21 from '../model-record.schema.json' with { type: 'json' };
import schema22 from '../nld-packet.schema.json' with { type: 'json' };
import schema23 from '../record/alerts.raised.schema.json' with { type: 'json' };
import schema24 from '../record/alerts.resolved.schema.json' with { type: 'json' };
import schema25 from '../record/block.schema.json' with { type: 'json' };
import schema26 from '../record/epoch.schema.json' with { type: 'json' };
import schema27 from '../record/genesis.schema.json' with { type: 'json' };
import schema28 from '../record/governance.approved.schema.json' with { type: 'json' };
import schema29 from '../record/governance.effective.schema.json' with { type: 'json' };
import schema30 from '../record/governance.evidence.schema.json' with { type: 'json' };
import schema31 from '../record/governance.lapsed.schema.json' with { type: 'json' };
import schema32 from '../record/governance.proposed.schema.json' with { type: 'json' };
import schema33 from '../record/governance.ready.schema.json' with { type: 'json' };
import schema34 from '../record/governance.uploaded.schema.json' with { type: 'json' };
import schema35 from '../record/governance.withdrawn.schema.json' with { type: 'json' };
import schema36 from '../record/identity.assigned.schema.json' with { type: 'json' };
import schema37 from '../record/identity.redeemed.schema.json' with { type: 'json' };
import schema38 from '../record/identity.registered.schema.json' with { type: 'json' };
import schema39 from '../record/identity.resumed.schema.json' with { type: 'json' };
import schema40 from '../record/identity.revoked.schema.json' with { type: 'json' };
import schema41 from '../record/identity.rotated.schema.json' with { type: 'json' };
import schema42 from '../record/identity.suspended.schema.json' with { type: 'json' };
import schema43 from '../record/identity.ticketed.schema.json' with { type: 'json' };
import schema44 from '../record/intents.approved.schema.json' with { type: 'json' };
import schema45 from '../record/intents.cancelled.schema.json' with { type: 'json' };
import schema46 from '../record/intents.consumed.schema.json' with { type: 'json' };
import schema47 from '../record/intents.denied.schema.json' with { type: 'json' };
import schema48 from '../record/intents.granted.schema.json' with { type: 'json' };
import schema49 from '../record/intents.lapsed.schema.json' with { type: 'json' };
import schema50 from '../record/intents.pending.schema.json' with { type: 'json' };
import schema51 from '../record/intents.reported.schema.json' with { type: 'json' };
import schema52 from '../record/models.attested.schema.json' with { type: 'json' };
import schema53 from '../record/models.authorised.schema.json' with { type: 'json' };
import schema54 from '../record/models.registered.schema.json' with { type: 'json' };
import schema55 from '../record/models.related.schema.json' with { type: 'json' };
import schema56 from '../record/models.revoked.schema.json' with { type: 'json' };
import schema57 from '../record/packets.acknowledged.schema.json' with { type: 'json' };
import schema58 from '../record/packets.committed.schema.json' with { type: 'json' };
import schema59 from '../record/packets.mismatched.schema.json' with { type: 'json' };
import schema60 from '../record/routing.published.schema.json' with { type: 'json' };
import schema61 from '../record/routing.restored.schema.json' with { type: 'json' };
import schema62 from '../record/routing.switched.schema.json' with { type: 'json' };
import schema63 from '../record/tx.refused.schema.json' with { type: 'json' };
import schema64 from '../record/tx.schema.json' with { type: 'json' };
import schema65 from '../routing-table.schema.json' with { type: 'json' };
import schema66 from '../rpc.schema.json' with { type: 'json' };
import schema67 from '../state-proof.schema.json' with { type: 'json' };
import schema68 from '../status.schema.json' with { type: 'json' };
import schema69 from '../transaction.schema.json' with { type: 'json' };
import schema70 from '../tx/alerts.raise.schema.json' with { type: 'json' };
import schema71 from '../tx/alerts.resolve.schema.json' with { type: 'json' };
import schema72 from '../tx/governance.approve.schema.json' with { type: 'json' };
import schema73 from '../tx/governance.evidence.schema.json' with { type: 'json' };
import schema74 from '../tx/governance.propose.schema.json' with { type: 'json' };
import schema75 from '../tx/governance.ready.schema.json' with { type: 'json' };
import schema76 from '../tx/governance.text.schema.json' with { type: 'json' };
import schema77 from '../tx/governance.withdraw.schema.json' with { type: 'json' };
import schema78 from '../tx/identity.redeem.schema.json' with { type: 'json' };
import schema79 from '../tx/identity.register.schema.json' with { type: 'json' };
import schema80 from '../tx/identity.resume.schema.json' with { type: 'json' };
import schema81 from '../tx/identity.revoke.schema.json' with { type: 'json' };
import schema82 from '../tx/identity.roles.schema.json' with { type: 'json' };
import schema83 from '../tx/identity.rotate.schema.json' with { type: 'json' };
import schema84 from '../tx/identity.suspend.schema.json' with { type: 'json' };
import schema85 from '../tx/identity.ticket.schema.json' with { type: 'json' };
import schema86 from '../tx/intents.approve.schema.json' with { type: 'json' };
import schema87 from '../tx/intents.cancel.schema.json' with { type: 'json' };
import schema88 from '../tx/intents.consume.schema.json' with { type: 'json' };
import schema89 from '../tx/intents.propose.schema.json' with { type: 'json' };
import schema90 from '../tx/intents.report.schema.json' with { type: 'json' };
import schema91 from '../tx/models.attest.schema.json' with { type: 'json' };
import schema92 from '../tx/models.authorise.schema.json' with { type: 'json' };
import schema93 from '../tx/models.lineage.schema.json' with { type: 'json' };
import schema94 from '../tx/models.register.schema.json' with { type: 'json' };
import schema95 from '../tx/models.revoke.schema.json' with { type: 'json' };
import schema96 from '../tx/packets.acknowledge.schema.json' with { type: 'json' };
import schema97 from '../tx/packets.commit.schema.json' with { type: 'json' };
import schema98 from '../tx/packets.mismatch.schema.json' with { type: 'json' };
import schema99 from '../tx/routing.instance.schema.json' with { type: 'json' };
import schema100 from '../tx/routing.publish.schema.json' with { type: 'json' };
import schema101 from '../tx/routing.rollback.schema.json' with { type: 'json' };
import schema102 from '../walk.schema.json' with { type: 'json' };

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
  ['agent-config', schema12],
  ['alert-record', schema13],
  ['common', schema14],
  ['config', schema15],
  ['dangerous-intent', schema16],
  ['genesis-template', schema17],
  ['genesis', schema18],
  ['instance-record', schema19],
  ['intent-record', schema20],
  ['model-record', schema21],
  ['nld-packet', schema22],
  ['record/alerts.raised', schema23],
  ['record/alerts.resolved', schema24],
  ['record/block', schema25],
  ['record/epoch', schema26],
  ['record/genesis', schema27],
  ['record/governance.approved', schema28],
  ['record/governance.effective', schema29],
  ['record/governance.evidence', schema30],
  ['record/governance.lapsed', schema31],
  ['record/governance.proposed', schema32],
  ['record/governance.ready', schema33],
  ['record/governance.uploaded', schema34],
  ['record/governance.withdrawn', schema35],
  ['record/identity.assigned', schema36],
  ['record/identity.redeemed', schema37],
  ['record/identity.registered', schema38],
  ['record/identity.resumed', schema39],
  ['record/identity.revoked', schema40],
  ['record/identity.rotated', schema41],
  ['record/identity.suspended', schema42],
  ['record/identity.ticketed', schema43],
  ['record/intents.approved', schema44],
  ['record/intents.cancelled', schema45],
  ['record/intents.consumed', schema46],
  ['record/intents.denied', schema47],
  ['record/intents.granted', schema48],
  ['record/intents.lapsed', schema49],
  ['record/intents.pending', schema50],
  ['record/intents.reported', schema51],
  ['record/models.attested', schema52],
  ['record/models.authorised', schema53],
  ['record/models.registered', schema54],
  ['record/models.related', schema55],
  ['record/models.revoked', schema56],
  ['record/packets.acknowledged', schema57],
  ['record/packets.committed', schema58],
  ['record/packets.mismatched', schema59],
  ['record/routing.published', schema60],
  ['record/routing.restored', schema61],
  ['record/routing.switched', schema62],
  ['record/tx.refused', schema63],
  ['record/tx', schema64],
  ['routing-table', schema65],
  ['rpc', schema66],
  ['state-proof', schema67],
  ['status', schema68],
  ['transaction', schema69],
  ['tx/alerts.raise', schema70],
  ['tx/alerts.resolve', schema71],
  ['tx/governance.approve', schema72],
  ['tx/governance.evidence', schema73],
  ['tx/governance.propose', schema74],
  ['tx/governance.ready', schema75],
  ['tx/governance.text', schema76],
  ['tx/governance.withdraw', schema77],
  ['tx/identity.redeem', schema78],
  ['tx/identity.register', schema79],
  ['tx/identity.resume', schema80],
  ['tx/identity.revoke', schema81],
  ['tx/identity.roles', schema82],
  ['tx/identity.rotate', schema83],
  ['tx/identity.suspend', schema84],
  ['tx/identity.ticket', schema85],
  ['tx/intents.approve', schema86],
  ['tx/intents.cancel', schema87],
  ['tx/intents.consume', schema88],
  ['tx/intents.propose', schema89],
  ['tx/intents.report', schema90],
  ['tx/models.attest', schema91],
  ['tx/models.authorise', schema92],
  ['tx/models.lineage', schema93],
  ['tx/models.register', schema94],
  ['tx/models.revoke', schema95],
  ['tx/packets.acknowledge', schema96],
  ['tx/packets.commit', schema97],
  ['tx/packets.mismatch', schema98],
  ['tx/routing.instance', schema99],
  ['tx/routing.publish', schema100],
  ['tx/routing.rollback', schema101],
  ['walk', schema102],
]);
